"""The channel to Locaria: the only module that knows the names of SQL functions."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from locaria_reporter._channel import (
    Block,
    ClaimedRun,
    Ending,
    Failure,
    Json,
    RunState,
    StagingTable,
    TaskStart,
    Wait,
)
from locaria_reporter._copying import PLAIN_DATES, copy_into, copy_statement, count_rows
from locaria_reporter._errors import Retry, TooManyRejects
from locaria_reporter._rows import aged, as_jsonb, claimed, in_seconds
from locaria_reporter._session import make_session
from locaria_reporter.session import Connection, committed

_POLL_EVERY = 2.0

# Between two statements of our own transactions lie milliseconds. A process that is frozen there
# (SIGSTOP, a suspended machine) would hold the lock of its file, and tick() could not take it back.
_LONGEST_GAP_MS = 10_000


@dataclass
class _Staged:
    """How many rows a staging table must have, and the connection that has seen it so."""

    rows: int
    seen_by: Connection | None = None


class PostgresChannel:
    """Talks to Locaria's SQL functions.

    Args:
        dsn: libpq URL or keyword string of a role that is a member of locaria_loader.
        container: the container's name (for NOTIFY of new work).
        pause: how to wait between attempts to reconnect.
    """

    def __init__(
        self, dsn: str, container: str, pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._dsn = dsn
        self._container = container
        self._session = make_session(dsn, f"locaria {container}", pause=pause)
        self._session.settings["idle_in_transaction_session_timeout"] = str(_LONGEST_GAP_MS)
        self._listens: set[str] = set()
        self._hears = True
        self._staged: dict[str, _Staged] = {}

    def start_task(self, container: str, info: Json) -> TaskStart:
        launch, dispatch = os.environ.get("LOCARIA_LAUNCH"), os.environ.get("LOCARIA_DISPATCH")
        row = self._session.call(
            "select * from locaria.start_task(%s::text, %s::text, %s::bigint, %s::int, %s::jsonb)",
            container,
            info.pop("task_arn", None),
            dispatch or None,
            launch or None,
            Jsonb(info),
        )[0]
        start = TaskStart(
            task_id=row["task_id"],
            accepted=row["accepted"],
            reason=row["reason"],
            lease=in_seconds(row["lease"], 60.0),
            heartbeat_every=in_seconds(row["heartbeat_every"], 20.0),
            idle_timeout=in_seconds(row["idle_timeout"], 0.0),
            schema_version=row["schema_version"],
        )
        self._session.patience = max(30.0, start.lease)
        return start

    def claim_files(self, task: int, count: int) -> list[ClaimedRun]:
        rows = self._session.call("select * from locaria.claim_files(%s, %s)", task, count)
        return [claimed(row) for row in rows]

    def wait_for_files(self, task: int, xact: str | None, idle_for: float | None) -> Wait:
        # Listening starts before the question, or a notice between the two would be missed.
        self._listen(f"locaria_files_{self._container}")
        row = self._session.call(
            "select * from locaria.wait_for_files(%s, %s::text, %s::interval)",
            task,
            xact,
            None if idle_for is None else timedelta(seconds=idle_for),
        )[0]
        return Wait(row["what"], float(row["for_s"] or 0.0))

    def wait_for_work(self, seconds: float, wake: int | None = None) -> bool:
        limit = seconds if self._hears else min(seconds, _POLL_EVERY)
        also = [] if wake is None else [wake]

        def wait(connection: Connection) -> bool:
            if list(connection.notifies(timeout=0)):
                return True
            select.select([connection.fileno(), *also], [], [], max(0.0, limit))
            return bool(list(connection.notifies(timeout=0)))

        return self._session.attempt(wait)

    def leave_task(self, task: int, exit_code: int | None, reason: str | None) -> None:
        self._session.call("select locaria.leave_task(%s, %s, %s)", task, exit_code, reason)

    def save_checkpoint(self, run: int, checkpoint: Json) -> bool:
        query = "select locaria.checkpoint_run(%s, %s::jsonb)"
        return bool(self._session.value(query, run, as_jsonb(checkpoint)) == "cancel")

    def create_staging(
        self,
        run: int,
        target: str,
        columns: Sequence[Mapping[str, str]],
        mode: str,
        options: Json,
    ) -> StagingTable:
        # Under this name the session's COPY shows up in the view `running`.
        self.describe(f"locaria run={run}")
        row = self._session.call(
            "select * from locaria.create_staging(%s, %s::text, %s::jsonb, %s::text, %s::jsonb)",
            run,
            target,
            as_jsonb([dict(column) for column in columns]),
            mode,
            as_jsonb(options),
        )[0]
        self._staged[row["staging"]] = _Staged(row["row_count"])
        return StagingTable(
            row["staging"], row["adopted"], row["row_count"], row["checkpoint"] or {}
        )

    def copy_block(self, run: int, block: Block, checkpoint: Json | None) -> tuple[int, bool]:
        statement = copy_statement(block)

        def work(connection: Connection) -> tuple[int, bool]:
            self._verify(connection, block.staging)
            connection.execute(PLAIN_DATES)
            rows = copy_into(connection, statement, block)
            # Last in the transaction: the row lock of the run is held only until the commit.
            answer = connection.execute(
                "select locaria.checkpoint_run(%s, %s::jsonb, %s::text) as state",
                [
                    run,
                    None if checkpoint is None else as_jsonb(checkpoint),
                    block.staging if block.own else None,
                ],
            ).fetchone()
            return rows, bool(answer and answer["state"] == "cancel")

        rows, cancelled = self._session.transact(work)
        self._staged[block.staging].rows += rows
        return rows, cancelled

    def count_copied(self, staging: str, rows: int) -> None:
        self._staged[staging].rows += rows

    def _verify(self, connection: Connection, staging: str) -> None:
        """On a new connection: whether the table still has every row that was committed.

        A crash with synchronous_commit off, or a failover to a replica that lagged, loses
        committed blocks together with their checkpoints: going on would publish a hole.
        """
        known = self._staged[staging]
        if known.seen_by is not connection:
            row = connection.execute(count_rows(staging)).fetchone()
            if row is None or row["rows"] != known.rows:
                raise Retry(
                    "the database lost rows that it had committed (a crash or a failover): "
                    "going on from the checkpoint that it kept",
                    in_=0,
                )
            known.seen_by = connection

    def reject_rows(self, run: int, rejects: Sequence[Json]) -> int:
        row = self._session.call(
            "select locaria.reject_rows(%s, %s::jsonb) as total,"
            " locaria.get_reject_limit(%s) as allowed",
            run,
            as_jsonb(list(rejects)),
            run,
        )[0]
        if row["allowed"] is not None and row["total"] > row["allowed"]:
            raise TooManyRejects(f"{row['total']} rows rejected, {row['allowed']} are allowed")
        return int(row["total"])

    def finish_run(self, run: int, ending: Ending) -> int | None:
        if not ending.stagings:
            self._session.attempt(lambda connection: _finish(connection, run, ending))
            return None

        def work(connection: Connection) -> int:
            for staging, _ in ending.stagings:
                self._verify(connection, staging)
            row = connection.execute(
                "select locaria.publish_load(%s, %s::jsonb, %s::text[], %s::text[]) as rows",
                [
                    run,
                    as_jsonb([{"staging": s, "rows": rows} for s, rows in ending.stagings]),
                    list(ending.before),
                    list(ending.after),
                ],
            ).fetchone()
            _finish(connection, run, ending)
            return int(row["rows"]) if row else 0

        return self._session.transact(work)

    def finish_runs(self, runs: Sequence[int]) -> set[int]:
        finished = self._session.value("select locaria.finish_runs(%s::bigint[])", list(runs))
        return set(finished or [])

    def finish_within(
        self, run: int, connection: psycopg.Connection[Any], ending: Ending
    ) -> str | None:
        _finish(connection, run, ending)
        with connection.cursor(row_factory=psycopg.rows.scalar_row) as cursor:
            return cursor.execute("select pg_current_xact_id()::text").fetchone()

    def was_committed(self, xact: str) -> bool:
        return self._session.attempt(lambda connection: committed(connection, xact))

    def fail_run(self, run: int, failure: Failure) -> str:
        return str(
            self._session.value(
                "select locaria.fail_run(%s, %s::text, %s::text, %s::text, %s::interval, %s)",
                run,
                failure.kind,
                failure.error,
                failure.detail,
                failure.retry_in,
                failure.exit_code,
            )
        )

    def release_run(self, run: int, reason: str) -> None:
        self._session.call("select locaria.release_run(%s, %s::text)", run, reason)

    def connect(self, run: int, lease: float) -> psycopg.Connection[Any]:
        session = make_session(self._dsn, f"locaria run={run}", patience=self._session.patience)
        # A loader that hangs in a transaction would pin old rows for everybody.
        session.settings["idle_in_transaction_session_timeout"] = f"{max(lease, 1) * 1000:.0f}"
        connection: psycopg.Connection[Any] = session.attempt(lambda opened: opened)
        return connection

    def beside(self) -> PostgresChannel:
        return PostgresChannel(self._dsn, self._container)

    def heartbeat(self, task: int, runs: Sequence[int]) -> list[RunState]:
        rows = self._session.call(
            "select * from locaria.heartbeat(%s, %s::bigint[])", task, list(runs)
        )
        return [RunState(row["run_id"], row["state"], row["cancel_reason"]) for row in rows]

    def report_progress(self, run: int, progress: Json) -> bool:
        query = "select locaria.report_progress(%s, %s::jsonb)"
        return bool(self._session.value(query, run, as_jsonb(progress)) == "cancel")

    def report_listening(self, run: int, endpoint: str | None, command: str | None) -> bool:
        query = "select locaria.report_listening(%s, %s::text, %s::text)"
        return bool(self._session.value(query, run, endpoint, command) == "cancel")

    def log_run(self, run: int, messages: Sequence[Json]) -> None:
        now = datetime.now(UTC)
        said = as_jsonb([aged(message, now) for message in messages])
        self._session.call("select locaria.log_run(%s, %s::jsonb)", run, said)

    def wait_for_cancel(self, wake: int, seconds: float) -> set[int]:
        self._listen("locaria_cancel")
        connection = self._session.attempt(lambda opened: opened)
        select.select([connection.fileno(), wake], [], [], max(0.0, seconds))
        notices = self._session.attempt(lambda c: list(c.notifies(timeout=0)))
        return {int(notice.payload) for notice in notices if notice.payload.isdigit()}

    @property
    def hears(self) -> bool:
        """False behind a pooler that hands statements to changing servers: LISTEN is deaf there."""
        return self._hears

    def describe(self, text: str) -> None:
        name = text[:63]
        if name != self._session.settings["application_name"]:
            self._session.call("select set_config('application_name', %s, false)", name)
            self._session.settings["application_name"] = name

    def close(self) -> None:
        self._session.close()

    def _listen(self, channel: str) -> None:
        if channel not in self._listens:
            self._listens.add(channel)
            statement = sql.SQL("listen {}").format(sql.Identifier(channel[:63]))

            def listen(connection: Connection) -> None:
                connection.execute(statement)
                row = connection.execute("select pg_backend_pid() as pid").fetchone()
                self._hears = bool(row and row["pid"] == connection.info.backend_pid)

            self._session.on_connect(listen)
            self._session.attempt(lambda connection: connection)


def _finish(connection: psycopg.Connection[Any], run: int, ending: Ending) -> None:
    result = None if ending.result is None else as_jsonb(ending.result)
    connection.execute(
        "select locaria.finish_run(%s, %s::text, %s::jsonb)", [run, ending.message, result]
    )
