"""What happened to a task reaches the database, and no password reaches anything else."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from function_modules import loaded
from moto import mock_aws
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from recording_database import RecordingDatabase

Envelope = Callable[..., dict[str, Any]]

FAILURE = {
    "version": "1.0",
    "timestamp": "2026-02-03T04:05:06.789Z",
    "requestContext": {
        "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
        "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:ecsRunTask:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": {"version": 1, "action": "run_task", "dispatch": 17, "launch": 1},
    "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
    "responsePayload": {"errorType": "LaunchFailed", "errorMessage": "0 of 2 tasks launched"},
}

PASSWORD = "s3cret-canary"


def batch(*bodies: object) -> dict[str, Any]:
    """An SQS batch of these bodies; their messages are called m0, m1, …"""
    return {
        "Records": [
            {
                "messageId": f"m{n}",
                "eventSource": "aws:sqs",
                "body": body if isinstance(body, str) else json.dumps(body),
            }
            for n, body in enumerate(bodies)
        ]
    }


def failed_messages(result: dict[str, Any]) -> list[str]:
    return [each["itemIdentifier"] for each in result["batchItemFailures"]]


def told(module: ModuleType, event: object) -> tuple[str, str]:
    """The name and the text of what the handler raises."""
    with pytest.raises((module.EventRefused, module.DatabaseUnavailable)) as caught:
        module.handler(event, None)
    assert caught.value.__cause__ is None or "boto" in type(caught.value.__cause__).__module__
    return type(caught.value).__name__, str(caught.value)


def test_a_state_change_is_recorded_as_it_came(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope
) -> None:
    assert task_events.handler(state_change(), None) == {"recorded": 1}
    assert events_db.recorded() == [state_change()]


def test_a_failed_invocation_is_recorded_as_it_came(
    task_events: ModuleType, events_db: RecordingDatabase
) -> None:
    assert task_events.handler(FAILURE, None) == {"recorded": 1}
    assert events_db.recorded() == [FAILURE]


def test_a_batch_of_both_is_recorded_in_its_order(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope
) -> None:
    assert task_events.handler(batch(state_change(), FAILURE), None) == {"batchItemFailures": []}
    assert events_db.recorded() == [state_change(), FAILURE]


def test_only_the_bad_messages_of_a_batch_come_back(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope
) -> None:
    bad = batch("no json", state_change("refused"), {"hello": 1}, state_change())
    bad["Records"].append({"messageId": "m4", "eventSource": "aws:kinesis", "body": "{}"})
    assert failed_messages(task_events.handler(bad, None)) == ["m0", "m1", "m2", "m4"]
    assert events_db.recorded() == [state_change()]


def test_a_whole_batch_comes_back_after_one_try_when_there_is_no_database(
    task_events: ModuleType,
    state_change: Envelope,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("LOCARIA_DSN", "host=127.0.0.1 port=1 dbname=x")
    result = task_events.handler(batch(state_change(), state_change(), FAILURE), None)
    assert failed_messages(result) == ["m0", "m1", "m2"]
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [line["event"] for line in lines] == ["failed", "batch"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        None,
        {"source": "aws.ecs", "detail-type": "ECS Service Action", "detail": {}},
        {"source": "someone.else", "detail-type": "ECS Task State Change", "detail": {}},
        {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": None},
        {"requestContext": {}, "password": PASSWORD},
    ],
)
def test_an_unknown_event_is_refused_without_repeating_what_it_holds(
    task_events: ModuleType, events_db: RecordingDatabase, event: object
) -> None:
    name, message = told(task_events, event)
    assert name == "EventRefused"
    assert "neither an ECS Task State Change" in message
    assert PASSWORD not in message
    assert events_db.recorded() == []


def test_what_the_database_refuses_is_told_with_its_sqlstate(
    task_events: ModuleType, state_change: Envelope
) -> None:
    assert told(task_events, state_change("refused")) == (
        "EventRefused",
        "record_task_event refused: LC007: no such task",
    )


def test_a_refused_event_does_not_spoil_the_connection(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope
) -> None:
    told(task_events, state_change("refused"))
    task_events.handler(state_change(), None)
    assert len(events_db.recorded()) == 1


def test_zero_bytes_and_broken_characters_do_not_lose_an_event(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope
) -> None:
    task_events.handler(state_change(stoppedReason="died\0 \ud83d é"), None)
    (event,) = events_db.recorded()
    assert event["detail"]["stoppedReason"] == "died\ufffd ? é"


def test_one_connection_serves_all_invocations(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope
) -> None:
    sessions = sql.SQL(
        "select pid from pg_stat_activity "
        "where datname = current_database() and application_name = 'locaria task_events'"
    )
    task_events.handler(state_change(), None)
    first = events_db.execute(sessions)
    task_events.handler(batch(state_change(), FAILURE), None)
    assert events_db.execute(sessions) == first
    assert len(first) == 1


def test_a_connection_that_broke_between_two_events_is_made_anew(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope
) -> None:
    task_events.handler(state_change(), None)
    assert events_db.cut_connections() == 1
    task_events.handler(state_change(), None)
    assert len(events_db.recorded()) == 2


def test_an_event_that_cuts_the_connection_is_tried_twice_and_no_more(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope
) -> None:
    events_db.execute(sql.SQL("create sequence tries"))
    events_db.execute(
        sql.SQL(
            "create or replace function locaria.record_task_event(p_event jsonb) returns void "
            "language plpgsql as $$ begin perform nextval('public.tries'); "
            "perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10); end $$"
        )
    )
    name, message = told(task_events, state_change())
    assert name == "DatabaseUnavailable"
    assert "failed twice" in message
    assert events_db.execute(sql.SQL("select last_value from tries")) == [(2,)]


def test_a_read_only_server_is_left_for_the_new_primary(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope
) -> None:
    """After a failover the kept connection may lead to the old primary."""
    task_events.handler(state_change(), None)
    task_events._database.session.connection().execute("set default_transaction_read_only = on")
    task_events.handler(state_change(), None)
    assert len(events_db.recorded()) == 2


def test_without_a_dsn_the_function_says_what_to_set(
    task_events: ModuleType, state_change: Envelope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCARIA_DSN")
    name, message = told(task_events, state_change())
    assert name == "DatabaseUnavailable"
    assert "set LOCARIA_DSN, or LOCARIA_DSN_SECRET" in message


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgres//loader:{PASSWORD}@db/gis",
        f"host=db password={PASSWORD} nonsense",
        f"postgresql://loader:{PASSWORD}@db:port/gis",
        f"postgresql://loader:{PASSWORD}@127.0.0.1:1/gis?connect_timeout=2",
        f"postgresql://loader:{PASSWORD}@127.0.0.1:1/gis?sslmode={PASSWORD}",
    ],
)
def test_no_failure_repeats_the_dsn(
    task_events: ModuleType,
    state_change: Envelope,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    dsn: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("LOCARIA_DSN", dsn)
    with pytest.raises(task_events.DatabaseUnavailable) as caught:
        task_events.handler(state_change(), None)
    assert PASSWORD not in str(caught.value) + caplog.text
    # nor does what a traceback would print before it
    assert caught.value.__context__ is None


class Secret:
    """A secret in Secrets Manager that gives the way to the test's database."""

    def __init__(self, database: RecordingDatabase) -> None:
        self._fields = conninfo_to_dict(database.dsn)
        self._client = boto3.client("secretsmanager")
        self.arn = self._client.create_secret(Name="locaria", SecretString="-")["ARN"]

    def rds(self, **changes: Any) -> dict[str, Any]:
        """The secret as RDS writes it."""
        given = self._fields
        return {
            "engine": "postgres",
            "host": given["host"],
            "port": int(given["port"] or 0),
            "username": given["user"],
            "password": given.get("password") or "any",
            "dbname": given["dbname"],
        } | changes

    def rotate(self, value: str | dict[str, Any]) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self._client.put_secret_value(SecretId=self.arn, SecretString=text)


@pytest.fixture
def secret(events_db: RecordingDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secret]:
    with mock_aws():
        made = Secret(events_db)
        monkeypatch.setenv("LOCARIA_DSN_SECRET", made.arn)
        monkeypatch.delenv("LOCARIA_DSN")
        yield made


def test_the_secret_may_be_a_connection_string(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope, secret: Secret
) -> None:
    secret.rotate(events_db.dsn + "\n")
    task_events.handler(state_change(), None)
    assert len(events_db.recorded()) == 1


def test_the_secret_may_be_an_object_as_rds_writes_it(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope, secret: Secret
) -> None:
    secret.rotate(secret.rds())
    task_events.handler(state_change(), None)
    assert len(events_db.recorded()) == 1


def test_a_secret_of_user_and_password_takes_the_rest_from_the_dsn(
    task_events: ModuleType,
    events_db: RecordingDatabase,
    state_change: Envelope,
    secret: Secret,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = secret.rds()
    secret.rotate({"username": whole["username"], "password": whole["password"]})
    rest = {key: whole[key] for key in ("host", "port", "dbname")}
    monkeypatch.setenv("LOCARIA_DSN", make_conninfo(**rest, user="other", password="wrong"))
    task_events.handler(state_change(), None)
    assert len(events_db.recorded()) == 1


def test_a_rotated_secret_is_read_again_when_the_old_one_no_longer_opens(
    task_events: ModuleType, events_db: RecordingDatabase, state_change: Envelope, secret: Secret
) -> None:
    rotated = sql.Identifier("rotated_login")
    events_db.execute(sql.SQL("create role {} login superuser password 'one'").format(rotated))
    try:
        secret.rotate(secret.rds(username="rotated_login", password="one"))
        task_events.handler(state_change(), None)
        events_db.execute(sql.SQL("alter role {} password 'two' nologin").format(rotated))
        secret.rotate(secret.rds())
        events_db.cut_connections()
        task_events.handler(state_change(), None)
        assert len(events_db.recorded()) == 2
    finally:
        events_db.cut_connections()
        events_db.execute(sql.SQL("drop role {}").format(rotated))


def test_a_secret_that_never_opens_is_told_without_its_password(
    task_events: ModuleType, state_change: Envelope, secret: Secret
) -> None:
    secret.rotate(secret.rds(username=f"nobody_{PASSWORD}", password=PASSWORD))
    name, message = told(task_events, state_change())
    assert name == "DatabaseUnavailable"
    assert "nobody_***" in message
    assert PASSWORD not in message


@pytest.mark.parametrize("value", [f"{PASSWORD}", f'"{PASSWORD}"', f"[{PASSWORD}"])
def test_a_secret_that_is_no_dsn_says_so_without_repeating_it(
    task_events: ModuleType, state_change: Envelope, secret: Secret, value: str
) -> None:
    secret.rotate(value)
    name, message = told(task_events, state_change())
    assert name == "DatabaseUnavailable"
    assert "the secret of LOCARIA_DSN_SECRET is no connection string" in message
    assert PASSWORD not in message


def test_a_secret_that_cannot_be_read_names_the_permission(
    task_events: ModuleType,
    state_change: Envelope,
    secret: Secret,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOCARIA_DSN_SECRET", secret.arn + "-gone")
    name, message = told(task_events, state_change())
    assert name == "DatabaseUnavailable"
    assert "ResourceNotFoundException" in message
    assert "secretsmanager:GetSecretValue" in message


def test_the_module_needs_no_database_to_be_loaded() -> None:
    """Lambda loads the module before it has an event; a failure there would tell nothing."""
    with loaded("task_events") as module:
        assert callable(module.handler)


def test_a_schedule_makes_it_tick(task_events: ModuleType, events_db: RecordingDatabase) -> None:
    assert task_events.handler({"action": "tick"}, None) == {"expire_runs": 2}
    assert events_db.recorded() == []
