"""Lambda's asynchronous invocation, locally: at least once, with retries and a failure destination.

Takes what the stand-in for `aws_lambda` wrote to `aws_lambda.invocations` and calls the handlers.
The rules are Lambda's (two more attempts after an error, a maximum event age, an on-failure
record); only the pauses are shorter: 1 and 2 seconds where AWS waits 1 and 2 minutes.
"""

from __future__ import annotations

import json
import logging
import select
import socket
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from locaria.local.aws.lambda_service import statements
from locaria.local.aws.lambda_service.environment import (
    EnvironmentsClosedError,
    LambdaEnvironments,
    LambdaFunction,
    Reply,
)
from locaria.local.aws.lambda_service.failure_record import failure_record
from locaria.local.database import STOP_S, Database, StoppedError, join

log = logging.getLogger(__name__)
CHANNEL = "aws_lambda_invocations"
_IDLE_WAIT_S = 5.0
_KEEP = "7 days"
_GRACE_S = 30.0  # beyond a function's timeout, at which its environment is killed
_DEAD_S = 10.0  # for an agent that lost its connection to come back


@dataclass(frozen=True)
class Share:
    """What one of several takes out of a queue that they share.

    Parameters
        worker      its name, different from that of the others, the same after a restart.
        mark        how the ids of its tasks begin; None: it is alone.
        containers  the containers that it can start; None: all.
    """

    worker: str = "local"
    mark: str | None = None
    containers: Sequence[str] | None = None


@dataclass(frozen=True)
class DeliveryRules:
    """How often and how long an event is tried.

    Parameters
        retry_delays_s       pauses before the second, third, … attempt: as many as retries.
        max_event_age_s      an older event is given up without calling the handler (again).
        failure_destination  the function that gets the record of an event that was given up.
        concurrency          how many handlers run at a time.
    """

    retry_delays_s: Sequence[float] = (1.0, 2.0)
    max_event_age_s: float = 3600.0
    failure_destination: str | None = "taskEvents"
    concurrency: int = 4


class LambdaQueue:
    """Delivers invocations to handlers until it is stopped.

    Parameters
        dsn        a superuser's DSN of the database with the stand-in.
        functions  the functions that exist.
        log_dir    folder for what the handlers print.
        share      of the queue, where others deliver from it, too.
    """

    def __init__(
        self,
        dsn: str,
        functions: Iterable[LambdaFunction],
        log_dir: Path,
        rules: DeliveryRules | None = None,
        *,
        share: Share | None = None,
    ) -> None:
        self._dsn = dsn
        self._share = share or Share()
        self._functions = {function.name: function for function in functions}
        self._rules = rules or DeliveryRules()
        self._environments = LambdaEnvironments(self._functions, log_dir)
        self._stopping = threading.Event()
        self._news = threading.Condition()
        self._looked = 0
        self._events = Database(dsn, "Lambda events", self._stopping)
        self._events_lock = threading.Lock()
        self._nudged, self._nudging = socket.socketpair()
        self._nudged.setblocking(False)
        self._nudging.setblocking(False)
        self._threads: dict[threading.Thread, Database] = {}

    def start(self) -> Self:
        """Deliver what a killed runtime left, then whatever comes."""
        with Database(self._dsn, "Lambda start", self._stopping) as database:
            database.run(statements.RECOVER, self._names())
            database.run(statements.PRUNE, [_KEEP])
        self._environments.warm()
        self._spawn("lambda-listener", self._listen)
        for number in range(self._rules.concurrency):
            self._spawn(f"lambda-courier-{number + 1}", self._deliver)
        return self

    def stop(self) -> None:
        """Stop at once: a handler that runs is killed, its event delivered at the next start."""
        self._stopping.set()
        self._nudge()
        with self._news:
            self._news.notify_all()
        self._environments.kill()
        join(self._threads)
        self._environments.close()
        with self._events.at_most(STOP_S), self._events_lock:
            self._events.close()
        self._nudged.close()
        self._nudging.close()

    def _names(self) -> dict[str, Any]:
        """What the statements about a shared queue ask for."""
        timeouts = [function.timeout_s for function in self._functions.values()]
        share = self._share
        return {
            "worker": share.worker,
            "mark": share.mark,
            "containers": None if share.containers is None else list(share.containers),
            "dead_s": _DEAD_S,
            "lost_s": max(timeouts, default=0.0) + _GRACE_S,
        }

    def put(self, function_name: str, event: Any) -> None:
        """Put an event in the queue of a function, as EventBridge does. Raises StoppedError."""
        with self._events_lock:
            if self._stopping.is_set():
                raise StoppedError
            self._events.run(statements.ENQUEUE, [function_name, json.dumps(event)])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # -- threads ---------------------------------------------------------------------------------

    def _spawn(self, name: str, target: Any) -> None:
        database = Database(self._dsn, name, self._stopping)
        words = (target, database, name)
        thread = threading.Thread(target=self._until_stopped, args=words, name=name)
        self._threads[thread] = database
        thread.start()

    def _until_stopped(self, target: Any, database: Database, name: str) -> None:
        while not self._stopping.is_set():
            with database:
                try:
                    target(database)
                except StoppedError:
                    return
                except psycopg.OperationalError as error:
                    log.warning("%s lost the database, and goes on: %s", name, error)
                    self._stopping.wait(0.1)
                except Exception:
                    log.exception("%s failed, and goes on", name)
                    self._stopping.wait(1.0)

    def _listen(self, database: Database) -> None:
        """Wake the couriers when something was written and when a retry falls due."""
        while not self._stopping.is_set():
            connection = database.connection()
            connection.execute(f"listen {CHANNEL}".encode())
            self._wake()
            while not self._stopping.is_set() and not database.lost():
                database.run(statements.RECOVER_OTHERS, self._names())
                due_in_s = database.run(statements.NEXT)[0]["due_in_s"]
                if not list(connection.notifies(timeout=0)):
                    wait_s = _IDLE_WAIT_S if due_in_s is None else max(due_in_s, 0.05)
                    self._wait_for(connection.fileno(), min(wait_s, _IDLE_WAIT_S))
                self._wake()

    def _wait_for(self, notifications: int, timeout_s: float) -> None:
        """Wait for something on the connection, or for our own nudge."""
        select.select([notifications, self._nudged.fileno()], [], [], timeout_s)
        with suppress(BlockingIOError):
            self._nudged.recv(4096)

    def _nudge(self) -> None:
        """Have the listener look again now."""
        with suppress(BlockingIOError):  # full: it is going to look anyway
            self._nudging.send(b".")

    def _wake(self) -> None:
        with self._news:
            self._looked += 1
            self._news.notify_all()

    def _deliver(self, database: Database) -> None:
        while not self._stopping.is_set():
            seen = self._looked
            rows = database.run(statements.CLAIM, self._names())
            if rows:
                self._handle(database, rows[0])
                continue
            with self._news:
                while self._looked == seen and not self._stopping.is_set():
                    self._news.wait()

    # -- one invocation --------------------------------------------------------------------------

    def _handle(self, database: Database, row: dict[str, Any]) -> None:
        is_event = row["invocation_type"] == "Event"
        function = self._functions.get(row["function_name"])
        if is_event and row["age_s"] > self._rules.max_event_age_s:
            self._give_up(database, row, "expired", None)
            return
        if function is None:
            error = {"errorType": "ResourceNotFound", "errorMessage": "no such function here"}
            self._give_up(database, row, "failed", Reply(error, failed=True, log_tail=""))
            return
        try:
            reply = self._environments.invoke(
                function.name, row["payload"], str(row["request_id"]), row["client_context"]
            )
        except EnvironmentsClosedError as error:
            raise StoppedError from error
        except OSError as error:  # no disk, no memory, no process: as an environment that died
            told = {"errorType": "Runtime.EnvironmentError", "errorMessage": str(error)}
            reply = Reply(told, failed=True, log_tail="")
        if self._stopping.is_set() and reply.failed:
            log.warning("%s was stopped, and is called again at the next start", function.name)
            raise StoppedError
        self._record(database, row, reply)

    def _record(self, database: Database, row: dict[str, Any], reply: Reply) -> None:
        said = json.dumps(reply.payload)
        if not reply.failed:
            database.run(statements.FINISH, ["succeeded", said, None, reply.log_tail, row["id"]])
            return
        log.warning("%s failed (attempt %s): %s", row["function_name"], row["attempts"], said[:500])
        retries = self._rules.retry_delays_s if row["invocation_type"] == "Event" else ()
        if row["attempts"] <= len(retries):
            delay_s = retries[row["attempts"] - 1]
            database.run(statements.AGAIN, [delay_s, said, reply.log_tail, row["id"]])
            self._nudge()
        else:
            self._give_up(database, row, "failed", reply)

    def _give_up(
        self, database: Database, row: dict[str, Any], state: str, reply: Reply | None
    ) -> None:
        """End an invocation and tell the failure destination, in one statement."""
        payload = row["response"] if reply is None else reply.payload
        tail = row["log_tail"] if reply is None else reply.log_tail
        destination = self._rules.failure_destination
        tells = (
            row["invocation_type"] == "Event"
            and destination is not None
            and destination != row["function_name"]
        )
        record = json.dumps(failure_record(row, state, payload))
        values = [state, json.dumps(payload), tail, row["id"]]
        database.run(statements.GIVE_UP, [*values, destination or "", record, tells])
