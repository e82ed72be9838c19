"""Calling `locaria.tick()`, which heals what went wrong, again and again."""

from __future__ import annotations

import logging
import threading
import time

import psycopg

from locaria.local.database import Database, StoppedError
from locaria.local.postgres import PostgresError, PostgresServer

log = logging.getLogger(__name__)
_SAY_AGAIN_S = 60.0


class Ticker:
    """Calls `locaria.tick()` on a connection of its own, and starts our server when it went down.

    Parameters
        dsn      as the owner of the schema.
        every_s  seconds from one call to the next.
        server   our own Postgres, looked after at the same pace; None for somebody else's.
    """

    def __init__(self, dsn: str, every_s: float, server: PostgresServer | None = None) -> None:
        self._every_s = every_s
        self._server = server
        self._stopping = threading.Event()
        self._database = Database(dsn, "tick", self._stopping)
        self._thread = threading.Thread(target=self._run, name="tick")
        self._keeper = threading.Thread(target=self._keep, name="postgres-keeper")
        self._said: dict[str, float] = {}

    def start(self) -> None:
        """Tick in the background."""
        self._thread.start()
        if self._server is not None:
            self._keeper.start()

    def stop(self) -> None:
        """Stop ticking; a tick under way is finished."""
        self._stopping.set()
        for thread in (self._thread, self._keeper):
            if thread.is_alive():
                thread.join()

    def _run(self) -> None:
        with self._database:
            while not self._stopping.wait(self._every_s):
                try:
                    self._database.run("select locaria.tick()")
                except StoppedError:
                    return
                except psycopg.Error as error:
                    self._say(f"tick failed: {error}")

    def _keep(self) -> None:
        while not self._stopping.wait(1.0):
            server = self._server
            if server is None or server.pid is not None:
                continue
            log.warning("Postgres is down: starting it")
            try:
                server.start()
            except (PostgresError, OSError) as error:
                self._say(str(error))

    def _say(self, message: str) -> None:
        """Log what goes on and on only now and then."""
        now = time.monotonic()
        if now - self._said.get(message, -_SAY_AGAIN_S) >= _SAY_AGAIN_S:
            self._said[message] = now
            log.error(message)
