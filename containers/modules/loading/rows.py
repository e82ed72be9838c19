"""The rows of a block one by one: for the few blocks that COPY refused as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .detect import Dialect
from .quotes import as_text, field_of

_SUSPECT = re.compile(rb"[\0\\]")


class Row(NamedTuple):
    """One row, without its line end.

    Attributes:
        data: as it stands in the file.
        line: of its beginning.
        lines: how many lines it takes.
        end: offset in its block of what comes after it.
        flaw: why it can't be loaded, None when only the database can tell.
        meant: the row as COPY is to see it, where that is not `data`.
    """

    data: bytes
    line: int
    lines: int
    end: int
    flaw: str | None = None
    meant: bytes | None = None


def read_rows(data: bytes, dialect: Dialect, columns: int, line: int) -> Iterator[Row]:
    """The rows of a block, those with obvious flaws marked; blank lines are left out.

    Where a quote is not closed on its line, what follows is swallowed up to the next quote. That is
    noticed by what is behind that, or by the wrong number of fields: if the line after it is a
    complete row, only the first line is taken for bad.

    Args:
        data: whole rows.
        dialect: of the file.
        columns: how many fields a row must have.
        line: of the first row.
    """
    newline = dialect.newline_byte
    start = 0
    while start < len(data):
        end, meant, flaw = row_at(data, start, dialect)
        lines = data.count(newline, start, end) + 1
        if flaw is None:
            flaw = _flaw_of(meant, dialect, columns)
            if flaw is not None and lines > 1:
                first = _line_end(data, start, newline)
                after = data[first + 1 : _line_end(data, first + 1, newline)]
                if columns > 1 and count_fields(after, dialect) == columns:
                    end, lines, flaw = first, 1, "a quote is not closed on this line"
        row = data[start:end].removesuffix(b"\r")
        start = min(end + 1, len(data))
        if row or columns == 1:
            meant = meant.removesuffix(b"\r")
            yield Row(row, line, lines, start, flaw, meant if meant != row else None)
        line += lines


def row_at(data: bytes, start: int, dialect: Dialect) -> tuple[int, bytes, str | None]:
    """The row that begins at `start`: where its line end is, and the row as COPY is to see it.

    Quotes in the middle of a field are characters: COPY is to see the field quoted. Where quotes
    make no sense, the row ends with its first line, and what is wrong with them is returned, too.
    """
    newline, delimiter, quote = dialect.newline_byte, dialect.delimiter_byte, dialect.quote_byte
    line_end = end = _line_end(data, start, newline)
    if not quote or quote not in data[start:end]:
        return end, data[start:end], None
    shape, fields, end = field_of(dialect), [], start - 1
    while end < start or data[end : end + 1] == delimiter:
        at = end + 1
        found = shape.match(data, at)
        assert found is not None, "a field may be empty"
        end = found.end()
        if found[1] is not None:
            fields.append(found[0])
            if data[end : end + 1] == quote:
                spans = end > line_end
                flaw = "is not closed on this line" if spans else "within quotes is not doubled"
                return line_end, data[start:line_end], f"a quote {flaw}"
        elif data.startswith((quote, b" " + quote), at):
            return line_end, data[start:line_end], "a quote is not closed"
        else:
            fields.append(as_text(found[0], quote))
    return end, delimiter.join(fields), None


def _line_end(data: bytes, start: int, newline: bytes) -> int:
    end = data.find(newline, start)
    return end if end >= 0 else len(data)


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
