"""What the loader's thread and the reporting thread share about one run."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from locaria_reporter._channel import Channel, Json
from locaria_reporter._errors import Cancelled, LeaseLost, Outcome, RunClosed, Terminated
from locaria_reporter._masking import Masker
from locaria_reporter._progress import Progress

WRITE_EVERY = 2.0
_LISTENING_EVERY = 0.5
_LOG_BUFFER = 2000
_LOG_BATCH = 500


class Account:
    """Progress and messages of one run, waiting to be written, and orders that came back.

    `stop` is None, or says why the loader has to end: 'cancel', 'lost', 'released', 'closed',
    or, in a forked child, that the run is not its own: 'forked'.
    `lingers`: on SIGTERM the file is given back when the loader has come to its end, not at once.
    `deferred`: a cancel waits until the command in hand is done.
    `executing`: what a listener is doing, in words, the oldest first.
    """

    def __init__(self, run_id: int, masker: Masker) -> None:
        self.run_id = run_id
        self.progress = Progress()
        self.stop: str | None = None
        self.reason: str | None = None
        self.shielded = False
        self.lingers = False
        self.deferred = False
        self.executing: list[str] = []
        self._endpoint: str | None = None
        self._listening_written: tuple[str | None, str | None] = (None, None)
        self._listening_at = float("-inf")
        self.interrupt: Callable[[], None] | None = None
        self._masker = masker
        self._messages: deque[Json] = deque()
        self._dropped = 0
        self._written: Json = {}
        self._written_at = float("-inf")
        self._lock = threading.Lock()

    def order(self, stop: str, reason: str | None = None) -> None:
        """Tell the loader to end; the first order stands, except that a lost lease beats all."""
        if self.stop is None or (stop == "lost" and self.stop == "cancel"):
            self.reason = reason
            self.stop = stop
            if stop in ("cancel", "lost") and self.interrupt is not None:
                self.interrupt()

    def outcome(self) -> Outcome | RunClosed:
        """The exception that the order means."""
        if self.stop == "cancel":
            return Cancelled(self.reason or "")
        if self.stop == "lost":
            return LeaseLost(self.reason or "")
        if self.stop == "released":
            return Terminated(self.reason or "")
        if self.stop == "forked":
            return RunClosed(
                f"run {self.run_id} belongs to the process that claimed it, not to its child: "
                "hand results to the parent, and report there"
            )
        return RunClosed(
            f"run {self.run_id} has ended: report before finish(), or inside the with block"
        )

    def check(self) -> None:
        """Raise what has been ordered."""
        if self.stop is not None and not (self.deferred and self.stop == "cancel"):
            raise self.outcome()

    def add_message(self, message: Json) -> None:
        """Queue a log message; beyond the buffer the newest are dropped, and that is said."""
        if len(self._messages) >= _LOG_BUFFER:
            self._dropped += 1
        else:
            self._messages.append(message)

    def due(self) -> bool:
        """Whether a write is allowed by now."""
        return time.monotonic() - self._written_at >= WRITE_EVERY

    def flush(self, channel: Channel, *, final: bool = False) -> None:
        """Write what changed: the last progress, and the messages.

        Args:
            channel: of the calling thread.
            final: write now; else only when WRITE_EVERY seconds have passed.
        """
        if final or time.monotonic() - self._listening_at >= _LISTENING_EVERY:
            self._flush_listening(channel)
        if not final and not self.due():
            return
        with self._lock:
            self._flush_messages(channel)
            if not self.progress.reported:
                return
            snapshot = self._masker.value(self.progress.snapshot())
            entered = list(self.progress.entered)
            if snapshot == self._written and not entered:
                return
            self._written_at = now = time.monotonic()
            report = dict(snapshot)
            if entered:  # Also those that were over before they could be reported.
                report["stages"] = [
                    {"stage": name, "ago": round(now - since, 3)} for name, since in entered
                ]
            if channel.report_progress(self.run_id, report):
                self.order("cancel")
            self._written = snapshot
            del self.progress.entered[: len(entered)]

    def listen(self, endpoint: str | None) -> None:
        """Where commands are taken, from the next flush on."""
        self._endpoint = endpoint
        self.lingers = endpoint is not None

    def _flush_listening(self, channel: Channel) -> None:
        with self._lock:
            words = list(self.executing)
            more = f" and {len(words) - 1} more" if len(words) > 1 else ""
            endpoint = None if self._endpoint is None else self._masker.text(self._endpoint)
            state = (endpoint, self._masker.text(words[0] + more) if words else None)
            if state != self._listening_written:
                self._listening_at = time.monotonic()
                if channel.report_listening(self.run_id, *state):
                    self.order("cancel")
                self._listening_written = state

    def _flush_messages(self, channel: Channel) -> None:
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._messages.append(
                {"level": "warning", "message": f"{count} log messages were dropped: too many"}
            )
        while self._messages:
            batch = list(self._messages)[:_LOG_BATCH]
            self._written_at = time.monotonic()
            channel.log_run(self.run_id, batch)
            for _ in batch:
                self._messages.popleft()
