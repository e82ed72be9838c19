"""A look at a file before it is loaded: dialect, columns, types, where the rows begin."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from loading.detect import detect, has_header
from loading.dialect import Dialect
from loading.infer import TEXT, infer_all
from loading.names import LONGEST_NAME, column_names
from loading.options import Options, wrong
from loading.rows import row_at
from loading.source import Source, not_text
from locaria_reporter import Fatal

MOST_COLUMNS = 1600
_HEAD = 1 << 20
_HEAD_OF_LARGE = 256 << 10
_DIALECT_FROM = 64 << 10
_SPOTS = 16
_SPOT = 16 << 10
# What Excel writes, and reads, above the header: it is no row.
_DECLARED = re.compile(r"(?i)sep=([,;:|~^\t]) *(?=[\r\n])")


@dataclass(frozen=True)
class Survey:
    """What was found.

    Attributes:
        columns: name → type, in the file's order.
        guessed: names of the columns whose type was inferred.
        learned: types that an earlier attempt found to be needed.
        offset: where the first row begins, in the decoded stream; `line`: of it.
        empty: there is no row.
    """

    dialect: Dialect
    columns: Mapping[str, str]
    guessed: frozenset[str]
    learned: Mapping[str, str]
    offset: int
    line: int
    empty: bool


def survey(source: Source, options: Options, learned: Mapping[str, str]) -> Survey:
    """Look at the file's beginning, and at some places further on.

    Args:
        source: the file.
        options: what is known of it already.
        learned: types that an earlier attempt found to be needed, by column.

    Raises:
        Fatal: it can't be loaded; the text says why.
    """
    head, whole = _read_head(source)
    text = _decode(source, head, whole)
    declared = _DECLARED.match(text)
    if declared is not None:
        text = text[declared.end() :]
        head = b" " * declared.end() + head[declared.end() :]
    dialect = detect(
        _whole_rows(text[:_DIALECT_FROM], len(text) > _DIALECT_FROM or not whole),
        options.delimiter or (declared[1] if declared is not None else None),
        options.quote,
        options.escape,
    )
    looked_at = text if whole else _whole_rows(text[:_HEAD_OF_LARGE], cut=True)
    rows = list(dialect.parse(looked_at))
    if not rows:
        raise Fatal(f"{source.name} is empty: there are only blank lines", kind="data")
    if dialect.delimiter in options.null:
        raise wrong("null", options.null, "a text without the delimiter")
    if not dialect.direct and any(byte.decode() in options.null for byte in dialect.spare):
        raise wrong("null", options.null, "a text without control characters")
    header = options.header
    if header is None:
        header = has_header(rows, options.null)
    offset, line = _begin_of_rows(head, dialect, header, source, whole)
    names = _names(rows[0], header, options, source.name)
    sample = rows[1:] if header else rows
    if not whole:
        sample += _spots(source, dialect, len(names))
    columns = _types(names, sample, options, learned)
    guessed = frozenset() if options.mode == "append" else frozenset(names) - set(options.types)
    empty = whole and not head[offset:].strip()
    return Survey(dialect, columns, guessed, learned, offset, line, empty)


def _read_head(source: Source) -> tuple[bytes, bool]:
    """The file's beginning in UTF-8, and whether that is all of it."""
    stream = source.open()
    try:
        head = b""
        while len(head) <= _HEAD:
            chunk = stream.read(_HEAD)
            if not chunk:
                return head, True
            head += chunk
        return head, False
    finally:
        stream.close()


def _decode(source: Source, head: bytes, whole: bool) -> str:
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(head, whole)
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        raise not_text(source, head[error.start], source.bom + error.start, line) from None


def _whole_rows(text: str, cut: bool) -> str:
    """`text` without the row in which it was cut (as far as that can be told)."""
    end = max(text.rfind("\n"), text.rfind("\r")) + 1
    return text[:end] if cut and end else text


def _names(first: Sequence[str], header: bool, options: Options, name: str) -> list[str]:
    found = column_names(first) if header else [f"column_{n + 1}" for n in range(len(first))]
    if options.columns is not None:
        if len(options.columns) != len(found):
            raise Fatal(
                f"attribute columns: {len(options.columns)} names are given, "
                f"{name} has {len(found)} columns",
                kind="data",
            )
        found = list(options.columns)
        if len(set(found)) < len(found) or any(len(n.encode()) > LONGEST_NAME for n in found):
            raise Fatal(
                f"attribute columns: names must differ and have {LONGEST_NAME} bytes at most",
                kind="data",
            )
    if len(found) > MOST_COLUMNS:
        raise Fatal(
            f"{len(found):,} columns: a table has {MOST_COLUMNS:,} at most; "
            "split the file, or load it with the columns as rows",
            kind="data",
        )
    if unknown := [each for each in options.types if each not in found]:
        raise Fatal(
            f"attribute types: {name} has no column {unknown[0]!r}; "
            f"it has {', '.join(map(repr, found[:50]))}",
            kind="data",
        )
    return found


def _types(
    names: Sequence[str],
    sample: Sequence[Sequence[str]],
    options: Options,
    learned: Mapping[str, str],
) -> dict[str, str]:
    inferred = dict(zip(names, infer_all(sample, len(names), options.null), strict=True))
    if options.mode == "append":
        # The target's types count; the database knows them.
        return dict.fromkeys(names, TEXT)
    return {name: options.types.get(name) or learned.get(name) or inferred[name] for name in names}


def _begin_of_rows(
    head: bytes, dialect: Dialect, header: bool, source: Source, whole: bool
) -> tuple[int, int]:
    """Offset and line of the first row after blank lines and the header."""
    newline = dialect.newline_byte
    offset, line = 0, 1
    for is_header in (False, True):
        if is_header and not header:
            break
        while offset < len(head):
            end = head.find(newline, offset) + 1 or len(head)
            if is_header:
                end = min(row_at(head, offset, dialect)[0] + 1, len(head))
            blank = not head[offset:end].strip()
            if end == len(head) and not whole and not blank:
                raise Fatal(
                    f"{source.name}: its first row does not end within {_HEAD >> 20} MB: "
                    "is it a CSV?",
                    kind="data",
                )
            if not is_header and not blank:
                break
            line += head.count(newline, offset, end)
            offset = end
            if is_header:
                break
    return offset, line


def _spots(source: Source, dialect: Dialect, columns: int) -> list[list[str]]:
    """Rows from places all over a large file: a first part is often not like the rest."""
    if source.compression or source.encoding != "utf-8":
        return []
    found: list[list[str]] = []
    with source.path.open("rb", buffering=0) as file:
        for spot in range(1, _SPOTS + 1):
            file.seek(max(0, source.size * spot // _SPOTS - _SPOT))
            _, _, data = file.read(_SPOT).partition(dialect.newline_byte)
            text = _whole_rows(data.decode("utf-8", "ignore"), cut=True)
            rows = list(islice(dialect.parse(text), _SPOT))
            # A place in the middle of a quoted text looks irregular.
            if all(len(row) == columns for row in rows):
                found += rows
    return found
