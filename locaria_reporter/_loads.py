"""What a loader does with data: staging tables, checkpoints, its own connection."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg

from locaria_reporter._channel import Block, ClaimedRun, Json
from locaria_reporter._errors import Retry
from locaria_reporter._logging import LOADER_LOGGER
from locaria_reporter._masking import MASK
from locaria_reporter._reports import Reports
from locaria_reporter._staging import Columns, Staging, column_list

if TYPE_CHECKING:
    from locaria_reporter._task import Task


class Loads(Reports):
    """The part of a Run that moves data and remembers how far it came."""

    def __init__(self, task: Task, claimed: ClaimedRun) -> None:
        super().__init__(task, claimed)
        self._lease = claimed.lease
        self._checkpoint: Json = claimed.checkpoint
        self._inherited = bool(claimed.checkpoint)
        self._relied = False
        self._masked = False
        self._stagings: list[Staging] = []
        self._connection: psycopg.Connection[Any] | None = None
        self.log = logging.getLogger(LOADER_LOGGER)

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
            source: identifies the source of the rows, for instance a checksum of the file: an
                attempt resumes only a table that was filled from the same source.
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
        return self._channel.connect(self.id, self._lease)

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
