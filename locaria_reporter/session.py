"""A database connection that reconnects: the one place in Locaria with this logic.

The reporter, the command line, the local runtime, the web server and the Lambda functions share
this module. It needs psycopg alone and imports no other module of Locaria, so that it can be put
into a Lambda function's zip. It is not part of the interface for loader authors.

A statement whose connection failed is repeated on a new connection, with growing pauses and
jitter, until the caller's patience is used up. A transaction whose commit got no answer is never
repeated blindly: the session asks for its outcome (`pg_xact_status`), so that it happens once.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.rows import dict_row

T = TypeVar("T")
Connection = psycopg.Connection[dict[str, Any]]

# A connection that hangs is noticed within about 25 s, so a lease of 60 s can still be saved.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}

# Shutdown, start-up, idle in a transaction for too long, too many clients, read-only during a
# failover, serialization failure, deadlock, lock timeout.
_TRANSIENT = {"57P01", "57P02", "57P03", "25P03", "53300", "25006", "40001", "40P01", "55P03"}
_PERMANENT_WORDS = ("authentication failed", "does not exist", "no pg_hba.conf entry")


class TransactionInProgress(psycopg.OperationalError):
    """The transaction whose outcome was asked for has not ended yet: ask again."""


@dataclass(frozen=True)
class SessionFailure:
    """An error that a session does not retry, or no longer retries.

    Attributes:
        error: as psycopg raised it.
        connected: False if the connection could not be opened.
        transient: True if the error may pass by itself, but the session ran out of patience.
    """

    error: psycopg.Error
    connected: bool
    transient: bool


def complete_dsn(dsn: str, **defaults: str) -> str:
    """Add timeouts and keepalives to a connection string that does not set its own.

    Args:
        dsn: libpq connection string.
        **defaults: further libpq parameters, or other values for the usual ones.
    """
    given = conninfo.conninfo_to_dict(dsn)
    added = {k: v for k, v in (_DEFAULTS | defaults).items() if k not in given}
    return conninfo.make_conninfo(dsn, **added)


def connector(dsn: str, **defaults: str) -> Callable[[], Connection]:
    """Return a function that opens an autocommit connection; see `complete_dsn`."""
    complete = complete_dsn(dsn, **defaults)

    def connect() -> Connection:
        # Without prepared statements: a pooler may give each transaction another server process.
        return psycopg.connect(
            complete, autocommit=True, prepare_threshold=None, row_factory=dict_row
        )

    return connect


def is_transient(error: psycopg.Error, connection: Connection | None) -> bool:
    """Whether the same statement may succeed on a new connection a little later.

    Args:
        error: what the statement, or opening the connection, raised.
        connection: the one in use; None if it could not be opened.
    """
    if isinstance(error, TransactionInProgress):
        return True
    if error.sqlstate is not None:
        return error.sqlstate in _TRANSIENT or error.sqlstate.startswith("08")
    if connection is None:
        return not any(words in str(error) for words in _PERMANENT_WORDS)
    return connection.closed or connection.broken


def is_lost(error: psycopg.Error, connection: Connection | None) -> bool:
    """Whether the connection could not be opened or broke; every other error is permanent."""
    return isinstance(error, psycopg.OperationalError) and (connection is None or connection.closed)


def backoff(longest: float = 5.0) -> Iterator[float]:
    """Yield the seconds to wait before each retry: doubling from 0.1 to `longest`, with jitter."""
    pause = 0.1
    while True:
        yield pause * random.uniform(0.5, 1.5)  # noqa: S311 - jitter is no secret
        pause = min(pause * 2, longest)


def check_idle(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Check, without a round trip, that the server has not closed an idle connection.

    Raises:
        psycopg.OperationalError: the server has closed it.
    """
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    while poll.poll(0):
        connection.pgconn.consume_input()


class Session:
    """A lazily opened autocommit connection of one thread, reopened when it breaks.

    Args:
        connect: opens a connection; see `connector`.
        settings: server parameters, set on every new connection (`application_name`, …).
        patience: seconds that one call may take to get through an outage; 0 to repeat nothing.
        tries: how often a statement is sent at most; None for no limit.
        longest_pause: seconds between two attempts.
        pause: waits between two attempts; a true result ends the retries, so that the `wait` of
            a `threading.Event` makes the session stoppable.
        retry_if: which errors are retried: `is_transient`, `is_lost` or the caller's own rule.
        translate: turns the final error into the exception to raise; None raises it as it is.
            The session adds neither cause nor context, because either may hold a secret.
        on_loss: called with the (translated) error once per outage, before the first retry.
        checks_idle: whether each use starts with `check_idle`.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        settings: Mapping[str, str] | None = None,
        patience: float = 60.0,
        tries: int | None = None,
        longest_pause: float = 5.0,
        pause: Callable[[float], object] = time.sleep,
        retry_if: Callable[[psycopg.Error, Connection | None], bool] = is_transient,
        translate: Callable[[SessionFailure], BaseException | None] = lambda _: None,
        on_loss: Callable[[BaseException], None] = lambda _: None,
        checks_idle: bool = False,
    ) -> None:
        self._open = connect
        self.settings = dict(settings or {})
        self.patience = patience
        self._tries = tries
        self._longest_pause = longest_pause
        self._pause = pause
        self._retry_if = retry_if
        self._translate = translate
        self._on_loss = on_loss
        self._checks_idle = checks_idle
        self._on_connect: list[Callable[[Connection], None]] = []
        self._connection: Connection | None = None
        self._cut: Connection | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection; False if the next use opens one."""
        return self._connection is not None and not self._connection.closed

    def on_connect(self, action: Callable[[Connection], None]) -> None:
        """Run `action` on the open connection and on every new one (LISTEN, for example)."""
        self._on_connect.append(action)
        if self.is_open:
            self.attempt(action)

    def connection(self) -> Connection:
        """Return the open connection, or open one; a failure is not retried."""
        if self._checks_idle and self._connection is not None and self.is_open:
            try:
                check_idle(self._connection)
            except psycopg.OperationalError:
                self.close()
        if self._connection is None or self._connection.closed:
            # Known before the first statement, so that another thread can cut it.
            self._connection = self._open()
            try:
                self._set(self._connection)
                for action in self._on_connect:
                    action(self._connection)
            except BaseException:
                self.close()
                raise
        return self._connection

    def connect(self) -> Connection:
        """Open a further connection with the session's settings, for the caller to close."""
        connection = self._open()
        try:
            self._set(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def rows(
        self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[dict[str, Any]]:
        """Execute one statement, through an outage if need be, and return its rows.

        An interrupted statement may run twice: use `transact` where that matters.
        """

        def work(connection: Connection) -> list[dict[str, Any]]:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

        return self.attempt(work)

    def call(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Do the same as `rows`, with the values as arguments."""
        return self.rows(query, values)

    def value(self, query: str, *values: Any) -> Any:
        """Return the single value of the single row; None if there is no row."""
        rows = self.rows(query, values)
        return next(iter(rows[0].values())) if rows else None

    def attempt(
        self,
        work: Callable[[Connection], T],
        *,
        patience: float | None = None,
        on_loss: Callable[[BaseException], None] | None = None,
    ) -> T:
        """Call `work`, again on a new connection while its error may pass by itself.

        Args:
            work: called with the connection; may be called more than once.
            patience: seconds, in place of the session's.
            on_loss: in place of the session's.

        Raises:
            BaseException: what `translate` makes of the final error.
        """
        patience = self.patience if patience is None else patience
        give_up_at: float | None = None
        for tried, pause in enumerate(backoff(self._longest_pause), 1):
            connection: Connection | None = None
            try:
                connection = self.connection()
                return work(connection)
            except psycopg.Error as error:
                transient = self._retry_if(error, connection)
                failure = SessionFailure(error, connection is not None, transient)
            # Outside of the except block: the translation must not carry the error as context.
            if not failure.transient:
                raise self._translated(failure)
            self.close()
            if give_up_at is None:
                give_up_at = time.monotonic() + patience
            if tried == self._tries or time.monotonic() + pause > give_up_at:
                raise self._translated(failure)
            if tried == 1:
                (on_loss or self._on_loss)(self._translated(failure))
            if self._pause(pause):
                raise self._translated(failure)
        raise AssertionError("backoff() never ends")

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Call `work` in one transaction that commits once, even if the commit got no reply."""
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

    def cut(self) -> bool:
        """Break the connection from another thread, so that a statement in progress fails.

        For a server that keeps the connection open but does not answer, which no keepalive shows.

        Returns:
            Whether there was a connection that had not been cut before.
        """
        connection = self._connection
        if connection is None or connection.closed or connection is self._cut:
            return False
        self._cut = connection
        try:
            with socket.socket(fileno=os.dup(connection.fileno())) as copy:
                copy.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg.Error):
            return False  # it has ended by itself
        return True

    def close(self) -> None:
        """Close the connection; the next use opens another. Closing twice is fine."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    def _set(self, connection: Connection) -> None:
        if self.settings:
            calls = ", ".join("set_config(%s, %s, false)" for _ in self.settings)
            values = [word for pair in self.settings.items() for word in pair]
            connection.execute(f"select {calls}".encode(), values)

    def _translated(self, failure: SessionFailure) -> BaseException:
        return self._translate(failure) or failure.error


def committed(connection: Connection, xact: str) -> bool:
    """Return whether a transaction committed.

    Args:
        connection: to the same server.
        xact: the transaction's id, as `pg_current_xact_id()` returned it.

    Raises:
        TransactionInProgress: it has not ended yet.
    """
    row = connection.execute("select pg_xact_status(%s::text::xid8) as status", [xact]).fetchone()
    status = row["status"] if row else None
    if status == "in progress":
        raise TransactionInProgress(f"transaction {xact} is still in progress")
    return bool(status == "committed")
