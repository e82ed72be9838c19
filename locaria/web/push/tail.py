"""The position in a file's log up to which its messages have been sent, each exactly once."""

from __future__ import annotations

from collections.abc import Iterable

OVERLAP_S = 5.0
"""Seconds within which a message may be committed after one with a higher id."""


class Tail:
    """The position in one file's log that its watchers have reached.

    Ids are assigned before transactions commit, so a lower id may become visible after a higher
    one. Therefore the ids sent recently are kept one by one; `after` stays below them, and messages
    that are read again are recognized.
    """

    def __init__(self, after: int) -> None:
        self.after = after
        self._sent: dict[int, float] = {}

    def take(self, ids: Iterable[int], now: float) -> set[int]:
        """Return those of `ids` that have not been sent yet, and count them as sent."""
        fresh = {each for each in ids if each > self.after and each not in self._sent}
        self._sent.update(dict.fromkeys(fresh, now))
        old = [each for each, since in self._sent.items() if now - since > OVERLAP_S]
        if old:
            self.after = max(self.after, *old)
            self._sent = {k: v for k, v in self._sent.items() if k > self.after}
        return fresh

    @property
    def last(self) -> int:
        """The highest id sent."""
        return max(self._sent, default=self.after)

    def begin(self, ids: list[int], now: float) -> None:
        """Continue from a client that has just received these ids, in order."""
        if ids:
            self.after = max(self.after, ids[max(0, len(ids) - 20)] - 1)
        self.take(ids, now)
