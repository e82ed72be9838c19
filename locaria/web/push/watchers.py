"""Who watches what, among the clients of one role."""

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
    """One connection that may watch files."""

    role: str
    outbox: Outbox
    files: set[int] = field(default_factory=set)
    everything: bool = False

    @property
    def is_idle(self) -> bool:
        """Whether it watches nothing."""
        return not self.everything and not self.files


class Watchers:
    """The subscribers of one role: each event is made once for all of them.

    Parameters
        log_position  log messages up to this number were there before anybody watched.
    """

    def __init__(self, log_position: int) -> None:
        self.files: dict[int, set[Subscriber]] = {}
        self.everything: set[Subscriber] = set()
        self._tails: OrderedDict[int, Tail] = OrderedDict()
        self._log_position = log_position

    def is_watched(self, file: int) -> bool:
        """Whether an event of this file has a taker."""
        return bool(self.everything) or file in self.files

    def add(self, subscriber: Subscriber, file: int | None) -> None:
        """Let a subscriber have the events of a file, or of all."""
        if file is None:
            subscriber.everything = True
            self.everything.add(subscriber)
        else:
            subscriber.files.add(file)
            self.files.setdefault(file, set()).add(subscriber)

    def remove(self, subscriber: Subscriber, file: int | None) -> None:
        """The opposite of `add`."""
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
        """The number of the log message after which to look for new ones."""
        return self._tails[file].after if file in self._tails else self._log_position

    def push(self, file: int, event: Event, now: float, *, changed: bool) -> None:
        """Send an event to whoever watches the file: all of its state, only new log messages.

        Nothing is sent where the file has neither changed nor new messages.
        """
        takers = self.files.get(file, set()) | self.everything
        if not takers:
            return
        tail = self._tail(file)
        known = tail.last
        fresh = tail.take(numbers_of(event), now)
        if changed or fresh:
            text, after = (
                json.dumps(only(event, fresh)),
                min([known, *(each - 1 for each in fresh)]),
            )
            for taker in takers:
                taker.outbox.push(text, file, after)

    def begin(self, file: int, after: int, numbers: list[int], now: float) -> None:
        """Remember how far the first watcher of a file has been told its log."""
        if not self.is_watched(file):
            self._tails[file] = tail = Tail(after)
            tail.begin(numbers, now)

    def _tail(self, file: int) -> Tail:
        tail = self._tails.get(file)
        if tail is None:
            tail = self._tails[file] = Tail(self._log_position)
            for old in list(self._tails)[: max(0, len(self._tails) - MAX_TAILS)]:
                if old not in self.files:
                    del self._tails[old]
        self._tails.move_to_end(file)
        return tail


def numbers_of(event: Event) -> list[int]:
    """The numbers of an event's log messages, in order."""
    return [each["id"] for each in event["attributes"].get("log_messages", [])]


def only(event: Event, numbers: Collection[int]) -> Event:
    """The event with these of its log messages alone."""
    attributes = event["attributes"]
    kept = [each for each in attributes.get("log_messages", []) if each["id"] in numbers]
    return {**event, "attributes": {**attributes, "log_messages": kept}}
