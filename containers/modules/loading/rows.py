"""The rows of a block one by one: for the few blocks that COPY refused as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from loading.dialect import Dialect
from loading.quotes import as_quoted, as_text, field_of

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
            flaw = _flaw_of(meant, dialect.copied, columns)
            if flaw is not None and lines > 1:
                first = _line_end(data, start, newline)
                after = data[first + 1 : _line_end(data, first + 1, newline)]
                if columns > 1 and count_fields(after, dialect) == columns:
                    end, lines, flaw = first, 1, "a quote is not closed on this line"
        row = data[start:end].removesuffix(b"\r")
        if flaw is not None and not flaw.startswith("NUL"):
            flaw += hint_at_escape(row, dialect)
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
    delimiter, quote, copied = dialect.delimiter_bytes, dialect.quote_byte, dialect.copied
    line_end = end = _line_end(data, start, dialect.newline_byte)
    if not quote or quote not in data[start:end]:
        return end, _as_copied(data[start:end], dialect), None
    shape, fields, at = field_of(dialect), [], start
    while True:
        found = shape.match(data, at)
        assert found is not None, "a field may be empty"
        end = found.end()
        if found[1] is not None:
            fields.append(as_quoted(found[0], dialect))
            if data[end : end + 1] == quote:
                doubled = "escaped" if dialect.escape else "doubled"
                flaw = f"within quotes is not {doubled}"
                if end > line_end:
                    flaw = "is not closed on this line"
                return line_end, data[start:line_end], f"a quote {flaw}"
        elif data.startswith((quote, b" " + quote), at):
            return line_end, data[start:line_end], "a quote is not closed"
        else:
            fields.append(as_text(found[0], copied))
        if not data.startswith(delimiter, end):
            return end, copied.delimiter_bytes.join(fields), None
        at = end + len(delimiter)


def _as_copied(row: bytes, dialect: Dialect) -> bytes:
    """A row without quotes."""
    copied = dialect.copied
    if dialect.direct and (dialect.quote or copied.quote_byte not in row):
        return row
    fields = row.split(dialect.delimiter_bytes)
    return copied.delimiter_bytes.join([as_text(field, copied) for field in fields])


def hint_at_escape(row: bytes, dialect: Dialect) -> str:
    r"""Of a row that makes no sense: that \" may be meant for a quote."""
    if dialect.escape or not dialect.quote or b"\\" + dialect.quote_byte not in row:
        return ""
    return f"; if \\{dialect.quote} is a quote in it, say so: attribute escape"


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
        return row.count(dialect.delimiter_bytes) + 1
    outside = dialect.between_quotes(row)[::2]
    return sum(part.count(dialect.delimiter_bytes) for part in outside) + 1


def _field_of(row: bytes, dialect: Dialect) -> int:
    return count_fields(row[: row.index(b"\0")], dialect)
