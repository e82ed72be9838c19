"""The LISTEN connection of the server: open while there are subscriptions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from locaria_reporter.session import backoff, complete_dsn

log = logging.getLogger(__name__)

WATCH_S = 60
"""Seconds for which the database sends notifications after each renewal."""
RENEW_S = 20.0
_LONGEST_PAUSE_S = 2.0
# Only transactions that start later are sure to notify. One that was already open may have found no
# watcher, so all files are read again when it has ended: when the oldest open transaction is newer.
_WATCH = """
select locaria.watch_changes(make_interval(secs => %s)), pg_current_xact_id()::text,
  locaria.get_log_position()
"""
_SETTLED = "select pg_snapshot_xmin(pg_current_snapshot()) > %s::xid8"

_Connection = psycopg.AsyncConnection[TupleRow]


class ChangeListener:
    """Reports which files change, and reconnects when the connection breaks.

    Args:
        dsn: The DSN of a member of locaria_reader. LISTEN needs a direct connection, not a pooler
            in transaction mode.
        on_change: Called with the file ids of a notification; None for "many".
        on_gap: Called when notifications may have been lost, so that all files must be read again.
    """

    def __init__(
        self,
        dsn: str,
        on_change: Callable[[list[int] | None], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._dsn = dsn
        self._on_change = on_change
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()
        self.log_position = 0

    def start(self) -> None:
        """Start listening; `ready` is set once no change can be missed."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="listen")

    async def stop(self) -> None:
        """Stop listening; the database stops sending notifications within a minute."""
        task, self._task = self._task, None
        self.ready.clear()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        pauses = backoff(_LONGEST_PAUSE_S)
        failing = False
        while True:
            try:
                async with await self._connect() as connection:
                    pauses, failing = backoff(_LONGEST_PAUSE_S), False
                    await self._listen(connection)
            except psycopg.Error as error:
                if not failing:
                    log.warning("can't listen for changes, retrying: %s", error)
                failing = True
                self.ready.clear()
                await asyncio.sleep(next(pauses))

    async def _connect(self) -> _Connection:
        connection = await psycopg.AsyncConnection.connect(
            complete_dsn(self._dsn, connect_timeout="5"),
            autocommit=True,
            application_name="locaria web listen",
        )
        await connection.execute("set role locaria_reader")
        await connection.execute(sql.SQL("listen {}").format(sql.Identifier("locaria_changes")))
        return connection

    async def _listen(self, connection: _Connection) -> None:
        watched_by, self.log_position = await self._watch(connection)
        renewed = time.monotonic()
        settled = await self._is_settled(connection, watched_by)
        self._on_gap()
        self.ready.set()
        while True:
            pause = 1.0 if not settled else renewed + RENEW_S - time.monotonic()
            async for notice in connection.notifies(timeout=max(0.0, pause)):
                self._take(notice.payload)
            if not settled:
                settled = await self._is_settled(connection, watched_by)
                if settled:
                    self._on_gap()
            if time.monotonic() - renewed >= RENEW_S:
                await self._watch(connection)
                if time.monotonic() - renewed > WATCH_S:
                    self._on_gap()
                renewed = time.monotonic()

    async def _watch(self, connection: _Connection) -> tuple[str, int]:
        row = await (await connection.execute(_WATCH, [WATCH_S])).fetchone()
        assert row is not None
        return row[1], row[2]

    async def _is_settled(self, connection: _Connection, xact: str) -> bool:
        row = await (await connection.execute(_SETTLED, [xact])).fetchone()
        assert row is not None
        return bool(row[0])

    def _take(self, payload: str) -> None:
        if payload == "many":
            self._on_change(None)
        else:
            self._on_change([int(each) for each in payload.split(",") if each.isdecimal()])
