"""Several COPYs into one table at the same time, each on a connection of its own.

Parsing rows keeps a core of the server busy, and a commit waits for its disk: while one block is
committed, another is being copied. Blocks are committed in the file's order, each with its
checkpoint: so the checkpoint is one offset, as if there were one COPY.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from locaria_reporter import Retry, Run, Staging

_BLOCK_BYTES = 4 << 20
_AT_ONCE = 3
# Of fewer blocks, further connections cost more than they save.
_WORTHWHILE = 4

B = TypeVar("B")
B_contra = TypeVar("B_contra", contravariant=True)


def block_bytes() -> int:
    """How many bytes of a file are copied at a time."""
    return int(os.environ.get("LOCARIA_BLOCK_BYTES", _BLOCK_BYTES))


class Wire(NamedTuple):
    """A block as COPY takes it.

    Attributes:
        data: whole rows.
        options, columns: as in Staging.write().
    """

    data: bytes
    options: str
    columns: Sequence[str] | None = None


class Filling(Protocol[B_contra]):
    """What fills a staging table with blocks."""

    @property
    def owes(self) -> bool:
        """Whether bad rows were set aside that the next block added is to store."""
        ...

    def wire(self, block: B_contra) -> Wire | None:
        """The block as it is sent; None where it has to be looked at, row by row."""
        ...

    def checkpoint(self, block: B_contra) -> dict[str, Any]:
        """Where a later attempt goes on behind it."""
        ...

    def add(self, block: B_contra) -> None:
        """Store the block, and its bad rows as such; all blocks before it are stored."""
        ...

    def stored(self, block: B_contra) -> None:
        """All of the block has been stored, by a connection of ours."""
        ...


class Copies(Generic[B]):
    """Stores blocks, several of them at the same time where that is worth its connections.

    Args:
        run: to connect by.
        staging: the table.
        filling: what is known of its blocks; stores those that can't be sent whole.
        size: bytes of the file.
    """

    def __init__(self, run: Run, staging: Staging, filling: Filling[B], size: int) -> None:
        self._run, self._staging, self._filling = run, staging, filling
        inside = bool(os.environ.get("LOCARIA_DSN"))
        several = inside and size // block_bytes() >= _WORTHWHILE
        self._free = deque(_Lane(run, staging) for _ in range(_AT_ONCE if several else 0))
        self._busy: deque[tuple[B, _Lane]] = deque()

    def put(self, block: B) -> None:
        """Store a block, later perhaps; its bad rows are set aside.

        Raises:
            Cancelled: the file has been cancelled.
            Retry: whether a block is stored is not known; the checkpoint tells the next attempt.
        """
        # Bad rows are stored by add(), and before any row behind them.
        wire = self._filling.wire(block) if self._free and not self._filling.owes else None
        if wire is None:
            self.settle()
            self._filling.add(block)
            return
        lane = self._free.popleft()
        lane.start(wire)
        self._busy.append((block, lane))
        if not self._free:
            # Before another block is read: memory is counted in blocks.
            self._commit()

    def settle(self) -> None:
        """Wait until every block is stored."""
        while self._busy:
            self._commit()

    def _commit(self) -> None:
        """Store the first of the blocks on their way."""
        block, lane = self._busy[0]
        try:
            cancelled = lane.commit(self._filling.checkpoint(block))
        except psycopg.Error as error:
            self._run.check()
            if (error.sqlstate or "").startswith("LC"):
                raise
            # Those behind it wait in their open transactions, for as long as a lease lasts.
            lane.abandon()
            self._filling.add(block)
            cancelled = False
        else:
            self._filling.stored(block)
        self._busy.popleft()
        self._free.append(lane)
        if cancelled:
            # What is stored next, by the run's own connection, raises it.
            self.settle()
            self.close()

    def close(self) -> None:
        """End the connections; what has not been stored by now never is."""
        for lane in (*(lane for _, lane in self._busy), *self._free):
            lane.close()
        self._busy.clear()
        self._free.clear()


class _Lane:
    """A connection, and a thread that copies one block at a time with it."""

    def __init__(self, run: Run, staging: Staging) -> None:
        self._run, self._staging = run, staging
        self._pool = ThreadPoolExecutor(1, "copy")
        self._copied: Future[int] | None = None
        self._connection: psycopg.Connection[Any] | None = None
        # While the first block is read. Where it fails, the first copy tries again, and says why.
        self._pool.submit(self._connect)

    def _connect(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._run.connect()
        return self._connection

    def start(self, wire: Wire) -> None:
        """Begin to copy."""
        self._copied = self._pool.submit(self._copy, wire)

    def _copy(self, wire: Wire) -> int:
        statement = sql.SQL("copy {} ({}) from stdin with ({})").format(
            sql.SQL(self._staging.name),
            sql.SQL(", ").join(map(sql.Identifier, wire.columns or self._staging.columns)),
            sql.SQL(wire.options),
        )
        connection = self._connect()
        # As Staging.write() has it: 01/02/2024 is refused.
        connection.execute("begin; set local datestyle to 'ISO, YMD'")
        with connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                copy.write(wire.data)
            return cursor.rowcount

    def commit(self, checkpoint: dict[str, Any]) -> bool:
        """Store the block with its checkpoint; the block before it is stored.

        Returns:
            whether the file has been cancelled.

        Raises:
            psycopg.Error: nothing of the block is stored.
            Retry: whether it is stored is not known.
        """
        assert self._copied is not None, "start() comes first"
        rows = self._copied.result()
        assert self._connection is not None, "the copy has opened it"
        found = self._connection.execute(
            "select locaria.checkpoint_run(%s, %s::jsonb, %s::text) as state",
            [self._run.id, Jsonb(checkpoint), self._staging.name],
        ).fetchone()
        try:
            self._connection.execute("commit")
        except psycopg.OperationalError as error:
            raise Retry(f"a commit got no answer: {error}", in_=0) from None
        self._copied = None
        self._staging.count(rows)
        return found is not None and found["state"] == "cancel"

    def abandon(self) -> None:
        """Nothing of the block shall be stored."""
        if self._copied is not None:
            # Waits: a thread uses the connection.
            self._copied.exception()
            self._copied = None
        if self._connection is not None:
            try:
                self._connection.execute("rollback")
            except psycopg.Error:
                self._connection.close()

    def close(self) -> None:
        """End the thread and the connection."""
        self._pool.shutdown()
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
