"""One connection that survives a restart of its database.

A statement that failed because the connection did is repeated on a new connection, with growing
pauses and jitter, until `patience` seconds have passed. A transaction whose commit was not
answered is never repeated blindly: its id is asked for (`pg_xact_status`), so that it happens once.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.rows import dict_row

from locaria_reporter._errors import Unavailable, from_sqlstate

T = TypeVar("T")
Connection = psycopg.Connection[dict[str, Any]]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

# A connection that hangs is noticed within about 25 s, so a lease of 60 s can still be saved.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}

# What passes by itself: shutdown, start-up, frozen within a transaction, too many clients,
# read-only while failing over, deadlock, serialization failure, lock timeout.
_PASSING = {"57P01", "57P02", "57P03", "25P03", "53300", "25006", "40001", "40P01", "55P03"}
_HOPELESS = ("authentication failed", "does not exist", "no pg_hba.conf entry")


class StillOpen(psycopg.OperationalError):
    """The lost transaction is still in progress on the server: ask again."""


def complete_dsn(dsn: str) -> str:
    """`dsn` with our timeouts, where it has none of its own."""
    given = conninfo.conninfo_to_dict(dsn)
    return conninfo.make_conninfo(dsn, **{k: v for k, v in _DEFAULTS.items() if k not in given})


def passes_by_itself(error: psycopg.Error, connection: Connection | None) -> bool:
    """Whether the same statement may succeed on a new connection a little later."""
    if isinstance(error, StillOpen):
        return True
    if error.sqlstate is not None:
        return error.sqlstate in _PASSING or error.sqlstate.startswith("08")
    if connection is None:
        return not any(words in str(error) for words in _HOPELESS)
    return connection.closed or connection.broken


class Session:
    """A lazily opened, self-healing autocommit connection of one thread.

    Args:
        dsn: libpq connection string.
        application_name: how the session is seen in pg_stat_activity.
        patience: seconds that one statement may take to get through an outage.
        pause: how to wait; the side thread passes one that its stop ends.
    """

    def __init__(
        self,
        dsn: str,
        application_name: str,
        patience: float = 60.0,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._dsn = complete_dsn(dsn)
        self.name = application_name
        self._pause = pause
        self._opened: list[Callable[[Connection], None]] = []
        self._connection: Connection | None = None
        self.patience = patience
        self.settings: dict[str, str] = {}

    def on_open(self, action: Callable[[Connection], None]) -> None:
        """Have `action` done on every new connection (LISTEN), and on the one that is open."""
        self._opened.append(action)
        if self._connection is not None and not self._connection.closed:
            self.attempt(action)

    def connection(self) -> Connection:
        """The open connection, opened anew if need be."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
            for action in self._opened:
                action(self._connection)
        return self._connection

    def connect(self) -> Connection:
        """A further connection with the session's settings, for the caller to close."""
        connection = psycopg.connect(
            self._dsn, autocommit=True, prepare_threshold=None, row_factory=dict_row
        )
        wanted = {"application_name": self.name[:63], **self.settings}
        words = ", ".join("set_config(%s, %s, false)" for _ in wanted)
        try:
            connection.execute(f"select {words}", [w for pair in wanted.items() for w in pair])
        except BaseException:
            connection.close()
            raise
        return connection

    def call(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Execute one statement, through an outage if need be: its rows."""
        return self.attempt(lambda c: c.execute(query, values).fetchall())

    def value(self, query: str, *values: Any) -> Any:
        """The single value of the single row."""
        rows = self.call(query, *values)
        return next(iter(rows[0].values())) if rows else None

    def attempt(self, work: Callable[[Connection], T]) -> T:
        """Do `work`, again on a new connection while the trouble passes by itself.

        Raises:
            Unavailable: the trouble lasted longer than `patience`.
            Outcome, Refused: what the SQLSTATE says (see _errors).
        """
        began: float | None = None
        pause = _FIRST_PAUSE
        while True:
            connection: Connection | None = None
            try:
                connection = self.connection()
                return work(connection)
            except psycopg.Error as error:
                ours = from_sqlstate(error.sqlstate, _words(error))
                if ours is not None:
                    raise ours from error
                if not passes_by_itself(error, connection):
                    raise
                began = began or time.monotonic()
                if time.monotonic() - began + pause > self.patience:
                    raise Unavailable(f"the database could not be reached: {error}") from error
            self._reset()
            self._pause(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter is no secret
            pause = min(pause * 2, _LONGEST_PAUSE)

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction, exactly once, also when its commit got no answer."""
        sent: list[tuple[str, T]] = []

        def once(connection: Connection) -> T:
            if sent and committed(connection, sent[-1][0]):
                return sent[-1][1]
            sent.clear()
            with connection.transaction():
                result = work(connection)
                row = connection.execute("select pg_current_xact_id()::text as xact").fetchone()
                sent.append((row["xact"] if row else "", result))
            return result

        return self.attempt(once)

    def _reset(self) -> None:
        """Drop a connection of unknown state; the next statement opens another."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def close(self) -> None:
        """Close the connection; twice is fine."""
        self._reset()


def committed(connection: Connection, xact: str) -> bool:
    """Whether the transaction was committed; StillOpen while that is not decided."""
    row = connection.execute("select pg_xact_status(%s::text::xid8) as status", [xact]).fetchone()
    status = row["status"] if row else None
    if status == "in progress":
        raise StillOpen(f"transaction {xact} is still in progress")
    return bool(status == "committed")


def _words(error: psycopg.Error) -> str:
    """The server's message with its hint, without psycopg's context lines."""
    parts: Sequence[str | None] = (error.diag.message_primary, error.diag.message_hint)
    return "; ".join(part for part in parts if part) or str(error)
