"""The thread that keeps the leases, writes progress and hears of cancellations.

It has a connection of its own, so that it works while the loader's thread waits in a statement or
computes, and it never raises into the loader: orders are left on the account.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time

from locaria_reporter._account import WRITE_EVERY, Account
from locaria_reporter._channel import Channel
from locaria_reporter._errors import EXIT_TERMINATED, LeaseLost, Outcome, ReporterError

_LOG = logging.getLogger("locaria_reporter")

TICK = 1.0
_EXIT_GRACE = 10.0
_TERMINATING = {signal.SIGTERM, signal.SIGINT}


class Heart(threading.Thread):
    """Beats for a task and its runs until stop().

    Args:
        channel: made for this thread (Channel.beside()).
        task: the task's id.
        every: seconds between heartbeats, a third of the lease.
    """

    def __init__(self, channel: Channel, task: int, every: float) -> None:
        super().__init__(name="locaria-heart", daemon=True)
        self._channel = channel
        self._task = task
        self._every = max(0.1, every)
        self._accounts: dict[int, Account] = {}
        self._stopping = threading.Event()
        self._wake_read, self.wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self.wake_write, False)
        self._beat_at = time.monotonic() + min(self._every, WRITE_EVERY)
        self._exit_at: float | None = None
        self.exit_grace = _EXIT_GRACE

    def watch(self, account: Account) -> None:
        """Begin to keep a run."""
        self._accounts[account.run_id] = account

    def forget(self, account: Account) -> None:
        """The run has ended."""
        self._accounts.pop(account.run_id, None)

    def wake(self) -> None:
        """There is something to write now, if the last write is long enough ago."""
        with contextlib.suppress(OSError):  # closed already, or full of unread wake-ups
            os.write(self.wake_write, b"\0")

    def stop(self) -> None:
        """End the thread and its connection; twice is fine."""
        self._stopping.set()
        self.wake()
        if self is not threading.current_thread() and self.is_alive():
            self.join(timeout=_EXIT_GRACE)

    def run(self) -> None:
        """The thread's loop; no failure ends it, only stop()."""
        try:
            while not self._stopping.is_set():
                try:
                    self._turn()
                except (Outcome, ReporterError) as trouble:
                    _LOG.warning("reporting failed, trying again: %s", trouble)
                    self._stopping.wait(TICK)
                except Exception:  # noqa: BLE001 - the lease must be kept whatever happens; it is said
                    _LOG.exception("reporting failed, trying again")
                    self._stopping.wait(TICK)
        finally:
            self._channel.close()
            os.close(self._wake_read)
            os.close(self.wake_write)

    def _turn(self) -> None:
        pause = min(self._beat_at - time.monotonic(), TICK)
        said = self._channel.wait_for_cancel(self._wake_read, pause)
        if self._signalled() and self._exit_at is None:
            self._exit_at = time.monotonic() + self.exit_grace
            self._release(lingering=False)
        if self._exit_at is not None and time.monotonic() > self._exit_at:
            self._exit_hard()
        beat_due = time.monotonic() >= self._beat_at
        if beat_due or said & self._accounts.keys():
            self._beat()
        for account in list(self._accounts.values()):
            self._report(account)

    def _beat(self) -> None:
        runs = [run for run, account in self._accounts.items() if account.stop != "lost"]
        for state in self._channel.heartbeat(self._task, runs):
            account = self._accounts.get(state.run_id)
            if account is not None and state.state in ("cancel", "lost"):
                account.order(state.state, state.reason)
        # Behind a pooler nothing is heard: ask often enough for a cancel within two seconds.
        pause = self._every if self._channel.hears else min(self._every, WRITE_EVERY)
        self._beat_at = time.monotonic() + pause

    def _report(self, account: Account) -> None:
        if account.stop in ("lost", "released", "closed"):
            return
        try:
            account.flush(self._channel)
            headline = account.progress.headline()
            if headline:
                self._channel.describe(f"locaria run={account.run_id} {headline}")
        except LeaseLost as lost:
            account.order("lost", lost.message)

    def _signalled(self) -> bool:
        try:
            received = os.read(self._wake_read, 4096)
        except BlockingIOError:
            return False
        return any(byte in _TERMINATING for byte in received)

    def _release(self, *, lingering: bool) -> None:
        """SIGTERM: give everything back now, even if the loader's thread is deep in C code."""
        for account in list(self._accounts.values()):
            if account.shielded or account.lingers != lingering or account.stop is not None:
                continue
            try:
                account.flush(self._channel, final=True)
                self._channel.release_run(account.run_id, "terminated by a signal")
                account.order("released")
            except (Outcome, ReporterError) as trouble:
                _LOG.warning("run %s could not be released: %s", account.run_id, trouble)

    def _exit_hard(self) -> None:
        """The loader's thread did not come back from wherever it is; nothing of it can be saved."""
        try:
            self._release(lingering=True)
            self._channel.leave_task(self._task, EXIT_TERMINATED, "terminated by a signal")
        finally:
            os._exit(EXIT_TERMINATED)
