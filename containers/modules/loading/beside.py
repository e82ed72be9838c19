"""A second COPY at the same time, on a connection of its own: parsing keeps one core each busy.

Its transaction stays open until the block before it has been committed; then it stores its
checkpoint and commits, too. So blocks become visible in the file's order, and the checkpoint is one
offset, as if there were one COPY.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from locaria_reporter import Retry, Run, Staging

_BLOCK_BYTES = 5 << 20
# Of fewer blocks, a second connection costs more than it saves.
_WORTHWHILE = 4


def block_bytes() -> int:
    """How many bytes of a file are copied at a time."""
    return int(os.environ.get("LOCARIA_BLOCK_BYTES", _BLOCK_BYTES))


class Beside:
    """Copies one block into a staging table while another connection copies the one before.

    Args:
        run: whose second connection is used.
        staging: the table.
    """

    def __init__(self, run: Run, staging: Staging) -> None:
        self._run = run
        self._staging = staging
        self._pool = ThreadPoolExecutor(1, "copy-beside")
        self._copied: Future[int] | None = None
        self._connection: psycopg.Connection[Any] | None = None

    def start(self, data: bytes, options: str, columns: Sequence[str] | None = None) -> None:
        """Begin to copy whole rows; `options` and `columns` as in Staging.write()."""
        self._copied = self._pool.submit(self._copy, data, options, columns)

    def _copy(self, data: bytes, options: str, columns: Sequence[str] | None) -> int:
        statement = sql.SQL("copy {} ({}) from stdin with ({})").format(
            sql.SQL(self._staging.name),
            sql.SQL(", ").join(map(sql.Identifier, columns or self._staging.columns)),
            sql.SQL(options),
        )
        self._connection = self._run.connection()
        # As Staging.write() has it: 01/02/2024 is refused.
        self._connection.execute("begin; set local datestyle to 'ISO, YMD'")
        with self._connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                copy.write(data)
            return cursor.rowcount

    def commit(self, checkpoint: Mapping[str, Any]) -> None:
        """Commit the block with its checkpoint; the block before it has been committed.

        Raises:
            psycopg.Error: nothing of the block is stored.
            Retry: whether it is stored is not known; the checkpoint tells the next attempt.
        """
        assert self._copied is not None, "start() comes first"
        rows = self._copied.result()
        assert self._connection is not None, "the copy has opened it"
        self._connection.execute(
            "select locaria.checkpoint_run(%s, %s::jsonb, %s::text)",
            [self._run.id, Jsonb(dict(checkpoint)), self._staging.name],
        )
        try:
            self._connection.execute("commit")
        except psycopg.OperationalError as error:
            raise Retry(f"a commit got no answer: {error}", in_=0) from None
        self._staging.count(rows)

    def abandon(self) -> None:
        """Nothing of the block shall be stored, unless it has been committed."""
        if self._copied is not None:
            # Waits: a connection must not be closed under a thread that uses it.
            self._copied.exception()
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()

    def close(self) -> None:
        """End the thread and the connection."""
        self.abandon()
        self._pool.shutdown(wait=False)


def beside(run: Run, staging: Staging, size: int) -> Beside | None:
    """A second COPY for a file of so many bytes; None where there is no use for it."""
    if size // block_bytes() < _WORTHWHILE or not os.environ.get("LOCARIA_DSN"):
        return None
    return Beside(run, staging)
