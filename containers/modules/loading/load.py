"""Blocks of rows into the staging table; of a block with bad rows, all but those."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from loading.blocks import Block, pieces
from loading.copies import Wire
from loading.dialect import Dialect
from loading.infer import TEXT
from loading.rows import Row, hint_at_escape, read_rows
from loading.source import Source, not_text
from loading.survey import Survey
from locaria_reporter import Run, Staging

_PIECE = 128 << 10
_SHOWN_VALUES = 100
_SHOWN_BYTES = 10_000
# Data exceptions, broken constraints, a row larger than a page: the row is bad, not the load.
_OF_A_ROW = ("22", "23", "54")
_ENCODING = "22021"
_LINE = re.compile(r"COPY .*?, \D*(\d+)")


@dataclass
class Trouble:
    """What was wrong with values, by column: whether a type was inferred too narrowly."""

    rejected: int = 0
    last: str = ""
    by_column: Counter[str] = field(default_factory=Counter)
    values: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class Load:
    """Fills one staging table, going on where an earlier attempt ended.

    Args:
        run: to report to.
        source: where the rows come from, for messages.
        survey: what is known of them.
        staging: the table.
        null: how NULL is written.

    Attributes:
        offset, line: where the rows begin that are not stored yet, when it is made.
        position: how many bytes of the file itself are done, for progress.
    """

    def __init__(
        self,
        run: Run,
        source: Source,
        survey: Survey,
        staging: Staging,
        *,
        null: str,
    ) -> None:
        self._run = run
        self._source = source
        self._survey = survey
        self._staging = staging
        self._names = list(survey.columns)
        self._null = null
        self._options: dict[tuple[str, bool], str] = {}
        reached = staging.checkpoint
        self._before = int(reached.get("rejected", 0))
        self.offset = int(reached.get("offset", survey.offset))
        self.line = int(reached.get("line", survey.line))
        self.position = 0
        self.trouble = Trouble()
        self._told = self.rejected

    @property
    def rejected(self) -> int:
        """Rows set aside so far, those of earlier attempts included."""
        return self._before + self.trouble.rejected

    def add(self, block: Block) -> None:
        """Load a block; its bad rows are set aside."""
        if block.misplaced:
            self._salvage(block)
        elif block.unclosed:
            row = Row(block.data, block.line, 1, len(block.data))
            self._reject(row, _why_unclosed(block.data, self._survey.dialect))
        elif not self._add_whole(block):
            for piece in pieces(block, self._survey.dialect, _PIECE):
                if not self._add_whole(piece):
                    self._salvage(piece)
        if self.owes:
            self._told = self.rejected
            self._staging.write(b"", self.checkpoint(block))
        self.position = block.position

    def _add_whole(self, block: Block) -> bool:
        """Load a block as it stands; False when there is a bad row in it, and nothing is loaded."""
        if _ends_copy(block):
            return False
        try:
            wire = self._wire(block)
            self._write(wire.data, wire.options, *_end_of(block))
        except psycopg.Error as error:
            if not _concerns_a_row(error):
                raise
            self._check_encoding(block, error)
            return False
        return True

    @property
    def owes(self) -> bool:
        """Whether bad rows are not stored yet: they are with what is written next."""
        return self.rejected != self._told

    def wire(self, block: Block) -> Wire | None:
        """As COPY takes it; None where that would not store every row of it."""
        if block.unclosed or block.misplaced or _ends_copy(block):
            return None
        return self._wire(block)

    def _wire(self, block: Block) -> Wire:
        data, delimiter = block.sent or (block.data, self._survey.dialect.delimiter)
        return Wire(data, self._options_for(delimiter, block.plain))

    def checkpoint(self, block: Block) -> dict[str, Any]:
        """Where a later attempt goes on behind it."""
        return self._checkpoint(*_end_of(block))

    def stored(self, block: Block) -> None:
        """It has been stored as it stands."""
        self.position = block.position

    @property
    def _newline(self) -> bytes:
        return self._survey.dialect.newline_byte

    def _write(self, data: bytes, options: str, offset: int, line: int) -> None:
        # Bad rows are stored before the block, whether it can be or not.
        self._told = self.rejected
        self._staging.write(data, self._checkpoint(offset, line), options=options)

    def _checkpoint(self, offset: int, line: int) -> dict[str, Any]:
        return {"offset": offset, "line": line, "rejected": self.rejected}

    def _options_for(self, delimiter: str, plain: bool) -> str:
        found = self._options.get((delimiter, plain))
        if found is None:
            # Without quotes and backslashes, CSV and COPY's own text format are the same; that is
            # parsed faster.
            if plain:
                found = _text_options(self._null, delimiter)
            else:
                found = _csv_options(self._survey, self._null, delimiter)
            self._options[delimiter, plain] = found
        return found

    def _salvage(self, block: Block) -> None:
        """Load a block row by row, or nearly so."""
        good: list[Row] = []
        for row in read_rows(block.data, self._survey.dialect, len(self._names), block.line):
            if row.flaw is None:
                good.append(row)
            else:
                self._reject(row, row.flaw)
        self._add_rows(good, block.offset)

    def _add_rows(self, rows: Sequence[Row], offset: int) -> None:
        """Load rows, as many at once as go; those that are refused alone are bad."""
        at, step = 0, len(rows)
        while at < len(rows):
            some = rows[at : at + step]
            error = self._try(some, offset)
            if error is None:
                at, step = at + len(some), len(rows)
                continue
            before = _rows_before(error, some)
            if len(some) == 1 or (before == 0 and self._column_of(error) is not None):
                self._refused(some[0], error)
                at, step = at + 1, len(rows)
            elif before is None:
                step = len(some) // 2
            else:
                step = before or 1

    def _try(self, rows: Sequence[Row], offset: int) -> psycopg.Error | None:
        data = self._newline.join([row.meant or row.data for row in rows]) + self._newline
        last = rows[-1]
        options = self._options_for(self._survey.dialect.copied.delimiter, plain=False)
        try:
            self._write(data, options, offset + last.end, last.line + last.lines)
        except psycopg.Error as error:
            if not _concerns_a_row(error):
                raise
            return error
        return None

    def _refused(self, row: Row, error: psycopg.Error) -> None:
        reason = error.diag.message_primary or str(error)
        column = self._column_of(error)
        if column is not None:
            reason = f'column "{column}": {reason}'
            self._remember(column, row)
        self._reject(row, reason)

    def _remember(self, column: str, row: Row) -> None:
        trouble = self.trouble
        trouble.by_column[column] += 1
        text = row.data.decode("utf-8", "replace")
        fields = next(self._survey.dialect.parse(text), [])
        index = self._names.index(column)
        if len(trouble.values[column]) < _SHOWN_VALUES and index < len(fields):
            trouble.values[column].append(fields[index])

    def _reject(self, row: Row, reason: str) -> None:
        self.trouble.rejected += 1
        self.trouble.last = f"line {row.line:,}: {reason}"
        shown = row.data[:_SHOWN_BYTES].decode("utf-8", "replace")
        self._run.reject(shown, reason, line=row.line)

    def _column_of(self, error: psycopg.Error) -> str | None:
        context = error.diag.context or ""
        named = [n for n in self._names if f" {n}: " in context or context.endswith(f" {n}")]
        return max(named, key=len, default=None)

    def _check_encoding(self, block: Block, error: psycopg.Error) -> None:
        if error.sqlstate != _ENCODING:
            return
        try:
            block.data.decode("utf-8")
        except UnicodeDecodeError as where:
            raise not_text(
                self._source,
                block.data[where.start],
                self._source.bom + block.offset + where.start,
                block.line + block.data.count(self._newline, 0, where.start),
            ) from None


def _csv_options(survey: Survey, null: str, delimiter: str) -> str:
    copied = survey.dialect.copied
    options = [
        "format csv",
        f"delimiter {_literal(delimiter)}",
        f"quote {_literal(copied.quote)}",
        f"escape {_literal(copied.escape or copied.quote)}",
        f"null {_literal(null)}",
        "encoding 'UTF8'",
    ]
    # "" in a column of numbers is NULL as well.
    no_text = [name for name, kind in survey.columns.items() if kind != TEXT]
    if no_text:
        names = ", ".join(sql.Identifier(name).as_string(None) for name in no_text)
        options.append(f"force_null ({names})")
    return ", ".join(options)


def _text_options(null: str, delimiter: str) -> str:
    return f"format text, delimiter {_literal(delimiter)}, null {_literal(null)}, encoding 'UTF8'"


def _literal(text: str) -> str:
    return sql.Literal(text).as_string(None)


def _end_of(block: Block) -> tuple[int, int]:
    """Offset and line of what comes after it."""
    return block.offset + len(block.data), block.line + block.lines


def _ends_copy(block: Block) -> bool:
    r"""Whether a line of just `\.` is in there: before PostgreSQL 18 it silently ends a COPY."""
    if block.plain or b"\\." not in block.data:
        return False
    return re.search(rb"(?:^|[\r\n])\\\.(?:[\r\n]|$)", block.data) is not None


def _why_unclosed(line: bytes, dialect: Dialect) -> str:
    if dialect.quote and dialect.quote_byte in line:
        return "a quote is not closed" + hint_at_escape(line, dialect)
    return f"the row does not end within {len(line):,} bytes"


def _concerns_a_row(error: psycopg.Error) -> bool:
    return (error.sqlstate or "").startswith(_OF_A_ROW)


def _rows_before(error: psycopg.Error, rows: Sequence[Row]) -> int | None:
    """How many rows are before the one that COPY stopped at; None when that is not known."""
    match = _LINE.search(error.diag.context or "")
    # COPY counts lines: it names the last one of the bad row.
    line = int(match[1]) if match else 0
    for index, row in enumerate(rows):
        line -= row.lines
        if line <= 0:
            return index if match else None
    return None
