"""The rows of a block one by one: for the few blocks that COPY refused as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .detect import Dialect

_SUSPECT = re.compile(rb"[\0\\]")


class Row(NamedTuple):
    """One row, without its line end.

    Attributes:
        data: as it stands in the file.
        line: of its beginning.
        lines: how many lines it takes.
        end: offset in its block of what comes after it.
        flaw: why it can't be loaded, None when only the database can tell.
    """

    data: bytes
    line: int
    lines: int
    end: int
    flaw: str | None = None


def read_rows(data: bytes, dialect: Dialect, columns: int, line: int) -> Iterator[Row]:
    """The rows of a block, those with obvious flaws marked; blank lines are left out.

    Where a quote is not closed on its line, what follows is swallowed up to the next quote. That is
    noticed by the wrong number of fields: if the line after it is a complete row, only the first
    line is taken for bad.

    Args:
        data: whole rows.
        dialect: of the file.
        columns: how many fields a row must have.
        line: of the first row.
    """
    newline = dialect.newline_byte
    start = 0
    while start < len(data):
        end, lines = _row_end(data, start, dialect)
        flaw = _flaw_of(data[start:end], dialect, columns)
        if end == len(data) and dialect.quote and data.count(dialect.quote_byte, start) % 2:
            flaw = "a quote is not closed"
        if flaw is not None and lines > 1:
            first = data.find(newline, start)
            next_end = data.find(newline, first + 1)
            after = data[first + 1 : next_end if next_end >= 0 else len(data)]
            if columns > 1 and count_fields(after, dialect) == columns:
                end, lines, flaw = first, 1, "a quote is not closed on this line"
        row = data[start:end]
        start = min(end + 1, len(data))
        if row.strip(b"\r") or columns == 1:
            yield Row(row.removesuffix(b"\r"), line, lines, start, flaw)
        line += lines


def _row_end(data: bytes, start: int, dialect: Dialect) -> tuple[int, int]:
    """Where the row's line end is, and how many lines it takes."""
    newline, quote = dialect.newline_byte, dialect.quote_byte
    lines, quotes, since = 0, 0, start
    while True:
        end = data.find(newline, since)
        lines += 1
        if end < 0:
            return len(data), lines
        if not quote:
            return end, lines
        quotes += data.count(quote, since, end)
        if quotes % 2 == 0:
            return end, lines
        since = end + 1


def _flaw_of(row: bytes, dialect: Dialect, columns: int) -> str | None:
    if not _SUSPECT.search(row) and count_fields(row, dialect) == columns:
        return None
    if b"\0" in row:
        return f"NUL byte at column {_field_of(row, dialect)}: Postgres has no text with it"
    fields = count_fields(row, dialect)
    if fields != columns and (row.strip(b"\r") or columns == 1):
        return f"{fields} fields where there are {columns} columns"
    if b"\\." in row and any(part.strip(b"\r") == b"\\." for part in row.split(b"\n")):
        return "a line of just \\. ends a COPY: quote it together with another character"
    return None


def count_fields(row: bytes, dialect: Dialect) -> int:
    """How many fields COPY sees in a row."""
    if not dialect.quote or dialect.quote_byte not in row:
        return row.count(dialect.delimiter_byte) + 1
    outside = row.split(dialect.quote_byte)[::2]
    return sum(part.count(dialect.delimiter_byte) for part in outside) + 1


def _field_of(row: bytes, dialect: Dialect) -> int:
    return count_fields(row[: row.index(b"\0")], dialect)
