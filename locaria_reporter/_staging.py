"""A staging table: filled in many short transactions, published in one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from locaria_reporter._channel import Block, Json, StagingTable

if TYPE_CHECKING:
    from locaria_reporter._loads import Loads

Columns = Mapping[str, str] | Sequence[tuple[str, str]] | Sequence[Mapping[str, str]]

_ROWS_A_BLOCK = 5_000
_SECONDS_A_BLOCK = 2.0
_LOOK_EVERY = 128


def column_list(columns: Columns | None) -> list[dict[str, str]]:
    """`columns` as the database takes them: [{"name": …, "type": …}, …].

    Args:
        columns: {"id": "bigint"}, [("id", "bigint")] or [{"name": "id", "type": "bigint"}].
    """
    if columns is None:
        return []
    if isinstance(columns, Mapping):
        return [{"name": name, "type": kind} for name, kind in columns.items()]
    return [
        {"name": column["name"], "type": column["type"]}
        if isinstance(column, Mapping)
        else {"name": column[0], "type": column[1]}
        for column in columns
    ]


class Staging:
    """Made by `run.staging(…)`; give it to `run.finish(swap=…)` to publish it.

    Attributes:
        name: quoted and qualified, for the loader's own SQL.
        columns: the names, in order.
        adopted: True when it holds the rows of an earlier attempt, up to `run.checkpoint`.
        checkpoint: where its rows end, when it was made with own_checkpoint; {} at first.
    """

    def __init__(
        self,
        run: Loads,
        table: StagingTable,
        columns: Sequence[Mapping[str, str]],
        *,
        own_checkpoint: bool = False,
    ) -> None:
        self._run = run
        self._own = own_checkpoint
        self.checkpoint: Json = table.checkpoint if own_checkpoint else {}
        self.name = table.name
        self.columns = tuple(column["name"] for column in columns)
        self.adopted = table.adopted
        self._sent = table.rows
        self._buffer: list[Sequence[Any]] = []
        self._checkpoint: Json | None = None
        self._since = time.monotonic()

    @property
    def rows(self) -> int:
        """How many rows it has: those of earlier attempts, and those that still wait in memory."""
        return self._sent + len(self._buffer)

    def copy_row(self, *values: Any) -> None:
        """Add one row, given value by value, in the order of the columns."""
        self.copy(values)

    def copy(
        self, row: Sequence[Any] | Mapping[str, Any], checkpoint: Mapping[str, Any] | None = None
    ) -> None:
        """Add one row; rows are sent in blocks, each a transaction of its own.

        Args:
            row: a sequence in the order of the columns, or a mapping by column name.
            checkpoint: where a later attempt resumes after this row; stored with its block.
        """
        if isinstance(row, Mapping):
            row = [row.get(column) for column in self.columns]
        buffer = self._buffer
        buffer.append(row)
        if checkpoint is not None:
            self._checkpoint = dict(checkpoint)
        waiting = len(buffer)
        if waiting >= _ROWS_A_BLOCK or (
            waiting % _LOOK_EVERY == 0 and time.monotonic() - self._since > _SECONDS_A_BLOCK
        ):
            self.flush()

    def write(
        self,
        data: bytes,
        checkpoint: Mapping[str, Any] | None = None,
        *,
        options: str = "format csv",
        columns: Sequence[str] | None = None,
    ) -> int:
        """Copy a block of raw bytes (whole lines) in one transaction, with the checkpoint.

        If a line is bad, nothing of the block is stored and psycopg's error is raised: divide it.

        Args:
            data: what COPY … FROM STDIN takes; a few megabytes are a good size.
            checkpoint: where a later attempt resumes after this block.
            options: the text in COPY … WITH (…), e.g. "format csv, delimiter ';'". Never put
                text from a file's attributes into it unquoted.
            columns: which columns the lines hold; all of them by default.

        Returns:
            the number of rows copied.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(
                f"staging.write() takes bytes, as COPY reads them, not {type(data).__name__}: "
                "encode text; rows go to staging.copy(), one by one"
            )
        self.flush()
        names = self.columns if columns is None else tuple(columns)
        block = Block(self.name, names, data=data, options=options, own=self._own)
        return self._send(block, None if checkpoint is None else dict(checkpoint))

    def count(self, rows: int) -> None:
        """Count rows that the loader has copied into it on a connection of its own."""
        self._run._channel.count_copied(self.name, rows)
        self._sent += rows
        self._run._count_copied()

    def flush(self) -> None:
        """Send the rows that wait in memory."""
        if not self._buffer:
            return
        rows, self._buffer = self._buffer, []
        checkpoint, self._checkpoint = self._checkpoint, None
        self._send(Block(self.name, self.columns, rows=rows, own=self._own), checkpoint)
        self._since = time.monotonic()

    def _send(self, block: Block, checkpoint: Json | None) -> int:
        copied = self._run._copy_block(block, checkpoint)
        if self._own:
            self.checkpoint = checkpoint or {}
        self._sent += copied
        self._run._count_copied()
        return copied

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and not self._run.closed:
            self.flush()
