"""One consistent picture of the tables, read in pieces that fit into memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from relation import Column, Relation, cast_of

from locaria_reporter import Fatal, Run

# While a format's library finishes one table before the next is read.
_LONGEST_PAUSE = "10min"
_FIRST_ROWS = 100
_MOST_ROWS = 5_000
_BYTES = 4 << 20
_LOOK_EVERY = 64
_SETTINGS = (
    "set local timezone to 'UTC'",
    "set local datestyle to 'ISO, YMD'",
    "set local intervalstyle to 'postgres'",
    "set local bytea_output to 'hex'",
    "set local extra_float_digits to 1",
    # Looked at twice, the first rows of a table without an order must be the same ones.
    "set local synchronize_seqscans to off",
    "set local search_path to pg_catalog, pg_temp",
    f"set local idle_in_transaction_session_timeout to '{_LONGEST_PAUSE}'",
)

# Rows that were written to a table after the snapshot are not in it: of a table that took another's
# place, or was emptied and filled, before it was locked, that is all of them. What is locked by now
# is looked up in the snapshot's own picture of the catalog, and in the present one.
_CHANGED = sql.SQL(
    "select count(*) from pg_locks l left join pg_class c on c.oid = l.relation"
    " where l.locktype = 'relation' and l.pid = pg_backend_pid() and (c.oid is null"
    " or c.relfilenode <> 0 and c.relfilenode is distinct from pg_relation_filenode(c.oid))"
)

Row = tuple[Any, ...]


class Snapshot:
    """A read-only transaction in which every statement sees the same rows.

    Args:
        run: to report to.
        connection: in its transaction.
    """

    def __init__(self, run: Run, connection: psycopg.Connection[Any]) -> None:
        self._run = run
        self._connection = connection
        self._began = time.monotonic()
        self.longest = float("inf")
        self.rows = 0
        self.expected = 0

    def begin(self) -> None:
        """Begin the transaction, or another one, with a later picture, in its place."""
        if self._connection.info.transaction_status != TransactionStatus.IDLE:
            self._connection.execute("rollback")
        self._connection.execute("begin isolation level repeatable read read only")
        for setting in _SETTINGS:
            self._connection.execute(sql.SQL(setting))
        self.expected = 0

    def has_all(self) -> bool:
        """Whether the tables that are locked by now are those of the picture, rows and all."""
        return bool(self.execute(_CHANGED.format())[0][0] == 0)

    def execute(self, statement: sql.Composed) -> list[Row]:
        """The rows of a small answer."""
        with self._explained():
            return list(self._connection.execute(statement).fetchall())

    def expect(self, relation: Relation) -> None:
        """Add to the total of the progress what the planner thinks there is to read."""
        if relation.request.limit is not None:
            # As above: of several workers, who is first?
            self._connection.execute("set local max_parallel_workers_per_gather to 0")
        plan = self.execute(
            sql.SQL("explain (format json) {}").format(relation.select(lambda c: c.identifier))
        )
        self.expected += int(plan[0][0][0]["Plan"]["Plan Rows"])

    def copy(self, statement: sql.Composed) -> Iterator[bytes]:
        """What COPY … TO STDOUT sends, a row a piece."""
        connection = self._connection
        with self._explained(), connection.cursor() as cursor, cursor.copy(statement) as copy:
            for number, piece in enumerate(copy):
                if number % _LOOK_EVERY == 0:
                    self.look()
                yield bytes(piece)

    def read(
        self, relation: Relation, express: Callable[[Column], sql.Composable]
    ) -> Iterator[list[Row]]:
        """The rows, as many at a time as a few megabytes hold."""
        count = _FIRST_ROWS
        with self._explained(relation), self._connection.cursor(name="download") as cursor:
            cursor.execute(relation.select(express))
            while rows := cursor.fetchmany(count):
                self.rows += len(rows)
                self.look()
                yield rows
                size = sum(_size(row) for row in rows) / len(rows)
                count = max(1, min(_MOST_ROWS, int(_BYTES / max(size, 1))))

    def look(self) -> None:
        """Tell the progress; stop when that is ordered, or when it has taken too long."""
        self._run.progress(self.rows, max(self.rows, self.expected))
        if time.monotonic() - self._began > self.longest:
            raise Fatal(
                f"reading took longer than {self.longest:,.0f} s: a snapshot is held no longer, "
                "because it keeps dead rows of the whole database alive; narrow the filter, divide "
                "the download, or raise parameters.download_config.longest_s",
                kind="config",
            )

    @contextlib.contextmanager
    def _explained(self, relation: Relation | None = None) -> Iterator[None]:
        """Errors of the values (a filter's, or ones that a format has no room for) are final."""
        try:
            yield
        except psycopg.DataError as error:
            words = error.diag.message_primary
            if words is None:  # The driver's: of a time that Python has no type for.
                columns = [c.name for c in relation.columns if _is_time(c)] if relation else []
                words = f"{error}, in column {' or '.join(columns)}: CSV takes every value"
            raise Fatal(words, kind="data") from None
        except psycopg.errors.UndefinedFunction as error:
            raise Fatal(f"attribute filter: {error.diag.message_primary}", kind="data") from None


def check_filter(snapshot: Snapshot, relation: Relation) -> None:
    """Refuse values of the filter that their column's type does not know.

    Raises:
        Fatal: it names the column.
    """
    for condition in relation.request.filter:
        column = relation.find(condition.column, "filter")
        kind = cast_of(column, condition.operator)
        statement = sql.SQL("select count(cast(v as {})) from unnest({}::text[]) as v")
        try:
            snapshot.execute(statement.format(sql.SQL(kind), sql.Literal(list(condition.values))))
        except Fatal as error:
            words = f'attribute filter: column "{column.name}" is of type {column.type}: {error}'
            raise Fatal(words, kind="data") from None


@contextlib.contextmanager
def snapshot(run: Run) -> Iterator[Snapshot]:
    """The one transaction of a download; it ends before anything is stored."""
    connection = run.connection()
    connection.row_factory = tuple_row
    try:
        taken = Snapshot(run, connection)
        taken.begin()
        yield taken
        connection.execute("commit")
    finally:
        # A cancel in the middle of a COPY leaves the connection in no state to go on.
        connection.close()


def _is_time(column: Column) -> bool:
    return column.plain.startswith(("date", "time"))


def _size(row: Row) -> int:
    return sum(len(value) if isinstance(value, str | bytes) else 16 for value in row)
