"""Subscriptions: from one LISTEN connection to any number of clients.

All is done in one task, in rounds: who wants to be told the state of a file, and which files have
changed, are asked of the database together, in one statement a role. So nothing can change between
a client's first picture and its first event.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from locaria.web.database import ApiDatabase
from locaria.web.messages import RefusedError
from locaria.web.push.listener import ChangeListener
from locaria.web.push.watchers import Event, Subscriber, Watchers, numbers_of, only

log = logging.getLogger(__name__)

INTERVAL_S = 0.1
"""The least time between two rounds: changes within it are told together."""
MAX_FILES = 500
"""Files asked for in one statement."""
MAX_CHANGED = 5_000
READY_S = 5.0
LINGER_S = 5.0
TOLD = 100
"""Log messages that `get_changes` tells at most."""
_LOG = "select locaria.read_log(%s, %s, %s)"
_CHANGES = """
select change from unnest(%s::bigint[], %s::bigint[]) as asked(file, after_log),
  lateral locaria.get_changes(array[asked.file], asked.after_log) as change
"""


@dataclass(eq=False, slots=True)
class _Join:
    """Somebody who is to be told the state of a file, and every change from then on."""

    subscriber: Subscriber
    file: int | None
    after: int
    reply: str | None
    done: asyncio.Future[bool]


class Hub:
    """The subscriptions of all connections of this server.

    Parameters
        database  for the state of files.
        listener_dsn  see `ChangeListener`.
    """

    def __init__(self, database: ApiDatabase, listener_dsn: str) -> None:
        self._database = database
        self._listener = ChangeListener(listener_dsn, self._on_change, self._on_gap)
        self._groups: dict[str, Watchers] = {}
        self._joins: list[_Join] = []
        self._changed: set[int] = set()
        self._many = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._needed = 0.0  # when there was a subscription last

    @property
    def subscriptions(self) -> int:
        """How many files or "all" are watched by somebody, for the metrics."""
        return sum(
            len(group.everything) + sum(map(len, group.files.values()))
            for group in self._groups.values()
        )

    async def subscribe(
        self, subscriber: Subscriber, file: int | None, after: int, reply: str
    ) -> bool:
        """Send `reply`, then the file's state with log messages after `after`, then every change.

        Without a file: `reply`, then the changes of all files. False, and nothing is sent, when
        there is no such file.

        Raises:
            RefusedError: the database can't be reached just now (503).
        """
        return await self._join(subscriber, file, after, reply)

    def unsubscribe(self, subscriber: Subscriber, file: int | None) -> None:
        """Stop sending changes of a file; without a file: of all files subscribed to so far."""
        group = self._groups.get(subscriber.role)
        if group is None:
            return
        if file is not None:
            group.remove(subscriber, file)
            return
        for each in list(subscriber.files):
            group.remove(subscriber, each)
        group.remove(subscriber, None)

    async def catch_up(self, subscriber: Subscriber) -> None:
        """Send the state of files of which a subscriber missed events, and the log since then."""
        missed = dict(subscriber.outbox.missed)
        told = await asyncio.gather(
            *(self._join(subscriber, file, after, None) for file, after in missed.items()),
            return_exceptions=True,
        )
        for file, found in zip(missed, told, strict=True):
            if isinstance(found, RefusedError):
                subscriber.outbox.miss(file, missed[file])  # which wakes it for another try
            elif found is False:
                subscriber.outbox.missed.pop(file, None)

    async def stop(self) -> None:
        """Stop listening and sending."""
        await self._listener.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _join(
        self, subscriber: Subscriber, file: int | None, after: int, reply: str | None
    ) -> bool:
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._joins.append(_Join(subscriber, file, after, reply, done))
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="hub")
        return await done

    # -- what the listener tells -----------------------------------------------------------------

    def _on_change(self, files: list[int] | None) -> None:
        if files is None or len(self._changed) > MAX_CHANGED:
            self._many = True
        else:
            self._changed.update(files)
        self._wake.set()

    def _on_gap(self) -> None:
        if self._groups:
            self._on_change(None)

    # -- rounds ----------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Rounds, for as long as there are subscribers."""
        while True:
            self._listener.start()
            while await self._is_woken():
                self._wake.clear()
                try:
                    await self._round()
                except RefusedError as error:
                    log.warning("changes can't be looked up: %s", error)
                    await asyncio.sleep(0.5)
                except Exception:  # told by the log; others are not left without a word for it
                    log.exception("a round of changes failed")
                    self._tell_many()
                    await asyncio.sleep(1)
                else:
                    await asyncio.sleep(INTERVAL_S)
            await self._listener.stop()
            self._groups.clear()
            if not self._joins:
                return

    async def _is_woken(self) -> bool:
        """Wait for something to do; False when nobody has watched anything for a while."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LINGER_S)
            if self.subscriptions or self._joins:
                self._needed = time.monotonic()
                if self._wake.is_set():
                    return True
            elif time.monotonic() - self._needed >= LINGER_S:
                return False
            else:  # what changes while nobody watches is nobody's business
                self._wake.clear()
                self._changed.clear()

    async def _round(self) -> None:
        joins, self._joins = self._joins, []
        joins = [each for each in joins if not each.done.done()]
        changed, many = self._changed, self._many
        self._changed, self._many = set(), False
        try:
            await self._await_ready()
            if many:
                self._tell_many()
            for role in {*self._groups, *(each.subscriber.role for each in joins)}:
                group = self._groups.setdefault(role, Watchers(self._listener.log_position))
                asked = set(group.files) | changed if many else changed
                mine = [each for each in joins if each.subscriber.role == role]
                await self._ask(role, group, {x for x in asked if group.is_watched(x)}, mine)
        except RefusedError:
            self._changed |= changed
            self._many |= many
            self._wake.set()
            raise
        finally:
            _fail(each for each in joins if each not in self._joins)

    async def _await_ready(self) -> None:
        try:
            await asyncio.wait_for(self._listener.ready.wait(), READY_S)
        except TimeoutError:
            raise RefusedError(503, "no connection to the database to listen on") from None

    def _tell_many(self) -> None:
        for group in self._groups.values():
            for subscriber in group.everything:
                subscriber.outbox.resync()

    async def _ask(self, role: str, group: Watchers, changed: set[int], joins: list[_Join]) -> None:
        """Ask for changed files and for those that somebody joins, and tell everybody."""
        since = {file: group.after(file) for file in changed}  # all log messages from there on
        asked = dict(since)
        for file, after in ((each.file, each.after) for each in joins if each.file is not None):
            known = max(after - 1, 0)  # the last one known, too: see _admit
            asked[file] = min(known, asked.get(file, known))
            if after:
                since[file] = min(known, since.get(file, known))
            elif group.is_watched(file):
                since.setdefault(file, group.after(file))
        events: dict[int, Event] = {}
        for some in _parts(sorted(asked), MAX_FILES):
            values = [some, [asked[file] for file in some]]
            for (event,) in await self._database.rows(role, _CHANGES, values):
                file = event["container_id"]
                if file in since:
                    await self._complete(role, event, since[file])
                events[file] = event
        now = time.monotonic()
        for file, event in events.items():
            group.push(file, event, now, changed=file in changed)
        for join in joins:
            self._admit(group, join, events, now)

    async def _complete(self, role: str, event: Event, after: int) -> None:
        """Put in log messages since `after` that `get_changes`, telling the newest, left out."""
        told = event["attributes"]["log_messages"]
        if len(told) < TOLD or told[0]["id"] <= after:
            return
        found: list[Event] = []
        while True:
            last = found[-1]["id"] if found else after
            rows = await self._database.rows(
                role, _LOG, [event["container_id"], last, told[0]["id"]]
            )
            if not rows[0][0]:
                break
            found += rows[0][0]
        event["attributes"]["log_messages"] = found + told

    def _admit(self, group: Watchers, join: _Join, events: dict[int, Event], now: float) -> None:
        if join.done.done():  # its connection has gone
            return
        outbox = join.subscriber.outbox
        if join.file is None:
            group.add(join.subscriber, None)
            outbox.put(join.reply or "")
        elif join.file in events:
            event, numbers = events[join.file], numbers_of(events[join.file])
            if join.after and join.after not in numbers and not group.is_watched(join.file):
                join.after = 0  # not a message of this file: nobody else may go on from there
                self._joins.append(join)
                self._wake.set()
                return
            group.begin(join.file, join.after, numbers, now)
            state = json.dumps(only(event, {each for each in numbers if each > join.after}))
            if join.reply is not None:
                outbox.put(join.reply)
                group.add(join.subscriber, join.file)
            outbox.catch_up(state, join.file, join.after)
        join.done.set_result(join.file is None or join.file in events)


def _fail(joins: Iterable[_Join]) -> None:
    """Answer those whom a round has left without an answer, because it failed."""
    for join in joins:
        if not join.done.done():
            join.done.set_exception(RefusedError(503, "the database can't tell the state just now"))


def _parts(files: list[int], size: int) -> Iterable[list[int]]:
    return (files[start : start + size] for start in range(0, len(files), size))
