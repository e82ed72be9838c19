"""The local Lambda queue: a row in, a handler called, at least once, whatever happens between."""

import base64
import json
import shutil
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from locaria.local.aws.lambda_service.environment import LambdaFunction
from locaria.local.aws.lambda_service.queue import CHANNEL, DeliveryRules, LambdaQueue
from locaria.local.aws.standin import install_standin

FAST = DeliveryRules(retry_delays_s=(0.05, 0.1), failure_destination="destination")
HANDLER = """
    import os, time
    def handler(event, context):
        print("got", event)
        with open(os.environ["CALLS"], "a") as calls:
            calls.write(context.aws_request_id + "\\n")
        if "sleep" in event:
            time.sleep(event["sleep"])
        if event.get("exit"):
            os._exit(3)
        if event.get("fail_until", 0) >= len(open(os.environ["CALLS"]).readlines()):
            raise ValueError("not yet")
        return {"event": event, "arn": context.invoked_function_arn,
                "left": context.get_remaining_time_in_millis() > 0}
"""


class Bench:
    """A queue with the functions `work` and `destination`, and what a test asks of it."""

    def __init__(self, db: Any, folder: Path, stack: ExitStack) -> None:
        install_standin(db.superuser_dsn, None, ["work", "destination"])
        self.dsn = db.superuser_dsn
        self.connection = stack.enter_context(psycopg.connect(self.dsn, autocommit=True))
        self.listener = stack.enter_context(psycopg.connect(self.dsn, autocommit=True))
        self.listener.execute(f"listen {CHANNEL}_ended")
        self.connection.execute(f"""
            create function tell() returns trigger language plpgsql as
              $$ begin perform pg_notify('{CHANNEL}_ended', new.id::text); return null; end $$;
            create trigger _900_tell after update on aws_lambda.invocations for each row
              when (new.finished_at is not null) execute function tell();
        """)
        self.folder = folder
        self.calls = folder / "calls"
        self._stack = stack
        (folder / "work.py").write_text(textwrap.dedent(HANDLER))
        (folder / "destination.py").write_text("def handler(event, context):\n    return event\n")

    def start(self, rules: DeliveryRules = FAST, timeout_s: float = 30) -> LambdaQueue:
        environment = {"CALLS": str(self.calls)}
        functions = [
            LambdaFunction("work", self.folder / "work.py", environment, timeout_s),
            LambdaFunction("destination", self.folder / "destination.py"),
        ]
        queue = LambdaQueue(self.dsn, functions, self.folder / "logs", rules)
        return self._stack.enter_context(queue)

    def invoke(self, event: dict[str, Any], kind: str = "Event") -> Any:
        return self.connection.execute(
            "select status_code, payload, log_result from aws_lambda.invoke("
            "function_name => 'work', payload => %s::jsonb, invocation_type => %s, "
            "log_type => 'Tail')",
            [json.dumps(event), kind],
        ).fetchone()

    def await_ended(self, function: str = "work", count: int = 1) -> list[Any]:
        """The invocations of a function, when so many have ended."""
        query = """
            select state, attempts, response, request_id::text from aws_lambda.invocations
             where function_name = %s and finished_at is not null order by id
        """
        for _ in range(count * 20):
            rows = self.connection.execute(query, [function]).fetchall()
            if len(rows) >= count:
                return rows
            list(self.listener.notifies(timeout=10, stop_after=1))
        raise AssertionError("nothing more ended")


@pytest.fixture
def bench(db: Any, tmp_path: Path) -> Iterator[Bench]:
    """See Bench."""
    with ExitStack() as stack:
        yield Bench(db, tmp_path, stack)


def test_an_event_is_delivered_to_the_handler(bench: Bench) -> None:
    bench.start()
    bench.invoke({"n": 1})
    [(state, attempts, response, _)] = bench.await_ended()
    assert (state, attempts) == ("succeeded", 1)
    assert response["event"] == {"n": 1}
    assert response["arn"] == "arn:aws:lambda:local:000000000000:function:work"
    assert response["left"] is True


def test_what_was_invoked_before_the_start_is_delivered(bench: Bench) -> None:
    bench.invoke({"n": 1})
    bench.start()
    assert bench.await_ended()[0][0] == "succeeded"


def test_what_a_killed_runtime_was_doing_is_delivered_again(bench: Bench) -> None:
    bench.invoke({"n": 1})
    bench.connection.execute("update aws_lambda.invocations set state = 'running', attempts = 1")
    bench.start()
    assert bench.await_ended()[0][:2] == ("succeeded", 1)


def test_a_failing_handler_is_called_again_under_the_same_request_id(bench: Bench) -> None:
    bench.start()
    bench.invoke({"fail_until": 2})
    [(state, attempts, _, request_id)] = bench.await_ended()
    assert (state, attempts) == ("succeeded", 3)
    assert bench.calls.read_text().split() == [request_id] * 3


def test_after_the_last_retry_the_failure_destination_gets_the_record(bench: Bench) -> None:
    bench.start()
    bench.invoke({"fail_until": 99})
    [(_, _, record, _)] = bench.await_ended("destination")
    assert record["version"] == "1.0"
    assert record["requestContext"] | {"requestId": "", "functionArn": ""} == {
        "requestId": "",
        "functionArn": "",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["requestPayload"] == {"fail_until": 99}
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorType"] == "ValueError"
    assert record["responsePayload"]["errorMessage"] == "not yet"
    assert bench.await_ended()[0][:2] == ("failed", 3)


def test_an_event_older_than_the_maximum_age_goes_to_the_destination_uncalled(
    bench: Bench,
) -> None:
    bench.invoke({"n": 1})
    bench.connection.execute(
        "update aws_lambda.invocations set received_at = received_at - interval '2 hours'"
    )
    bench.start()
    [(_, _, record, _)] = bench.await_ended("destination")
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert not bench.calls.exists()


@pytest.mark.parametrize(
    ("event", "error"),
    [({"exit": True}, "Runtime.ExitError"), ({"sleep": 60}, "Sandbox.Timedout")],
)
def test_an_environment_that_dies_or_hangs_fails_the_call_and_no_other(
    bench: Bench, event: dict[str, Any], error: str
) -> None:
    bench.start(DeliveryRules(retry_delays_s=(), failure_destination=None), timeout_s=1)
    bench.invoke(event)
    bench.invoke({"n": 2})
    ended = bench.await_ended(count=2)
    assert ended[0][0] == "failed"
    assert ended[0][2]["errorType"] == error
    assert ended[1][0] == "succeeded"


def test_an_environment_that_can_not_be_used_fails_the_call_and_the_next_has_another(
    bench: Bench,
) -> None:
    bench.start(DeliveryRules(retry_delays_s=(), failure_destination=None))
    shutil.rmtree(bench.folder / "logs")  # as a full disk
    bench.invoke({"n": 1})
    [(state, _, response, _)] = bench.await_ended()
    assert (state, response["errorType"]) == ("failed", "Runtime.EnvironmentError")
    (bench.folder / "logs").mkdir()
    bench.invoke({"n": 2})
    assert bench.await_ended(count=2)[1][0] == "succeeded"


def test_a_synchronous_call_returns_the_payload_and_the_log(bench: Bench) -> None:
    bench.start()
    status, payload, log = bench.invoke({"n": 1}, "RequestResponse")
    assert (status, payload["event"]) == (200, {"n": 1})
    assert "got {'n': 1}" in base64.b64decode(log).decode()


def test_a_synchronous_call_that_fails_is_an_error_and_not_repeated(bench: Bench) -> None:
    bench.start()
    with pytest.raises(psycopg.Error, match="lambda invocation failed") as caught:
        bench.invoke({"fail_until": 99}, "RequestResponse")
    assert 'returned error "Unhandled", details: "<' in str(caught.value.diag.message_detail)
    assert bench.await_ended()[0][:2] == ("failed", 1)


def test_a_handler_that_can_not_be_imported_says_so(bench: Bench) -> None:
    (bench.folder / "work.py").write_text("import no_such_module\n")
    bench.start(DeliveryRules(retry_delays_s=(), failure_destination=None))
    bench.invoke({})
    assert "no_such_module" in bench.await_ended()[0][2]["errorMessage"]


def test_delivery_goes_on_after_the_database_cut_all_connections(bench: Bench) -> None:
    bench.start()
    bench.connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and application_name like 'locaria lambda%'"
    )
    bench.invoke({"n": 1})
    assert bench.await_ended()[0][0] == "succeeded"


def test_put_queues_an_event_as_eventbridge_does(bench: Bench) -> None:
    put: Callable[[str, Any], None] = bench.start().put
    put("destination", {"n": 1})
    assert bench.await_ended("destination")[0][2] == {"n": 1}
