"""Connections of the runtime to its database, which reconnect until the runtime stops."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.rows import DictRow

from locaria_reporter.session import Session, SessionFailure, connector, is_lost

log = logging.getLogger(__name__)
STOP_S = 2.0  # how long statements in progress may take once the runtime stops
_CUT_AGAIN_S = 0.2
# The server, too, notices within half a minute that this host vanished: what this session locks
# must not stay locked for the two hours of the system's own keepalive.
_SERVER_KEEPALIVES = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",
}


class StoppedError(Exception):
    """The runtime is stopping, so the statement was not executed."""


class Database:
    """A connection of one thread that waits for the server until the runtime stops.

    Args:
        dsn: libpq connection string.
        name: shown in the log and, after "locaria", as application_name in pg_stat_activity.
        stopping: set by the owner to end all waiting.
        session: the whole application_name, if it isn't made of the name.
    """

    def __init__(
        self, dsn: str, name: str, stopping: threading.Event, *, session: str | None = None
    ) -> None:
        self._name = name or session or ""
        application = session or f"locaria {name}"
        self._session = Session(
            connector(dsn, connect_timeout="5"),
            settings={"application_name": application, **_SERVER_KEEPALIVES},
            patience=float("inf"),
            longest_pause=2.0,
            pause=stopping.wait,
            retry_if=is_lost,
            translate=_stopped,
            on_loss=lambda error: log.warning(
                "%s: no connection to the database, retrying: %s", self._name, error
            ),
        )

    def connection(self) -> psycopg.Connection[DictRow]:
        """Return the open connection; wait for the server if there is none.

        Raises:
            StoppedError: the runtime stops.
        """
        return self._session.attempt(lambda connection: connection)

    def run(
        self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[dict[str, Any]]:
        """Execute one statement and return its rows; repeat it if the connection breaks.

        A statement may therefore run twice: use this only where that does no harm.

        Raises:
            StoppedError: the runtime stops.
        """
        return self._session.rows(query, values)

    def lost(self) -> bool:
        """Whether the connection is broken and the next use opens another."""
        return not self._session.is_open

    def cut(self) -> None:
        """Break the connection from another thread, so that a statement in progress fails."""
        if self._session.cut():
            log.warning("%s: the database does not answer; not waiting for it", self._name)

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Limit how long the block may wait for the database; after that, cut the connection."""
        over = threading.Event()

        def limit() -> None:
            pause_s = seconds
            while not over.wait(pause_s):
                self.cut()
                pause_s = _CUT_AGAIN_S

        watch = threading.Thread(target=limit, name=f"limit of {self._name}")
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join()

    def close(self) -> None:
        """Close the connection; a later use opens it again."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _stopped(failure: SessionFailure) -> BaseException | None:
    """Patience is endless here, so only a stop ends the retries of a lost connection."""
    return StoppedError(str(failure.error)) if failure.transient else None


def join(users: Mapping[threading.Thread, Database]) -> None:
    """Wait for threads that are stopping, and cut the connection of each that hangs on it.

    Opening a connection has a limit of its own, so this ends, whatever the server does.
    """
    give_up = time.monotonic() + STOP_S
    started = {thread: database for thread, database in users.items() if thread.ident is not None}
    for thread in started:
        thread.join(max(0.0, give_up - time.monotonic()))
    while living := [thread for thread in started if thread.is_alive()]:
        for thread in living:
            started[thread].cut()
        living[0].join(_CUT_AGAIN_S)
