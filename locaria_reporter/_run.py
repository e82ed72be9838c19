"""One attempt at one file: what a loader sees of Locaria."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import psycopg

from ._channel import Block, ClaimedRun, Ending, Json
from ._errors import CheckFailed, NotPublished, Retry
from ._logging import LOADER_LOGGER, clip
from ._masking import MASK
from ._reports import Reports
from ._staging import Columns, Staging, column_list

if TYPE_CHECKING:
    from ._commands import Handler
    from ._http import Limits
    from ._task import Task


class Run(Reports):
    """A claimed file; use it as a context manager.

    Entering means started, a normal exit means succeeded, an exception means failed (and is raised
    again). Every method may raise Cancelled or LeaseLost; let them pass.

    Attributes:
        id, file_id, attempt, max_attempts: of this run.
        attributes: the file's attributes, as its application inserted them.
        parameters: the container's defaults, overlaid with those of the file.
        log: a logging.Logger; what it gets from INFO up is kept with the run.
    """

    def __init__(self, task: Task, claimed: ClaimedRun) -> None:
        super().__init__(task, claimed)
        self._claimed = claimed
        self.file_id = claimed.file_id
        self.attempt = claimed.attempt
        self.max_attempts = claimed.max_attempts
        self.attributes: Json = claimed.attributes
        self.parameters: Json = claimed.parameters
        self._checkpoint: Json = claimed.checkpoint
        self._inherited = bool(claimed.checkpoint)
        self._relied = False
        self._masked = False
        self.log = logging.getLogger(LOADER_LOGGER)
        self.nested = False  # a command of a listener: its end is not the end of the task
        self._stagings: list[Staging] = []
        self._connection: psycopg.Connection[Any] | None = None
        self._within: Ending | None = None

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
        """Whether the process has been told to end (SIGTERM, SIGINT)."""
        return self._task.signalled

    @property
    def checkpoint(self) -> Json:
        """What an earlier attempt, or this one, saved; {} at first. Where to go on from."""
        self._relied = self._relied or self._inherited
        return self._checkpoint

    # What is kept with the run

    def save_checkpoint(self, checkpoint: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Remember how far this run came, for a later attempt: `run.save_checkpoint(page=7)`.

        It is kept as JSON and without secrets: keep them out of it, or a later attempt finds ****.
        """
        self._account.check()
        for staging in self._stagings:
            staging.flush()
        self._send_rejects()
        wanted = {**(checkpoint or {}), **more}
        self._heed(self._channel.save_checkpoint(self.id, self._kept(wanted)))
        self._checkpoint, self._inherited = wanted, False

    def _kept(self, checkpoint: Json) -> Json:
        """A checkpoint as it is stored; where that takes something out of it, it is said."""
        kept: Json = self._task.masker.value(checkpoint)
        if not self._masked and MASK in str(kept) and MASK not in str(checkpoint):
            self._masked = True
            self.log.warning(
                "the checkpoint holds a secret, or looks like it: a later attempt finds %s in its "
                "place; keep it out, or say that it may be kept: locaria_reporter.Link(text)",
                MASK,
            )
        return kept

    # Data

    def staging(
        self,
        table: str,
        columns: Columns | None = None,
        mode: str = "create",
        *,
        key: Sequence[str] = (),
        load_run: bool = False,
        keep_previous: bool = False,
        labels: Mapping[str, Any] | None = None,
        source: str | None = None,
        own_checkpoint: bool = False,
    ) -> Staging:
        """A table to fill in many short transactions, published by `run.finish(swap=…)`.

        Args:
            table: the target, 'table' or 'schema.table', taken literally.
            columns: {"id": "bigint", "name": "text"}, or a list of pairs.
            mode: 'create' (the target must not exist), 'replace', 'append' or 'merge' (rows with
                the key of one that is there take its place, the others are added).
            key: the columns by which rows are merged.
            load_run: give each row a column `_load_run`, the run that loaded it.
            keep_previous: keep what is replaced or merged away, so that locaria.undo() can bring
                it back.
            labels: kept with the published table (data_set, category, tags).
            source: what the rows come from, for instance a checksum of the file: an attempt goes on
                only with a table that was filled from the same.
            own_checkpoint: keep the checkpoints given to write() and copy() with this table, as its
                `.checkpoint`, and not with the run: for runs that fill several.

        Returns:
            the staging table; `.adopted` when it holds an earlier attempt's rows, which are those
            up to `run.checkpoint`.
        """
        self._account.check()
        wanted = column_list(columns)
        options: Json = {"key": list(key)} if key else {}
        options |= {"load_run": True} if load_run else {}
        options |= {"keep_previous": True} if keep_previous else {}
        options |= {"labels": self._task.masker.value(labels)} if labels else {}
        options |= {"source": source} if source else {}
        options |= {"own_checkpoint": True} if own_checkpoint else {}
        made = self._channel.create_staging(self.id, table, wanted, mode, options)
        if own_checkpoint:
            # The run's checkpoint says nothing of these rows.
            self._inherited = False
        elif made.adopted:
            # Said again under this run's name, or one more failure would forget it.
            self._heed(self._channel.save_checkpoint(self.id, made.checkpoint))
            self._checkpoint = made.checkpoint
        elif self._inherited:
            self._start_over()
        staging = Staging(self, made, wanted, own_checkpoint=own_checkpoint)
        self._stagings.append(staging)
        return staging

    def _start_over(self) -> None:
        """The rows up to the inherited checkpoint are gone, so it must not be gone on from."""
        if self._relied:
            raise Retry(
                "the rows of the earlier attempt are gone, but its checkpoint was used: "
                "starting over",
                in_=0,
            )
        self.log.warning("the rows of the earlier attempt are gone: starting over")
        self._checkpoint, self._inherited = {}, False

    def connection(self) -> psycopg.Connection[Any]:
        """A database connection for the loader's own statements (autocommit), for this run."""
        self._account.check()
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
            self._account.interrupt = self._account.interrupt or self._interrupt
        return self._connection

    def connect(self) -> psycopg.Connection[Any]:
        """One more connection, for statements beside others; close it. No cancel interrupts it."""
        return self._channel.connect(self.id, self._claimed.lease)

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

    # Commands

    def listen(
        self,
        handler: Handler,
        *,
        port: int | None = None,
        host: str | None = None,
        token: str | None = None,
        limits: Limits | None = None,
        grace: float = 20.0,
    ) -> None:
        """Take commands, over HTTP and as rows, until this run is cancelled; see listen().

        Where this run's own file is a command (attributes.command), that one is done instead.

        Raises:
            Cancelled: the usual end of a listener.
        """
        from ._listen import Listener  # noqa: PLC0415 - loaders need no HTTP server

        self._account.check()
        Listener(
            self,
            self._task,
            handler,
            port=port,
            host=host,
            token=token,
            limits=limits,
            grace=grace,
        ).work()

    # The end

    def finish(
        self,
        swap: Staging | Sequence[Staging] | None = None,
        message: str | None = None,
        result: Mapping[str, Any] | None = None,
        checks: Mapping[str, bool] | None = None,
        *,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
    ) -> None:
        """Succeed; with `swap`, publish the staging tables in the same short transaction.

        Args:
            swap: the staging table to publish, or several.
            before, after: names of registered scripts (locaria.register_script) to run in that
                transaction, before and after the tables are published.
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
            self._within = self._ending(message, facts)
            return
        if not swap and self._stagings:
            raise NotPublished(
                f"{self._stagings[-1].name} was never published: call run.finish(swap=…), "
                "inside the with block"
            )
        stagings = [swap] if isinstance(swap, Staging) else list(swap or ())
        for staging in stagings:
            staging.flush()
        if stagings:
            facts.setdefault("rows", sum(staging.rows for staging in stagings))
        self._prepare_end()
        ending = self._ending(message, facts)
        published = tuple((staging.name, staging.rows) for staging in stagings)
        ending = replace(ending, stagings=published, before=tuple(before), after=tuple(after))
        self._task.finish(self, ending)
        self._close()

    def acknowledge(self) -> None:
        """The run was finished by somebody else's SQL on its behalf: close it.

        Raises:
            LeaseLost: it was not.
        """
        self._channel.finish_run(self.id, Ending())
        self._close()

    def _ending(self, message: str | None, facts: Json) -> Ending:
        mask = self._task.masker
        return Ending(
            message=clip(mask.text(message)) if message is not None else None,
            result=mask.value(facts) or None,
        )

    def _prepare_end(self) -> None:
        self._account.check()
        self._send_rejects()
        self._account.progress.finish()
        self._account.flush(self._channel, final=True)
        self._account.check()

    def _copy_block(self, block: Block, checkpoint: Json | None) -> int:
        self._account.check()
        if checkpoint is not None:
            # What was rejected before it must not be lost once it is passed.
            self._send_rejects()
        # A block without a checkpoint unsets the last one: going on from there would double rows.
        kept = None if checkpoint is None else self._kept(checkpoint)
        rows, cancelled = self._channel.copy_block(self.id, block, kept)
        if not block.own:
            self._checkpoint, self._inherited = checkpoint or {}, False
        self._heed(cancelled)
        return rows

    def _count_copied(self) -> None:
        if not self._tracked:
            self._account.progress.done = sum(staging.rows for staging in self._stagings)
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

    def _close(self) -> None:
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
