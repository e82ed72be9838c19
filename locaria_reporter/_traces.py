"""One line of log for each command, as long as they are few."""

from __future__ import annotations

import logging
import time

_EVERY = 10.0
_LINES = 20


class Traces:
    """Logs what was done; of many in a short time the first, and how many more there were.

    Args:
        log: where to.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._window_ends = float("-inf")
        self._lines = 0
        self._more = 0
        self._more_failed = 0

    def add(self, line: str, *, failed: bool) -> None:
        """One command was done, or failed."""
        self.flush_if_due()
        if self._lines < _LINES:
            self._lines += 1
            self._log.log(logging.WARNING if failed else logging.INFO, "%s", line)
        else:
            self._more += 1
            self._more_failed += failed

    def pause(self) -> float:
        """Seconds until something has to be said."""
        return max(0.0, self._window_ends - time.monotonic()) if self._more else float("inf")

    def flush_if_due(self) -> None:
        """Begin anew when the ten seconds are over."""
        if time.monotonic() >= self._window_ends:
            self.flush()
            self._window_ends = time.monotonic() + _EVERY

    def flush(self) -> None:
        """Say how many more there were."""
        if self._more:
            self._log.info("%s more commands, %s of them failed", self._more, self._more_failed)
        self._lines = self._more = self._more_failed = 0
