"""SIGTERM and SIGINT become `Terminated` in the loader, and are seen by the heart at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from locaria_reporter._errors import Terminated

_HANDLED = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Handlers for the life of a task; outside the main thread, where Python has none, a no-op."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._shields = 0
        self._previous: dict[int, Any] = {}
        self._previous_fd = -1

    def install(self, wake: int) -> None:
        """Take over the handlers; `wake` (non-blocking) gets the number of each signal."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._previous_fd = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in _HANDLED:
            self._previous[number] = signal.signal(number, self._handle)

    def restore(self) -> None:
        """Give the handlers back; twice is fine."""
        if not self._previous:
            return
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_fd)
        self._previous = {}

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        first = self.received is None
        self.received = number
        if first and self._shields == 0:
            raise Terminated(f"terminated by {signal.Signals(number).name}")

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Hold a signal back while an outcome is written: it is raised at the end."""
        before = self.received
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        if before is None and self.received is not None and self._shields == 0:
            raise Terminated(f"terminated by {signal.Signals(self.received).name}")
