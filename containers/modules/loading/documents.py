"""JSON: an array of objects, one object a line (NDJSON), or an object that holds such an array.

Two passes: the first finds columns and types out of all values, so that none breaks them later.
Whole numbers become integer, bigint or numeric, others double precision; texts that are all ISO
dates or moments become these; what is nested becomes jsonb; a mixture becomes text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from loading.infer import DATE, TEXT, TIMESTAMP, TIMESTAMPTZ, infer, join
from loading.json_window import Broken, Window
from loading.layers import BadRow, Layer
from locaria_reporter import Fatal

_ROWS = 5_000
_SMALL, _LARGE = 2**31, 2**63
_MOMENTS = {DATE, TIMESTAMP, TIMESTAMPTZ}


@dataclass
class _Column:
    """What was seen of a column."""

    moment: str | None = None
    declared: str = ""
    kinds: set[str] = field(default_factory=set)
    largest: int = 0


def layers(path: Path, name: str, encoding: str | None) -> list[Layer]:
    """The one table of a JSON document.

    Raises:
        Fatal: it is no array of objects.
    """
    layer = layer_of(_Document(path, name, encoding or "utf-8-sig"), "")
    if layer.rows and not layer.schema.names:
        raise Fatal(f"{name}: its array holds no objects, so there are no columns", kind="data")
    if not layer.schema.names:
        raise Fatal(f"{name} holds no object", kind="data")
    return [layer]


class Document(Protocol):
    """Hands out objects, the same ones each time."""

    @property
    def keys(self) -> Mapping[str, str]:
        """Columns that always exist, with their types where all values are NULL.

        Texts of a column that is none of `date` stay texts.
        """
        ...

    def items(self) -> Iterator[Any]:
        """Objects, other values, and lines that are broken."""
        ...


def layer_of(document: Document, label: str) -> Layer:
    """The table of a document's objects, with types that hold for all of their values.

    Args:
        document: which is read twice.
        label: the name of the layer.
    """
    known = document.keys.items()
    columns = {k: _Column(None if kind == DATE else TEXT, kind) for k, kind in known}
    count = 0
    for item in document.items():
        count += 1
        if isinstance(item, dict):
            for key, value in item.items():
                _see(columns.setdefault(key, _Column()), value)
    made = {key: _arrow(column) for key, column in columns.items()}
    schema = pa.schema([pa.field(key, *_field(kind)) for key, kind in made.items()])

    def read(skip: int) -> Iterator[pa.RecordBatch | BadRow]:
        return _read(document, skip, made, schema)

    return Layer(label, schema, read, count)


def _field(kind: Made) -> tuple[pa.DataType, bool, dict[str, str]]:
    return kind.arrow, True, {"GDAL:OGR:subtype": "JSON"} if kind.is_json else {}


@dataclass(frozen=True)
class Made:
    """What a column becomes: its Arrow type, and how a value gets there."""

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


def _arrow(column: _Column) -> Made:  # noqa: PLR0911 - a table of cases
    kinds = column.kinds or {column.declared}
    if kinds & {"dict", "list"}:
        return Made(pa.large_string(), _as_json, is_json=True)
    if kinds == {"bytes"}:
        return Made(pa.large_binary(), bytes)
    if kinds == {"bool"}:
        return Made(pa.bool_(), bool)
    if kinds == {"int"} and column.largest < _LARGE:
        return Made(pa.int32() if column.largest < _SMALL else pa.int64(), int)
    if kinds == {"int"} and column.largest < 10**38:
        return Made(pa.decimal128(38, 0), Decimal)
    if kinds and kinds <= {"int", "float"} and column.largest < 2**53:
        return Made(pa.float64(), float)
    if kinds == {"str"} and column.moment in _MOMENTS:
        return _moment(column.moment)
    return Made(pa.large_string(), _as_text)


def _moment(kind: str) -> Made:
    if kind == DATE:
        return Made(pa.date32(), lambda v: date.fromisoformat(v.strip()))
    zone = "UTC" if kind == TIMESTAMPTZ else None
    return Made(pa.timestamp("us", zone), lambda v: datetime.fromisoformat(v.strip()))


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return json.dumps(value, ensure_ascii=False)


def _read(
    document: Document, skip: int, made: dict[str, Made], schema: pa.Schema
) -> Iterator[pa.RecordBatch | BadRow]:
    waiting: list[dict[str, Any]] = []
    index = skip
    for index, item in enumerate(document.items()):
        if index < skip:
            continue
        if isinstance(item, dict):
            waiting.append(item)
            if len(waiting) == _ROWS:
                yield from _rows(waiting, made, schema, index + 1 - _ROWS)
                waiting = []
            continue
        yield from _rows(waiting, made, schema, index - len(waiting))
        waiting = []
        if isinstance(item, Broken):
            yield BadRow(index, item.text, item.reason)
        else:
            yield BadRow(index, _as_json(item)[:1000], "no object, but a value by itself")
    yield from _rows(waiting, made, schema, index + 1 - len(waiting))


def _rows(
    rows: Sequence[dict[str, Any]], made: dict[str, Made], schema: pa.Schema, first: int
) -> Iterator[pa.RecordBatch | BadRow]:
    """A batch of the rows; without those that hold half a character."""
    if not rows:
        return
    try:
        yield _batch(rows, made, schema)
    except UnicodeEncodeError as error:
        if len(rows) == 1:
            text = json.dumps(rows[0])[:1000]
            yield BadRow(first, text, f"half a character (surrogate): {error.reason}")
            return
        middle = len(rows) // 2
        yield from _rows(rows[:middle], made, schema, first)
        yield from _rows(rows[middle:], made, schema, first + middle)


def _batch(
    rows: Sequence[dict[str, Any]], made: dict[str, Made], schema: pa.Schema
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

    @property
    def keys(self) -> Mapping[str, str]:
        """None is known before."""
        return {}

    def items(self) -> Iterator[Any]:
        """Objects, other values, and lines that are broken."""
        window = Window(self._path, self._name, self._encoding)
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

    def _array(self, window: Window) -> Iterator[Any]:
        while True:
            mark = window.peek()
            if mark == "]":
                window.drop(1)
                if window.peek():
                    raise Fatal(
                        f"{self._name}, line {window.line:,}: there is more behind the end of the "
                        "array",
                        kind="data",
                    )
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

    def _objects(self, window: Window) -> Iterator[Any]:
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
