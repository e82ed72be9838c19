"""Calling `locaria.tick()`, which heals what went wrong, again and again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import psycopg

from locaria.local.database import Database, StoppedError, join
from locaria.local.postgres.server import PostgresError, PostgresServer

log = logging.getLogger(__name__)
_SAY_AGAIN_S = 60.0
_LISTENERS = """
    select r.container, min(p.endpoint) as endpoint
    from locaria.files f
    join locaria.runs r on r.id = f.claimed_by
    join locaria.run_progress p on p.run_id = r.id
    where f.claimed_by is not null and p.endpoint is not null
    group by r.container order by r.container
"""


class Ticker:
    """Calls `locaria.tick()` on a connection of its own, and starts our server when it went down.

    Parameters
        dsn      as the owner of the schema.
        every_s  seconds from one call to the next.
        server   our own Postgres, looked after at the same pace; None for somebody else's.
        tell     called with the endpoint of each listening container when they have changed.
    """

    def __init__(
        self,
        dsn: str,
        every_s: float,
        server: PostgresServer | None = None,
        tell: Callable[[dict[str, str]], None] | None = None,
    ) -> None:
        self._every_s = every_s
        self._server = server
        self._stopping = threading.Event()
        self._database = Database(dsn, "tick", self._stopping)
        self._thread = threading.Thread(target=self._run, name="tick")
        self._keeper = threading.Thread(target=self._keep, name="postgres-keeper")
        self._said: dict[str, float] = {}
        self._tell = tell
        self._listeners: dict[str, str] = {}

    def start(self) -> None:
        """Tick in the background."""
        self._thread.start()
        if self._server is not None:
            self._keeper.start()

    def stop(self) -> None:
        """Stop ticking; a tick under way is finished, unless the database does not answer."""
        self._stopping.set()
        join({self._thread: self._database})
        if self._keeper.is_alive():
            self._keeper.join()

    def _run(self) -> None:
        with self._database:
            while not self._stopping.wait(self._every_s):
                try:
                    self._database.run("select locaria.tick()")
                    self._look_for_listeners()
                except StoppedError:
                    return
                except psycopg.Error as error:
                    self._say(f"tick failed: {error}")

    def _look_for_listeners(self) -> None:
        if self._tell is None:
            return
        found = {row["container"]: row["endpoint"] for row in self._database.run(_LISTENERS)}
        if found != self._listeners:
            self._listeners = found
            self._tell(found)

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
