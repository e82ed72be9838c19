"""The hub of all subscriptions.

One asyncio task does all the work, in rounds. In each round, one statement per role reads the files
that have changed and the files that clients have just subscribed to. Therefore no change is lost
between the first state that a client gets and its first event.
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
from locaria.web.push.watchers import Event, Subscriber, Watchers, log_ids, with_log_messages

log = logging.getLogger(__name__)

INTERVAL_S = 0.1
"""The minimum time between two rounds: changes within it are sent together."""
MAX_FILES = 500
"""The maximum number of files per statement."""
MAX_CHANGED = 5_000
READY_S = 5.0
LINGER_S = 5.0
CHANGE_LOG_LIMIT = 100
"""The maximum number of log messages that `get_changes` returns for a file."""
_LOG = "select locaria.read_log(%s, %s, %s)"
_CHANGES = """
select change from unnest(%s::bigint[], %s::bigint[]) as asked(file, after_log),
  lateral locaria.get_changes(array[asked.file], asked.after_log) as change
"""


@dataclass(eq=False, slots=True)
class _Join:
    """A subscription that waits for its first state, which the next round sends."""

    subscriber: Subscriber
    file: int | None
    after: int
    reply: str | None
    done: asyncio.Future[bool]


class Hub:
    """The subscriptions of all connections of this server.

    Args:
        database: Reads the state of files.
        listener_dsn: See `ChangeListener`.
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
        self._last_used = 0.0  # when there was last a subscription

    @property
    def subscriptions(self) -> int:
        """The number of subscriptions; one to all files counts as one."""
        return sum(
            len(group.everything) + sum(map(len, group.files.values()))
            for group in self._groups.values()
        )

    async def subscribe(
        self, subscriber: Subscriber, file: int | None, after: int, reply: str
    ) -> bool:
        """Send `reply`, then the file's state with log messages after `after`, then every change.

        Args:
            subscriber: The connection that subscribes.
            file: The file; None: all files, whose state is not sent.
            after: The id of the last log message that the client has; 0: none.
            reply: The reply to the request.

        Returns:
            False if the file does not exist; then nothing is sent.

        Raises:
            RefusedError: The database can't be reached at the moment (503).
        """
        return await self._join(subscriber, file, after, reply)

    def unsubscribe(self, subscriber: Subscriber, file: int | None) -> None:
        """Stop sending the changes of a file; without a file, of all files."""
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
        """Send the state and the new log of each file whose events a subscriber missed."""
        missed = dict(subscriber.outbox.missed)
        results = await asyncio.gather(
            *(self._join(subscriber, file, after, None) for file, after in missed.items()),
            return_exceptions=True,
        )
        for file, found in zip(missed, results, strict=True):
            if isinstance(found, RefusedError):
                subscriber.outbox.miss(
                    file, missed[file]
                )  # wakes the subscriber for another attempt
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

    # -- callbacks of the listener ---------------------------------------------------------------

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
        """Run rounds while there are subscribers."""
        while True:
            self._listener.start()
            while await self._is_woken():
                self._wake.clear()
                try:
                    await self._round()
                except RefusedError as error:
                    log.warning("can't read changes, retrying: %s", error)
                    await asyncio.sleep(0.5)
                except Exception:  # one failure must not end the subscriptions of all clients
                    log.exception("can't send changed files, asking clients to reload")
                    self._send_resync()
                    await asyncio.sleep(1)
                else:
                    await asyncio.sleep(INTERVAL_S)
            await self._listener.stop()
            self._groups.clear()
            if not self._joins:
                return

    async def _is_woken(self) -> bool:
        """Wait for work; return False after `LINGER_S` seconds without any subscription."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LINGER_S)
            if self.subscriptions or self._joins:
                self._last_used = time.monotonic()
                if self._wake.is_set():
                    return True
            elif time.monotonic() - self._last_used >= LINGER_S:
                return False
            else:  # without subscriptions, changes are of no interest
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
                self._send_resync()
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
            raise RefusedError(
                503, "no connection to the database for notifications: try again later"
            ) from None

    def _send_resync(self) -> None:
        for group in self._groups.values():
            for subscriber in group.everything:
                subscriber.outbox.resync()

    async def _ask(self, role: str, group: Watchers, changed: set[int], joins: list[_Join]) -> None:
        """Read changed and newly subscribed files, and send them to their subscribers."""
        since = {file: group.after(file) for file in changed}  # send all log messages after it
        asked = dict(since)
        for file, after in ((each.file, each.after) for each in joins if each.file is not None):
            known = max(after - 1, 0)  # includes the last known message: see _admit
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
        """Add log messages after `after` that `get_changes` omits, since it returns the newest."""
        newest = event["attributes"]["log_messages"]
        if len(newest) < CHANGE_LOG_LIMIT or newest[0]["id"] <= after:
            return
        found: list[Event] = []
        while True:
            last = found[-1]["id"] if found else after
            rows = await self._database.rows(
                role, _LOG, [event["container_id"], last, newest[0]["id"]]
            )
            if not rows[0][0]:
                break
            found += rows[0][0]
        event["attributes"]["log_messages"] = found + newest

    def _admit(self, group: Watchers, join: _Join, events: dict[int, Event], now: float) -> None:
        if join.done.done():  # its connection has closed
            return
        outbox = join.subscriber.outbox
        if join.file is None:
            group.add(join.subscriber, None)
            outbox.put(join.reply or "")
        elif join.file in events:
            event, ids = events[join.file], log_ids(events[join.file])
            if join.after and join.after not in ids and not group.is_watched(join.file):
                join.after = 0  # no message of this file: others must not continue from there
                self._joins.append(join)
                self._wake.set()
                return
            group.begin(join.file, join.after, ids, now)
            state = json.dumps(
                with_log_messages(event, {each for each in ids if each > join.after})
            )
            if join.reply is not None:
                outbox.put(join.reply)
                group.add(join.subscriber, join.file)
            outbox.catch_up(state, join.file, join.after)
        join.done.set_result(join.file is None or join.file in events)


def _fail(joins: Iterable[_Join]) -> None:
    """Refuse the subscriptions that a failed round has left without an answer."""
    for join in joins:
        if not join.done.done():
            join.done.set_exception(
                RefusedError(503, "can't read the state from the database: try again")
            )


def _parts(files: list[int], size: int) -> Iterable[list[int]]:
    return (files[start : start + size] for start in range(0, len(files), size))
