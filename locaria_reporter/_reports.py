"""What a loader says while it works: stages, counts, messages, bad rows."""

from __future__ import annotations

import contextlib
import numbers
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from locaria_reporter._account import Account
from locaria_reporter._channel import ClaimedRun, Json
from locaria_reporter._fetch import fetch
from locaria_reporter._logging import clip
from locaria_reporter._reading import open_counted, track

if TYPE_CHECKING:
    from locaria_reporter._task import Task

T = TypeVar("T")

_REJECTS_A_CALL = 200
_LONGEST_ROW = 4_000


class Reports:
    """The half of a Run that only reports."""

    def __init__(self, task: Task, claimed: ClaimedRun) -> None:
        self._task = task
        self._channel = task.channel
        self._account = Account(claimed.run_id, task.masker)
        self._rejects: list[Json] = []
        self._tracked = False
        self.id = claimed.run_id

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self._account.stop == "closed"

    @property
    def stopped(self) -> bool:
        """Whether the run has ended or shall end: cancelled, lease lost, given back."""
        return self._account.stop is not None

    @property
    def signalled(self) -> bool:
        """Whether the process has been asked to terminate (SIGTERM, SIGINT)."""
        return self._task.signalled

    def stage(
        self,
        name: str,
        weight: float | None = None,
        total: int | None = None,
        unit: str | None = None,
    ) -> None:
        """Enter a stage of the work.

        Args:
            name: what is being done: 'download', 'load'.
            weight: its share of the whole, in tenths (or as a part of the sum, beyond ten).
            total: how many `unit`s there are to do, if known.
            unit: what is counted: 'rows', 'bytes', 'tiles'.
        """
        self._account.check()
        self._account.progress.begin_stage(self._task.masker.text(name), weight, total, unit)
        self._tracked = False

    def plan(self, **weights: float) -> None:
        """Announce all stages with their weights: `run.plan(download=1, load=8, index=1)`.

        Said again, it changes the weights of stages that have not begun.
        """
        self._account.progress.plan(weights)

    def track(
        self, items: Iterable[T], total: int | None = None, unit: str | None = None
    ) -> Iterator[T]:
        """The items, counted: `for row in run.track(rows, total=len(rows)): …`.

        Args:
            items: any iterable; its len() is the total where there is one and none is given.
            total: how many there are; None is fine.
            unit: 'rows' by default.
        """
        self._account.check()
        self._tracked = True
        return track(self._account, items, total, unit or self._account.progress.unit or "rows")

    def progress(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """Say how far the stage is, for loaders that count themselves. Cheap: call it often.

        Raises:
            TypeError: `done` or `total` is not a number; None and NaN mean unknown.
        """
        self._account.check()
        if type(done) is not int:
            _expect_number(done)
        if type(total) is not int:
            _expect_number(total)
        self._tracked = True
        progress = self._account.progress
        progress.done = done
        progress.total = progress.total if total is None else total
        progress.message = message or progress.message

    def say(self, message: str) -> None:
        """One line for the file's status: what is being done right now."""
        self._account.check()
        self._account.progress.message = message

    def count_bytes(self, done: int, total: int | None = None) -> None:
        """Say how many bytes are done, for loaders that read by other means than run.open()."""
        self._account.check()
        self._account.progress.bytes_done = done
        self._account.progress.bytes_total = total

    def count_percent(self, percent: float) -> None:
        """Say how far the stage is, where only a percentage is known: 0 to 100."""
        total = self._account.progress.total
        if total is None:
            self._account.progress.unit = "%"
        self.progress(round((100 if total is None else total) * percent / 100), total or 100)

    def measure(self, fraction: Callable[[], float]) -> None:
        """Have the reporting thread ask how far the stage is, while a library is at work for long.

        Args:
            fraction: from 0 to 1; called from that thread, so quick and without side effects.
        """
        self._account.check()
        self._account.progress.measure = fraction

    def check(self) -> None:
        """Raise Cancelled or LeaseLost if that has been ordered; long computations call it."""
        self._account.check()

    def open(
        self,
        path: str | os.PathLike[str],
        mode: str = "r",
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Open a file for reading; the bytes read are the progress. utf-8 unless said otherwise."""
        self._account.check()
        return open_counted(
            path, self._account, mode, encoding=encoding, errors=errors, newline=newline
        )

    def fetch(
        self,
        url: str,
        path: str | os.PathLike[str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        allow_private: bool | None = None,
        resume: bool = False,
    ) -> Path:
        """Download to a file, with progress in bytes; resume after a lost connection.

        Args:
            url: http, https or file.
            path: where to; by default a temporary file that goes when the run ends.
            headers: sent with the request, not stored.
            allow_private: allow loopback and private addresses, for URLs from people you trust.
                By default the environment's LOCARIA_FETCH_PRIVATE=1 decides. Link-local ones are
                always refused: a task's own credentials are served there.
            resume: keep what had come to `path` when the download fails, or the process dies, and
                go on behind it next time, if the server says that the file is still the same.

        Raises:
            Fatal: the address is refused, or the server says that there is no such thing.
            Retry: the server failed, again and again, or wants to be left alone for a while.
        """
        target = Path(path) if path is not None else None
        return fetch(
            url,
            target or self.temporary,
            self._account,
            headers or {},
            allow_private=allow_private,
            resume=resume,
        )

    @property
    def temporary(self) -> Path:
        """A directory for this run's files; removed when the run ends."""
        return self._task.temporary(self.id)

    def mask(self, *secrets: str) -> None:
        """Never show these in a message, an error or a result: secrets that the loader has read."""
        self._task.masker.add(secrets)

    def reject(self, row: Any, reason: object, line: int | None = None) -> None:
        """Keep a bad row with its reason and go on.

        Raises:
            TooManyRejects: beyond the limit of the file or container (`reject_limit`).
        """
        self._account.check()
        mask = self._task.masker
        text = row if isinstance(row, str) else repr(row)
        self._rejects.append(
            {
                "line": line,
                "reason": clip(mask.text(reason)),
                "row": clip(mask.text(text), _LONGEST_ROW),
            }
        )
        if len(self._rejects) >= _REJECTS_A_CALL:
            self._send_rejects()

    def _send_rejects(self) -> None:
        if self._rejects:
            rejects, self._rejects = self._rejects, []
            self._channel.reject_rows(self.id, rejects)

    def listening(self, endpoint: str, *, grace: float = 20.0) -> None:
        """Say where this run takes commands, for listeners with a server of their own.

        From now on the run knows neither timeout nor stall, and an end that it did not want uses
        up no attempt. On SIGTERM `Terminated` is raised as ever, but the file is given back only
        when the block is left.

        Args:
            endpoint: a URL without credentials: 'http://10.0.0.7:8080'.
            grace: seconds from SIGTERM until the process is ended, wherever it is; less than the
                container's stopTimeout (30 on ECS, if it isn't set).
        """
        self._account.check()
        self._account.listen(endpoint)
        self._task.linger(grace)
        self._account.flush(self._channel, final=True)

    @contextlib.contextmanager
    def executing(self, words: str) -> Iterator[None]:
        """While the block runs, the status says that this is being executed; from any thread.

        Written by the thread beside, at most twice a second: what is over sooner may not show.
        """
        self._account.executing.append(words)
        self._task.wake()
        try:
            yield
        finally:
            self._account.executing.remove(words)
            self._task.wake()

    def supervise(self, interrupt: Callable[[], None], grace: float) -> None:
        """For programs that let another process do the work (see Task.supervise)."""
        self._task.supervise(self._account, interrupt, grace)


def _expect_number(value: object) -> None:
    if value is not None and not isinstance(value, numbers.Real):
        raise TypeError(f"run.progress() takes numbers, like 300 of 1200, not {value!r}")
