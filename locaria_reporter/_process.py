"""What lives beside the loader's code: the heart, the signal handlers, the log handler."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from locaria_reporter._account import Account
from locaria_reporter._channel import Channel, Json, TaskStart
from locaria_reporter._errors import EXIT_DONE
from locaria_reporter._heartbeat import Heart
from locaria_reporter._logging import Logs
from locaria_reporter._masking import Masker
from locaria_reporter._signals import Signals

if TYPE_CHECKING:
    from locaria_reporter._run import Run


class Process:
    """The part of a Task that has nothing to do with how runs begin and end."""

    def __init__(
        self,
        channel: Channel,
        container: str,
        masker: Masker,
        *,
        keep_going: bool,
        info: Json | None = None,
    ) -> None:
        self.channel = channel
        self.container = container
        self.masker = masker
        self.exit_code = EXIT_DONE
        self._keep_going = keep_going
        self._info = info or {}
        self._signals = Signals()
        self._logs = Logs(masker)
        self._heart: Heart | None = None
        self._start: TaskStart | None = None
        self._temporary: dict[int, Path] = {}
        self._open: dict[int, Run] = {}
        self._deferred: dict[int, Run] = {}
        self._began: list[Account] = []
        self._closed = False
        self.batch = 1
        self.claimed_any = False

    @property
    def task_id(self) -> int:
        """The task's id."""
        assert self._start is not None, "start() comes first"
        return self._start.task_id

    def supervise(self, account: Account, interrupt: Callable[[], None], grace: float) -> None:
        """The work is done by another process: nothing is given back while it may be alive.

        Args:
            account: of the run.
            interrupt: called when the run shall end.
            grace: seconds between asking that process to end and killing it.
        """
        account.shielded = True
        account.interrupt = interrupt
        if self._heart is not None:
            self._heart.exit_grace = grace + 10.0

    def linger(self, seconds: float) -> None:
        """On SIGTERM the process has this long to come to its end."""
        if self._heart is not None:
            self._heart.exit_grace = seconds

    def shield(self) -> AbstractContextManager[None]:
        """A signal within the block is raised at its end."""
        return self._signals.shield()

    @property
    def signalled(self) -> bool:
        """Whether the process has been asked to terminate."""
        return self._signals.received is not None

    def wake(self) -> None:
        """Have the heart write what changed, if its last write is long enough ago."""
        if self._heart is not None:
            self._heart.wake()

    def began(self, account: Account) -> None:
        """The run's block was entered: its log messages begin."""
        self._began.append(account)
        self._logs.handler.account = account

    def forget(self, account: Account, run_id: int) -> None:
        """The run has ended."""
        if account in self._began:
            self._began.remove(account)
            self._logs.handler.account = self._began[-1] if self._began else None
        self._open.pop(run_id, None)
        if self._heart is not None and run_id not in self._deferred:
            self._heart.forget(account)
        directory = self._temporary.pop(run_id, None)
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def temporary(self, run_id: int) -> Path:
        """The run's directory for files."""
        if run_id not in self._temporary:
            self._temporary[run_id] = Path(tempfile.mkdtemp(prefix=f"locaria-{run_id}-"))
        return self._temporary[run_id]

    def leave_to_parent(self) -> None:
        """In a forked child: the task, its runs and connections are the parent's alone."""
        self._closed = True
        self._signals.restore()
        self._logs.handler.account = None
        for run in self._open.values():
            run._account.stop = "forked"
