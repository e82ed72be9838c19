"""JSON: an array of objects, one object a line (NDJSON), or an object that holds such an array.

Two passes: the first finds columns and types out of all values, so that none breaks them later.
Whole numbers become integer, bigint or numeric, others double precision; texts that are all ISO
dates or moments become these; what is nested becomes jsonb; a mixture becomes text.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from locaria_reporter import Fatal

from .infer import DATE, TEXT, TIMESTAMP, TIMESTAMPTZ, infer, join
from .layers import BadRow, Layer

_CHUNK = 1 << 20
_LONGEST = 64 << 20
_ROWS = 5_000
_SMALL, _LARGE = 2**31, 2**63
_MOMENTS = {DATE, TIMESTAMP, TIMESTAMPTZ}
_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n\x1e"


@dataclass(frozen=True)
class _Broken:
    """A line that is no JSON object."""

    text: str
    reason: str


@dataclass
class _Column:
    """What was seen of a column."""

    kinds: set[str] = field(default_factory=set)
    largest: int = 0
    moment: str | None = None


def layers(path: Path, name: str, encoding: str | None) -> list[Layer]:
    """The one table of a JSON document.

    Raises:
        Fatal: it is no array of objects.
    """
    document = _Document(path, name, encoding or "utf-8-sig")
    columns: dict[str, _Column] = {}
    count = good = 0
    for item in document.items():
        count += 1
        if isinstance(item, dict):
            good += 1
            for key, value in item.items():
                _see(columns.setdefault(key, _Column()), value)
    if count and not good:
        raise Fatal(f"{name}: its array holds no objects, so there are no columns", kind="data")
    if not columns:
        raise Fatal(f"{name} holds no object", kind="data")
    made = {key: _arrow(column) for key, column in columns.items()}
    schema = pa.schema([pa.field(key, *_field(kind)) for key, kind in made.items()])

    def read(skip: int) -> Iterator[pa.RecordBatch | BadRow]:
        return _read(document, skip, made, schema)

    return [Layer("", schema, read, count)]


def _field(kind: _Made) -> tuple[pa.DataType, bool, dict[str, str]]:
    return kind.arrow, True, {"GDAL:OGR:subtype": "JSON"} if kind.is_json else {}


@dataclass(frozen=True)
class _Made:
    arrow: pa.DataType
    convert: Callable[[Any], Any]
    is_json: bool = False


def _see(column: _Column, value: Any) -> None:
    if value is None:
        return
    kind = type(value).__name__
    column.kinds.add(kind)
    if kind == "int":
        column.largest = max(column.largest, abs(value))
    elif kind == "str" and column.moment != TEXT:
        column.moment = join(column.moment, infer([value]))
        if column.moment not in _MOMENTS:
            column.moment = TEXT


def _arrow(column: _Column) -> _Made:  # noqa: PLR0911 - a table of cases
    kinds = column.kinds
    if kinds & {"dict", "list"}:
        return _Made(pa.large_string(), _as_json, is_json=True)
    if kinds == {"bool"}:
        return _Made(pa.bool_(), bool)
    if kinds == {"int"} and column.largest < _LARGE:
        return _Made(pa.int32() if column.largest < _SMALL else pa.int64(), int)
    if kinds == {"int"} and column.largest < 10**38:
        return _Made(pa.decimal128(38, 0), Decimal)
    if kinds and kinds <= {"int", "float"} and column.largest < 2**53:
        return _Made(pa.float64(), float)
    if kinds == {"str"} and column.moment in _MOMENTS:
        return _moment(column.moment)
    return _Made(pa.large_string(), _as_text)


def _moment(kind: str) -> _Made:
    if kind == DATE:
        return _Made(pa.date32(), lambda v: date.fromisoformat(v.strip()))
    zone = "UTC" if kind == TIMESTAMPTZ else None
    return _Made(pa.timestamp("us", zone), lambda v: datetime.fromisoformat(v.strip()))


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _read(
    document: _Document, skip: int, made: dict[str, _Made], schema: pa.Schema
) -> Iterator[pa.RecordBatch | BadRow]:
    waiting: list[dict[str, Any]] = []
    for index, item in enumerate(document.items()):
        if index < skip:
            continue
        if isinstance(item, dict):
            waiting.append(item)
            if len(waiting) < _ROWS:
                continue
        if waiting:
            yield _batch(waiting, made, schema)
            waiting = []
        if isinstance(item, _Broken):
            yield BadRow(index, item.text, item.reason)
        elif not isinstance(item, dict):
            yield BadRow(index, _as_json(item)[:1000], "no object, but a value by itself")
    if waiting:
        yield _batch(waiting, made, schema)


def _batch(
    rows: Sequence[dict[str, Any]], made: dict[str, _Made], schema: pa.Schema
) -> pa.RecordBatch:
    arrays = []
    for key, kind in made.items():
        values = (row.get(key) for row in rows)
        arrays.append(
            pa.array([None if v is None else kind.convert(v) for v in values], kind.arrow)
        )
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class _Document:
    """Hands out the items one after another, holding a megabyte or the longest item."""

    def __init__(self, path: Path, name: str, encoding: str) -> None:
        self._path, self._name, self._encoding = path, name, encoding

    def items(self) -> Iterator[Any]:
        """Objects, other values, and lines that are broken."""
        window = _Window(self._path, self._name, self._encoding)
        try:
            first = window.peek()
            if first == "[":
                window.drop(1)
                yield from self._array(window)
                return
            if first == "{":
                yield from self._objects(window)
                return
            raise Fatal(f"{self._name} holds no JSON object", kind="data")
        finally:
            window.close()

    def _array(self, window: _Window) -> Iterator[Any]:
        while True:
            mark = window.peek()
            if mark == "]":
                return
            if mark == ",":
                window.drop(1)
            elif mark == "":
                raise Fatal(
                    f"{self._name}, line {window.line:,}: the array does not end: is the file "
                    "cut off?",
                    kind="data",
                )
            else:
                yield window.value()

    def _objects(self, window: _Window) -> Iterator[Any]:
        """One a line; or one object altogether, of which one member is the array."""
        try:
            first = window.value()
        except Fatal:
            first = window.broken_line()
        if window.peek() == "":
            arrays = [v for v in first.values() if _is_table(v)] if isinstance(first, dict) else []
            yield from arrays[0] if len(arrays) == 1 else [first]
            return
        yield first
        while window.peek():
            try:
                yield window.value()
            except Fatal:
                yield window.broken_line()


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


class _Window:
    """A piece of the text that moves on."""

    def __init__(self, path: Path, name: str, encoding: str) -> None:
        self._file = path.open("rb")
        self._name = name
        head = self._file.read(4)
        self._file.seek(0)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._text, self._at, self.line = "", 0, 1
        self._ended = False

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def peek(self) -> str:
        """The next character that is no space; '' at the end."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in _SPACE:
                self.line += text[at] == "\n"
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._more():
                return ""

    def drop(self, count: int) -> None:
        """Go on."""
        self._at += count

    def value(self) -> Any:
        """The next JSON value.

        Raises:
            Fatal: it is none; nothing is dropped.
        """
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                line = self.line + self._text.count("\n", self._at, error.pos)
                problem = f"{self._name}, line {line:,}: {error.msg}"
                # What is broken at the very end of the window may be complete with more of it.
                cut = error.pos >= len(self._text) - 16 or error.msg.startswith("Unterminated")
                if not cut or len(self._text) - self._at > _LONGEST or not self._more():
                    raise Fatal(problem, kind="data") from None
                continue
            if end == len(self._text) and self._more():
                continue  # A number may go on.
            self.line += self._text.count("\n", self._at, end)
            self._at = end
            return value

    def broken_line(self) -> _Broken:
        """Drop the line that is no JSON."""
        while (end := self._text.find("\n", self._at)) < 0 and self._more():
            pass
        end = end + 1 or len(self._text)
        text = self._text[self._at : end]
        self._at = end
        self.line += 1
        try:
            json.loads(text)
            reason = "is not understood"
        except json.JSONDecodeError as error:
            reason = f"{error.msg} at character {error.pos + 1}"
        return _Broken(text[:1000], f"no JSON: {reason}")

    def _more(self) -> bool:
        if self._ended:
            return False
        data = self._file.read(_CHUNK)
        self._ended = not data
        try:
            text = self._decoder.decode(data, self._ended)
        except UnicodeDecodeError as error:
            offset = self._file.tell() - len(data) + error.start
            raise Fatal(
                f"{self._name} is not {self._encoding}: byte 0x{error.object[error.start]:02X} "
                f"at offset {offset:,}, near line {self.line:,}; "
                "say by attribute encoding what it is",
                kind="data",
            ) from None
        self._text = self._text[self._at :] + text
        self._at = 0
        return True
