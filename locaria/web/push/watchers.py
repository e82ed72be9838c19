"""The subscriptions of the clients of one role."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from locaria.web.push.outbox import Outbox
from locaria.web.push.tail import Tail

MAX_TAILS = 5_000
Event = dict[str, Any]


@dataclass(eq=False, slots=True)
class Subscriber:
    """One connection and the files that it watches."""

    role: str
    outbox: Outbox
    files: set[int] = field(default_factory=set)
    everything: bool = False

    @property
    def is_idle(self) -> bool:
        """Whether it watches no file."""
        return not self.everything and not self.files


class Watchers:
    """The subscribers of one role; each event is built once for all of them.

    Args:
        log_position: The id of the last log message before the first subscription.
    """

    def __init__(self, log_position: int) -> None:
        self.files: dict[int, set[Subscriber]] = {}
        self.everything: set[Subscriber] = set()
        self._tails: OrderedDict[int, Tail] = OrderedDict()
        self._log_position = log_position

    def is_watched(self, file: int) -> bool:
        """Return whether any subscriber watches this file."""
        return bool(self.everything) or file in self.files

    def add(self, subscriber: Subscriber, file: int | None) -> None:
        """Subscribe to the events of a file, or of all files."""
        if file is None:
            subscriber.everything = True
            self.everything.add(subscriber)
        else:
            subscriber.files.add(file)
            self.files.setdefault(file, set()).add(subscriber)

    def remove(self, subscriber: Subscriber, file: int | None) -> None:
        """Undo `add`."""
        if file is None:
            subscriber.everything = False
            self.everything.discard(subscriber)
            return
        subscriber.files.discard(file)
        left = self.files.get(file, set())
        left.discard(subscriber)
        if not left:
            self.files.pop(file, None)
            if not self.everything:
                self._tails.pop(file, None)

    def after(self, file: int) -> int:
        """Return the id of the log message after which to look for new ones."""
        return self._tails[file].after if file in self._tails else self._log_position

    def push(self, file: int, event: Event, now: float, *, changed: bool) -> None:
        """Send the state of a file with its new log messages to its watchers.

        Nothing is sent if the file has neither changed nor new messages.
        """
        takers = self.files.get(file, set()) | self.everything
        if not takers:
            return
        tail = self._tail(file)
        known = tail.last
        fresh = tail.take(log_ids(event), now)
        if changed or fresh:
            text, after = (
                json.dumps(with_log_messages(event, fresh)),
                min([known, *(each - 1 for each in fresh)]),
            )
            for taker in takers:
                taker.outbox.push(text, file, after)

    def begin(self, file: int, after: int, ids: list[int], now: float) -> None:
        """Record how much of a file's log its first watcher has received."""
        if not self.is_watched(file):
            self._tails[file] = tail = Tail(after)
            tail.begin(ids, now)

    def _tail(self, file: int) -> Tail:
        tail = self._tails.get(file)
        if tail is None:
            tail = self._tails[file] = Tail(self._log_position)
            for old in list(self._tails)[: max(0, len(self._tails) - MAX_TAILS)]:
                if old not in self.files:
                    del self._tails[old]
        self._tails.move_to_end(file)
        return tail


def log_ids(event: Event) -> list[int]:
    """Return the ids of an event's log messages, in order."""
    return [each["id"] for each in event["attributes"].get("log_messages", [])]


def with_log_messages(event: Event, ids: Collection[int]) -> Event:
    """Return the event with only those of its log messages that have one of these ids."""
    attributes = event["attributes"]
    kept = [each for each in attributes.get("log_messages", []) if each["id"] in ids]
    return {**event, "attributes": {**attributes, "log_messages": kept}}
