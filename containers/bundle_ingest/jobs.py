"""The listener's half of the database: jobs that arrive, and what clients ask about them."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[dict[str, Any]]
_KEPT = 8
_STATE = "select locaria.get_ingest_state(%s::bigint) as state"
_FIELDS = (
    "job_id",
    "state",
    "task",
    "task_percent",
    "updated",
    "created",
    "exception",
    "complete",
)
_PATIENCE_S = 30.0


class LostError(Exception):
    """The listener's run is over, or the job was failed by somebody: nothing more is accepted."""


@dataclass(frozen=True)
class Config:
    """What `parameters`, ingest_config, says; sizes in bytes, times in seconds."""

    max_bytes: int
    max_members: int
    max_seconds: float
    idle_seconds: float
    max_metadata_bytes: int
    user_header: str
    default_user: str
    resumable_seconds: float
    clean_seconds: float


class Jobs:
    """Calls the SQL functions of bundle ingest, from many threads.

    Args:
        dsn: of a member of locaria_loader.
        run: the listener's run, by which all that it receives lives and dies.
    """

    def __init__(self, dsn: str, run: int) -> None:
        self._dsn = dsn
        self.run = run
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()

    def config(self) -> Config:
        """The configuration as it is now."""
        found = self.value("select locaria.get_ingest_config()")
        return Config(**{name: found[name] for name in Config.__dataclass_fields__})

    def begin(
        self,
        kind: str,
        user: str,
        expected: int | None,
        expires_in: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """A bundle begins to arrive: its job's number."""
        job = int(self.value("select locaria.reserve_ingest_job()"))
        self.value(
            "select locaria.begin_ingest(%s::bigint, %s::bigint, %s::text, %s::text, %s::bigint,"
            " %s::interval, %s::jsonb)",
            self.run,
            job,
            kind,
            user,
            expected,
            None if expires_in is None else timedelta(seconds=expires_in),
            Jsonb(dict(details or {})),
        )
        return job

    def register(
        self, job: int, digest: str, attributes: Mapping[str, Any], *, again: bool
    ) -> dict[str, Any]:
        """All is stored: the state of the job, or of that of the same bundle sent before.

        As it is at this moment: a task that waits for it sees it after the commit only.
        """

        def work(connection: Connection) -> list[dict[str, Any]]:
            with connection.transaction():
                row = connection.execute(
                    "select locaria.register_ingest("
                    "%s::bigint, %s::bigint, %s::text, %s::jsonb, %s) as job",
                    [self.run, job, digest, Jsonb(dict(attributes)), again],
                ).fetchone()
                assert row is not None
                return connection.execute(_STATE, [row["job"]]).fetchall()

        found = self._attempt(work)[0]["state"]
        return {name: found[name] for name in _FIELDS}

    def resumable(self, job: int) -> dict[str, Any] | None:
        """Where a resumable upload stands; None: there is no such upload."""
        found: dict[str, Any] | None = self.value("select locaria.get_resumable(%s::bigint)", job)
        return found

    def report_resumable(
        self, job: int, offset: int, store: Mapping[str, Any], expires_in: float
    ) -> None:
        """So many bytes of a resumable upload are stored durably."""
        self.value(
            "select locaria.report_resumable(%s::bigint, %s::bigint, %s::bigint, %s::jsonb,"
            " %s::interval)",
            self.run,
            job,
            offset,
            Jsonb(dict(store)),
            timedelta(seconds=expires_in),
        )

    def fail(self, job: int, reason: str) -> None:
        """The upload did not come to its end."""
        self.value("select locaria.fail_ingest(%s::bigint, %s::text)", job, reason)

    def report(self, received: Mapping[int, int]) -> set[int]:
        """How many bytes have come; the jobs to stop receiving."""
        rows = self.rows(
            "select * from locaria.report_ingests(%s::bigint, %s::jsonb) as job",
            self.run,
            Jsonb({str(job): count for job, count in received.items()}),
        )
        return {row["job"] for row in rows}

    def state(self, job: int) -> dict[str, Any] | None:
        """What GET /get_state answers; None: no such job."""
        found = self.value(_STATE, job)
        return None if found is None else {name: found[name] for name in _FIELDS}

    def value(self, query: str, *values: Any) -> Any:
        """The single value of a statement."""
        row = self.rows(query, *values)[0]
        return next(iter(row.values()))

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Execute a statement that may be repeated, through a short outage if need be."""
        return self._attempt(lambda c: c.execute(query.encode(), values).fetchall())

    def _attempt(self, work: Callable[[Connection], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Do work that may be repeated.

        Raises:
            LostError: it was refused because the run or the job is over.
            psycopg.Error: the outage lasted, or the statement failed.
        """
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                with self.connection() as connection:
                    return work(connection)
            except psycopg.Error as error:
                if error.sqlstate in ("LC001", "LC002", "LC009"):
                    raise LostError(error.diag.message_primary or str(error)) from error
                passing = isinstance(error, psycopg.OperationalError)
                if not passing or time.monotonic() > give_up:
                    raise
            time.sleep(0.2)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection of this thread's own for a while."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                row_factory=dict_row,
                connect_timeout=10,
                application_name="locaria bundle_ingest",
            )
        try:
            yield connection
        finally:
            if connection.closed or connection.broken or self._idle.qsize() >= _KEPT:
                connection.close()
            else:
                self._idle.put(connection)

    def close(self) -> None:
        """Close what is idle."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
