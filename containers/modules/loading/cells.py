"""The cells of a column of a sheet: of which kind they are, and as Arrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_INTEGER_MAX, _EXACT = 2**31, 2**53
Row = Sequence[Any]
_ARROW = {
    float: pa.float64(),
    int: pa.int64(),
    bool: pa.bool_(),
    date: pa.date32(),
    datetime: pa.timestamp("us"),
    time: pa.time64("us"),
    timedelta: pa.duration("us"),
}


@dataclass(frozen=True)
class Kind:
    """What a column becomes: its Arrow type, and how a cell gets there."""

    arrow: pa.DataType
    convert: Callable[[Any], Any]


class Column:
    """The cells of a column, and what kinds were seen. Cells of one kind are kept as Arrow."""

    def __init__(self) -> None:
        self._parts: list[pa.Array | Row] = []
        self._seen: set[type] = set()
        self._whole, self._highest = True, 0.0

    def add(self, cells: Row) -> None:
        """The cells of some more rows; '' is an empty cell."""
        kinds = set(map(type, cells))
        if kinds == {str}:
            texts = pa.array(cells, pa.large_string())
            filled = pc.not_equal(texts, "")
            if pc.any(filled).as_py():
                self._seen.add(str)
            self._parts.append(pc.if_else(filled, texts, None))
            return
        if str in kinds and not any(cell for cell in cells if type(cell) is str):
            kinds.discard(str)
            cells = [None if cell == "" else cell for cell in cells]
        self._seen |= kinds
        arrow = _ARROW.get(next(iter(kinds))) if len(kinds) == 1 else None
        if arrow == pa.float64():
            self._measure(pa.array(cells, arrow))
        elif float in kinds:
            self._measure(pa.array([c for c in cells if type(c) is float], pa.float64()))
        try:
            self._parts.append(cells if arrow is None else pa.array(cells, arrow))
        except (ValueError, pa.ArrowException):
            self._parts.append(cells)

    def _measure(self, numbers: pa.Array) -> None:
        found = pc.drop_null(numbers).to_numpy()
        self._whole = self._whole and bool((np.floor(found) == found).all())
        self._highest = max(self._highest, float(np.abs(found).max(initial=0)))

    def kind(self) -> Kind:
        """What all of its cells fit into."""
        return _kind(self._seen, self._whole, self._highest)

    def part(self, index: int, kind: Kind) -> pa.Array:
        """Some rows' cells, as what the column becomes."""
        part = self._parts[index]
        if not isinstance(part, pa.Array):
            return _array(part, kind)
        if part.type == kind.arrow:
            return part
        if pa.types.is_large_string(kind.arrow) or part.null_count == len(part):
            return _array(part.to_pylist(), kind)
        return part.cast(kind.arrow)

    def __len__(self) -> int:
        return len(self._parts)


def _kind(seen: set[type], whole: bool, highest: float) -> Kind:  # noqa: PLR0911 - cases
    if seen and seen <= {float, int}:
        if whole and highest < _EXACT:
            arrow = pa.int32() if highest < _INTEGER_MAX else pa.int64()
            return Kind(arrow, int)
        return Kind(pa.float64(), float)
    if seen == {bool}:
        return Kind(pa.bool_(), bool)
    if seen == {date}:
        return Kind(pa.date32(), _as_it_is)
    if seen and seen <= {date, datetime}:
        return Kind(pa.timestamp("us"), _moment)
    if seen == {time}:
        return Kind(pa.time64("us"), _as_it_is)
    if seen == {timedelta}:
        return Kind(pa.duration("us"), _as_it_is)
    return Kind(pa.large_string(), text_of)


def _as_it_is(cell: Any) -> Any:
    return cell


def _moment(cell: Any) -> datetime:
    if isinstance(cell, datetime):
        return cell
    return datetime.combine(cell, time())


def text_of(cell: Any) -> str:
    """A cell as a text, as a person would write it."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    if isinstance(cell, bool):
        return str(cell).lower()
    return str(cell)


def _array(cells: Sequence[Any], kind: Kind) -> pa.Array:
    values = [None if cell == "" else cell for cell in cells]
    try:
        # All at once where no cell has to be converted; whole numbers come as floats.
        if pa.types.is_integer(kind.arrow):
            return pa.array(values, pa.float64()).cast(kind.arrow)
        return pa.array(values, kind.arrow)
    except (TypeError, ValueError, pa.ArrowException):
        return pa.array([None if v is None else kind.convert(v) for v in values], kind.arrow)
