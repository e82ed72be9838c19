"""One attempt at one file: what a loader sees of Locaria."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar

import psycopg

from ._account import Account
from ._channel import Block, ClaimedRun, Ending, Json
from ._errors import CheckFailed, NotPublished
from ._fetch import fetch
from ._logging import LOADER_LOGGER, clip
from ._reading import open_counted, track
from ._staging import Columns, Staging, column_list

if TYPE_CHECKING:
    from ._task import Task

T = TypeVar("T")

_REJECTS_A_CALL = 200
_LONGEST_ROW = 4_000


class Run:
    """A claimed file; use it as a context manager.

    Entering means started, a normal exit means succeeded, an exception means failed (and is raised
    again). Every method may raise Cancelled or LeaseLost; let them pass.

    Attributes:
        id, file_id, attempt, max_attempts: of this run.
        attributes: the file's attributes, as its application inserted them.
        parameters: the container's defaults, overlaid with those of the file.
        checkpoint: what an earlier attempt, or this one, saved; {} at first.
        log: a logging.Logger; what it gets from INFO up is kept with the run.
    """

    def __init__(self, task: Task, claimed: ClaimedRun) -> None:
        self._task = task
        self._channel = task.channel
        self._account = Account(claimed.run_id, task.masker)
        self._claimed = claimed
        self.id = claimed.run_id
        self.file_id = claimed.file_id
        self.attempt = claimed.attempt
        self.max_attempts = claimed.max_attempts
        self.attributes: Json = claimed.attributes
        self.parameters: Json = claimed.parameters
        self.checkpoint: Json = claimed.checkpoint
        self.log = logging.getLogger(LOADER_LOGGER)
        self._rejects: list[Json] = []
        self._stagings: list[Staging] = []
        self._connection: psycopg.Connection[Any] | None = None
        self._tracked = False
        self._within: Ending | None = None

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self._account.stop == "closed"

    @property
    def stopped(self) -> bool:
        """Whether the run has ended or shall end: cancelled, lease lost, given back."""
        return self._account.stop is not None

    # Reading and progress

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
        self._account.progress.begin_stage(name, weight, total, unit)
        self._tracked = False

    def plan(self, **weights: float) -> None:
        """Announce all stages with their weights: `run.plan(download=1, load=8, index=1)`."""
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
        """Say how far the stage is, for loaders that count themselves. Cheap: call it often."""
        self._account.check()
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
    ) -> Path:
        """Download to a file, with progress in bytes; goes on where a connection broke.

        Args:
            url: http, https or file.
            path: where to; by default a temporary file that goes when the run ends.
            headers: sent with the request, not stored.
            allow_private: allow loopback, private and link-local addresses (never do that for
                an URL from a stranger: a task's own credentials are served at one). By default
                the environment's LOCARIA_FETCH_PRIVATE=1 decides.

        Raises:
            Fatal: the address is refused, or the server says that there is no such thing.
            Retry: the server failed, again and again.
        """
        target = Path(path) if path is not None else None
        return fetch(url, target or self.temporary, self._account, headers or {}, allow_private)

    @property
    def temporary(self) -> Path:
        """A directory for this run's files; removed when the run ends."""
        return self._task.temporary(self.id)

    # What is kept with the run

    def save_checkpoint(self, checkpoint: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Remember how far this run came, for a later attempt: `run.save_checkpoint(page=7)`."""
        self._account.check()
        wanted = {**(checkpoint or {}), **more}
        self._heed(self._channel.save_checkpoint(self.id, wanted))
        self.checkpoint = wanted

    def reject(self, row: Any, reason: str, line: int | None = None) -> None:
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

    # Data

    def staging(self, table: str, columns: Columns | None = None, mode: str = "create") -> Staging:
        """A table to fill in many short transactions, published by `run.finish(swap=…)`.

        Args:
            table: the target, 'table' or 'schema.table', taken literally.
            columns: {"id": "bigint", "name": "text"}, or a list of pairs.
            mode: 'create' (the target must not exist), 'replace' or 'append'.

        Returns:
            the staging table; `.adopted` when it holds an earlier attempt's rows, which are those
            up to `run.checkpoint`.
        """
        self._account.check()
        wanted = column_list(columns)
        made = self._channel.create_staging(self.id, table, wanted, mode)
        if made.adopted:
            self.checkpoint = made.checkpoint
        staging = Staging(self, made, wanted)
        self._stagings.append(staging)
        return staging

    def connection(self) -> psycopg.Connection[Any]:
        """A database connection for the loader's own statements (autocommit), for this run."""
        self._account.check()
        if self._connection is None or self._connection.closed:
            self._connection = self._channel.connect(self.id, self._claimed.lease)
            self._account.interrupt = self._interrupt
        return self._connection

    @contextlib.contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """For loads of seconds: the block's statements and the outcome are one transaction.

        Call `run.finish(message=…)` inside to add words; leaving the block commits all of it.
        """
        connection = self.connection()
        xact: str | None = None
        self._within = Ending()
        try:
            with connection.transaction():
                yield connection
                self._prepare_end()
                xact = self._channel.finish_within(self.id, connection, self._within)
        except psycopg.OperationalError:
            # The commit got no answer: only the server knows whether it happened.
            if xact is None or not self._channel.was_committed(xact):
                raise
        finally:
            self._within = None
        self._close()

    # The end

    def finish(
        self,
        swap: Staging | None = None,
        message: str | None = None,
        result: Mapping[str, Any] | None = None,
        checks: Mapping[str, bool] | None = None,
    ) -> None:
        """Succeed; with `swap`, publish the staging table in the same short transaction.

        Args:
            swap: the staging table to publish.
            message: one line for the file's status.
            result: kept with the run (JSON).
            checks: name → passed; one that is false fails the run, and nothing is published.

        Raises:
            CheckFailed: a check was false.
            NotPublished: there is a staging table and `swap` was not given.
        """
        if self.closed:
            return
        self._account.check()
        failed = [name for name, passed in (checks or {}).items() if not passed]
        if failed:
            raise CheckFailed(f"check failed: {', '.join(failed)}")
        facts = {**(result or {}), **({"checks": dict(checks)} if checks else {})}
        if self._within is not None:
            self._within = self._ending(message, facts, None)
            return
        if swap is None and self._stagings:
            raise NotPublished(
                f"{self._stagings[-1].name} was never published: call run.finish(swap=…), "
                "inside the with block"
            )
        if swap is not None:
            swap.flush()
            facts.setdefault("rows", swap.rows)
        self._prepare_end()
        self._task.finish(self, self._ending(message, facts, swap))
        self._close()

    def _ending(self, message: str | None, facts: Json, swap: Staging | None) -> Ending:
        mask = self._task.masker
        return Ending(
            message=clip(mask.text(message)) if message is not None else None,
            result=mask.value(facts) or None,
            staging=swap.name if swap is not None else None,
        )

    def _prepare_end(self) -> None:
        self._account.check()
        self._send_rejects()
        self._account.progress.finish()
        self._account.flush(self._channel, final=True)
        self._account.check()

    def _send_rejects(self) -> None:
        if self._rejects:
            rejects, self._rejects = self._rejects, []
            self._channel.reject_rows(self.id, rejects)

    def _copy_block(self, block: Block, checkpoint: Json | None) -> int:
        self._account.check()
        # The call is the fence, too: without a checkpoint of the block's own, the last one stays.
        kept = checkpoint if checkpoint is not None else (self.checkpoint or None)
        rows, cancelled = self._channel.copy_block(self.id, block, kept)
        if checkpoint is not None:
            self.checkpoint = checkpoint
        self._heed(cancelled)
        return rows

    def _count_copied(self, rows: int) -> None:
        if not self._tracked:
            self._account.progress.done = rows
            self._account.progress.unit = self._account.progress.unit or "rows"

    def _heed(self, cancelled: bool) -> None:
        if cancelled:
            self._account.order("cancel")
            self._account.check()

    def _interrupt(self) -> None:
        """From the heart's thread: end the statement that the loader waits for."""
        connection = self._connection
        if connection is not None and not connection.closed:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=5)

    def supervise(self, interrupt: Callable[[], None], grace: float) -> None:
        """For programs that let another process do the work (see Task.supervise)."""
        self._task.supervise(self._account, interrupt, grace)

    def _close(self) -> None:
        if self._account.stop != "closed":
            self._account.stop = "closed"
            self._task.forget(self._account, self.id)
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()

    def __enter__(self) -> Self:
        self._task.began(self._account)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        return self._task.ended(self, error)
