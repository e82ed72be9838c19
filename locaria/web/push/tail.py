"""Which log messages of a file have been sent: none twice, none never."""

from __future__ import annotations

from collections.abc import Iterable

OVERLAP_S = 5.0
"""Seconds for which a message with a lower number may still be committed after a higher one."""


class Tail:
    """The place in one file's log up to which watchers have it.

    Numbers are given before transactions commit, so a lower one may become visible later. For a
    while the numbers sent are remembered one by one; `after` stays below them, and what is found
    again is told from what is new.
    """

    def __init__(self, after: int) -> None:
        self.after = after
        self._sent: dict[int, float] = {}

    def take(self, numbers: Iterable[int], now: float) -> set[int]:
        """Those of `numbers` that have not been sent yet; they count as sent from now on."""
        fresh = {each for each in numbers if each > self.after and each not in self._sent}
        self._sent.update(dict.fromkeys(fresh, now))
        old = [each for each, since in self._sent.items() if now - since > OVERLAP_S]
        if old:
            self.after = max(self.after, *old)
            self._sent = {k: v for k, v in self._sent.items() if k > self.after}
        return fresh

    @property
    def last(self) -> int:
        """The greatest number sent."""
        return max(self._sent, default=self.after)

    def begin(self, numbers: list[int], now: float) -> None:
        """Take over from a client that has just been told these numbers, in order."""
        if numbers:
            self.after = max(self.after, numbers[max(0, len(numbers) - 20)] - 1)
        self.take(numbers, now)
