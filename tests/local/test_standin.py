"""The stand-in for aws_lambda, as the database that calls it sees it."""

import time
from typing import Any

import psycopg
import pytest
from psycopg import errors

from locaria.local.aws.standin import StandinError, install_standin

INVOKE = """
    select * from aws_lambda.invoke(
      function_name => aws_commons.create_lambda_function_arn('ecsRunTask', 'local'),
      payload => %s::jsonb, invocation_type => %s, log_type => 'None')
"""


def invoke(connection: Any, payload: str = "{}", kind: str = "Event") -> dict[str, Any]:
    row: dict[str, Any] = connection.execute(INVOKE, [payload, kind]).fetchone()
    return row


def superuser(db: Any) -> psycopg.Connection[Any]:
    connection = psycopg.connect(db.superuser_dsn, autocommit=True)
    db.connections.append(connection)
    return connection


def invocations(db: Any) -> list[Any]:
    query = "select payload, state, request_id from aws_lambda.invocations order by id"
    return superuser(db).execute(query).fetchall()


def set_fault(db: Any, fault: str) -> None:
    superuser(db).execute(
        "update aws_lambda.functions set fault = %s where function_name = 'ecsRunTask'", [fault]
    )


def test_an_invocation_is_out_even_when_the_caller_rolls_back(db: Any) -> None:
    connection = db.connect(autocommit=False)
    assert invoke(connection, '{"text": "it\'s \\\\ one"}') == {
        "status_code": 202,
        "payload": None,
        "executed_version": None,
        "log_result": None,
    }
    assert [row[0] for row in invocations(db)] == [{"text": "it's \\ one"}]
    connection.rollback()
    assert len(invocations(db)) == 1


def test_a_session_keeps_one_writing_connection_and_replaces_it_when_cut(db: Any) -> None:
    connection = db.connect()
    query = """
        select pid from pg_stat_activity
         where application_name = 'aws_lambda stand-in' and datname = current_database()
    """
    invoke(connection)
    invoke(connection)
    pids = superuser(db).execute(query).fetchall()
    assert len(pids) == 1
    superuser(db).execute("select pg_terminate_backend(%s, 5000)", pids[0])
    invoke(connection)
    assert len(invocations(db)) == 3


def test_a_dry_run_invokes_nothing(db: Any) -> None:
    assert invoke(db.connect(), kind="DryRun")["status_code"] == 204
    assert invocations(db) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("'nobody', '{}'::jsonb", "Function not found: arn:aws:lambda:local:000000000000"),
        ("'ecsRunTask:blue', '{}'::jsonb", "Function not found"),
        (
            "'ecsRunTask', to_jsonb(repeat('x', 1048577)), invocation_type => 'Event'",
            "smaller than",
        ),
        ("'ecsRunTask', '{}'::json, invocation_type => 'event'", "invalid invocation type"),
        ("'ecsRunTask', '{}'::json, log_type => 'tail'", "invalid log type"),
        (
            "'arn:aws:lambda:local:000000000000:function:ecsRunTask', '{}'::json, 'mars'",
            "conflicts",
        ),
        ("'ecsRunTask:blue', '{}'::json, qualifier => 'green'", "conflicts"),
    ],
)
def test_what_lambda_refuses_is_an_error_and_no_invocation(
    db: Any, call: str, message: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        db.connect().execute(f"select * from aws_lambda.invoke({call})")
    said = f"{caught.value.diag.message_primary} {caught.value.diag.message_detail}"
    assert message in said
    assert invocations(db) == []


def test_a_bare_call_is_as_ambiguous_as_the_real_one(db: Any) -> None:
    with pytest.raises(errors.AmbiguousFunction):
        db.connect().execute("select aws_lambda.invoke('ecsRunTask', '{}')")


@pytest.mark.parametrize(
    ("fault", "message", "accepted"),
    [
        ("unreachable", "AWS Lambda client returned 'Unable to connect to endpoint'.", 0),
        ("throttled", "AWS Lambda client returned 'Rate Exceeded.'.", 0),
        ("slow", "AWS Lambda client returned 'curlCode: 28, Timeout was reached'.", 1),
    ],
)
def test_a_fault_raises_as_lambda_does(db: Any, fault: str, message: str, accepted: int) -> None:
    set_fault(db, fault)
    connection = db.connect()
    connection.execute("set aws_lambda.connect_timeout_ms = 100")
    connection.execute("set aws_lambda.request_timeout_ms = 100")
    started = time.monotonic()
    with pytest.raises(psycopg.Error, match="invoke API failed") as caught:
        invoke(connection)
    assert time.monotonic() - started < 2
    assert caught.value.diag.message_detail == message
    assert (caught.value.diag.context or "").endswith('SQL function "invoke" statement 1')
    assert len(invocations(db)) == accepted


def test_a_denied_call_is_a_missing_privilege(db: Any) -> None:
    set_fault(db, "denied")
    with pytest.raises(errors.InsufficientPrivilege, match="permission denied for function invoke"):
        invoke(db.connect())


def test_a_dropped_event_is_accepted_and_a_duplicate_written_twice(db: Any) -> None:
    connection = db.connect()
    set_fault(db, "drop")
    assert invoke(connection)["status_code"] == 202
    assert [row[1] for row in invocations(db)] == ["dropped"]
    set_fault(db, "duplicate")
    invoke(connection)
    rows = invocations(db)[1:]
    assert [row[1] for row in rows] == ["queued", "queued"]
    assert rows[0][2] == rows[1][2]


def test_a_synchronous_call_without_an_answer_ends_with_the_request_timeout(db: Any) -> None:
    connection = db.connect(autocommit=False)
    connection.execute("set local aws_lambda.request_timeout_ms = 50")
    with pytest.raises(psycopg.Error, match="invoke API failed"):
        invoke(connection, kind="RequestResponse")


def test_nobody_may_invoke_who_was_not_granted_it(db: Any) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        invoke(db.connect("app"))


@pytest.mark.parametrize(
    "query",
    [
        "select * from aws_lambda.writer",
        "select * from aws_lambda.invocations",
        "select aws_lambda._remotely('select 1::text')",
        "select aws_lambda_dblink.dblink_exec('aws_lambda', 'select 1')",
    ],
)
def test_who_may_invoke_may_not_use_the_writing_connection(db: Any, query: str) -> None:
    connection = db.connect()
    invoke(connection)
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute(query)


def test_installing_again_changes_nothing_and_needs_a_superuser(db: Any) -> None:
    set_fault(db, "drop")
    install_standin(db.superuser_dsn, "locaria_owner")
    query = "select fault from aws_lambda.functions where function_name = 'ecsRunTask'"
    assert superuser(db).execute(query).fetchone() == ("drop",)
    with pytest.raises(StandinError, match="only a superuser"):
        install_standin(db.dsn, "locaria_owner")
