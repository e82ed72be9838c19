"""Connections of the runtime to its database, which come back when the server does."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row

log = logging.getLogger(__name__)
STOP_S = 2.0  # for what is under way on the database when we are told to stop
_AGAIN_S = 0.2
_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
# A host or a network that vanished is noticed within half a minute, by us and by the server:
# what this session locks must not stay locked for the two hours of the system's own keepalive.
_NOTICE_LOSS = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
_NOTICE_OURS = """
    select set_config('tcp_keepalives_idle', '10', false),
           set_config('tcp_keepalives_interval', '5', false),
           set_config('tcp_keepalives_count', '3', false),
           set_config('tcp_user_timeout', '25000', false)
"""


class StoppedError(Exception):
    """The runtime is stopping: what was asked for was not done."""


class Database:
    """One autocommit connection for one thread, opened when needed, reopened when it was cut.

    Parameters
        dsn       where to connect.
        name      shown as application_name in pg_stat_activity.
        stopping  set by the owner to end all waiting.
        session   the whole application_name, where it isn't made of the name.
    """

    def __init__(
        self, dsn: str, name: str, stopping: threading.Event, *, session: str | None = None
    ) -> None:
        self._dsn = make_conninfo(dsn, **(_NOTICE_LOSS | conninfo_to_dict(dsn)))
        self._name = name or session or ""
        self._session = session or f"locaria {name}"
        self._stopping = stopping
        self._connection: psycopg.Connection[DictRow] | None = None
        self._cut: psycopg.Connection[DictRow] | None = None

    def connection(self) -> psycopg.Connection[DictRow]:
        """The open connection; waits for the server to be there. Raises StoppedError."""
        attempt = 0
        while self._connection is None or self._connection.closed:
            try:
                self._connection = psycopg.connect(
                    self._dsn,
                    autocommit=True,
                    row_factory=dict_row,
                    connect_timeout=5,
                    application_name=self._session,
                )
                self._connection.execute(_NOTICE_OURS)
            except psycopg.OperationalError as error:
                if attempt == 0:
                    log.warning("%s: can't connect, trying on: %s", self._name, error)
                if self._stopping.wait(_BACKOFF_S[min(attempt, len(_BACKOFF_S) - 1)]):
                    raise StoppedError(str(error)) from error
                attempt += 1
        return self._connection

    def run(
        self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[dict[str, Any]]:
        """Run one statement and return its rows; again, when the connection broke meanwhile.

        A statement may so be done twice: use it for those that may. Raises StoppedError.
        """
        while True:
            try:
                cursor = self.connection().execute(query.encode(), values)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError as error:
                if not self.lost():
                    raise
                if self._stopping.is_set():
                    raise StoppedError(str(error)) from error
                log.warning("%s: lost the connection: %s", self._name, error)

    def lost(self) -> bool:
        """Whether the connection is broken and the next use opens another."""
        return self._connection is None or self._connection.closed

    def cut(self) -> None:
        """Break the connection, from another thread: a statement that waits for its answer fails.

        For a server that holds the connection and does not answer, which no keepalive tells of.
        """
        connection = self._connection
        if connection is None or connection.closed or connection is self._cut:
            return
        self._cut = connection
        try:
            with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg.Error):
            return  # it has ended by itself
        log.warning("%s: the database does not answer, and is not waited for", self._name)

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Limit the time of what the block asks: then the connection is cut."""
        over = threading.Event()

        def limit() -> None:
            pause_s = seconds
            while not over.wait(pause_s):
                self.cut()
                pause_s = _AGAIN_S

        watch = threading.Thread(target=limit, name=f"limit of {self._name}")
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join()

    def close(self) -> None:
        """Close the connection; a later use opens it again."""
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def join(users: Mapping[threading.Thread, Database]) -> None:
    """Wait for threads that were told to stop; a connection on which one hangs is cut in the end.

    Opening a connection has its own limit, so this one ends, whatever the server does.
    """
    give_up = time.monotonic() + STOP_S
    started = {thread: database for thread, database in users.items() if thread.ident is not None}
    for thread in started:
        thread.join(max(0.0, give_up - time.monotonic()))
    while living := [thread for thread in started if thread.is_alive()]:
        for thread in living:
            started[thread].cut()
        living[0].join(_AGAIN_S)
