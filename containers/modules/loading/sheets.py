"""Spreadsheets (.xlsx, .xlsb, .xls, .ods), through calamine.

What a cell shows counts, never how it is formatted: numbers are double precision or, where all of
a column are whole, integer or bigint; dates, times and truth values are what they are; text stays
text. In a column of several kinds all become text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import python_calamine

from locaria_reporter import Fatal

from .detect import has_header
from .formulas import find_oddities
from .layers import Layer
from .names import column_names
from .options import Options

_ROWS = 5_000
_LOOKED_AT = 300
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


def layers(path: Path, name: str, options: Options) -> list[Layer]:
    """The sheets of a workbook that hold anything, as tables.

    Raises:
        Fatal: it can't be read, a sheet is not there, or has no row that names the columns.
    """
    try:
        book = python_calamine.load_workbook(str(path))
    except python_calamine.PasswordError:
        raise Fatal(f"{name} is protected by a password", kind="data") from None
    except (python_calamine.CalamineError, OSError) as error:
        raise Fatal(f"{name} is no spreadsheet, or is damaged ({error})", kind="data") from None
    visible = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
        and sheet.visible == python_calamine.SheetVisibleEnum.Visible
    ]
    wanted = list(options.layers or visible)
    if missing := [each for each in wanted if each not in book.sheet_names]:
        raise Fatal(
            f"{name} has no sheet {missing[0]!r}; it has {', '.join(map(repr, book.sheet_names))}",
            kind="data",
        )
    found = []
    for each in wanted:
        try:
            sheet = book.get_sheet_by_name(each)
        except (python_calamine.CalamineError, python_calamine.WorksheetNotFound) as error:
            raise Fatal(f"{name}, sheet {each!r}, is damaged ({error})", kind="data") from None
        if sheet.start is None and options.layers is None:
            continue
        where = f"{name}, sheet {each!r}"
        odd = find_oddities(path, each)
        if odd.unevaluated:
            raise Fatal(
                f"{where}, cell {odd.unevaluated}: a formula whose value was not stored; "
                "open the file in a spreadsheet program and save it",
                kind="data",
            )
        notes = []
        if odd.errors:
            notes = [f"{odd.errors:,} cells hold errors and become NULL; the first is {odd.error}"]
        found.append(_Sheet(sheet, where, options).layer(notes))
    if not found:
        raise Fatal(f"{name} is empty: no sheet holds anything", kind="data")
    return found


@dataclass(frozen=True)
class _Kind:
    """What a column becomes: its Arrow type, and how a cell gets there."""

    arrow: pa.DataType
    convert: Callable[[Any], Any]


class _Sheet:
    def __init__(self, sheet: python_calamine.CalamineSheet, where: str, options: Options) -> None:
        self._sheet, self._where, self._options = sheet, where, options
        # Where the sheet's first cell is: rows and columns before it are not handed out.
        self._top, self._left = sheet.start or (0, 0)
        self._merged = _merged(sheet, self._top, self._left)

    def layer(self, notes: list[str]) -> Layer:
        """The table: the row that names the columns, and what is below it."""
        named = self._header_row()
        rows = self._rows()
        names: list[str] = []
        if named is not None:
            header = next(islice(rows, named, None), None)
            if header is None:
                raise Fatal(
                    f"{self._where}: there is no row {self._top + named + 1:,}, which attribute "
                    "header_row names",
                    kind="data",
                )
            self._refuse_title(named, header)
            names = column_names([_text(cell) for cell in header])
        width = self._sheet.width
        names = (names + column_names([""] * width)[len(names) :])[:width]
        begin = 0 if named is None else named + 1
        columns = self._columns(begin, width)
        kinds = [column.kind() for column in columns]
        schema = pa.schema(
            [pa.field(each, kind.arrow) for each, kind in zip(names, kinds, strict=True)]
        )
        count = max(0, self._sheet.height - begin)
        return Layer(
            self._sheet.name,
            schema,
            partial(_read, columns, kinds, schema),
            count,
            first=self._top + begin + 1,
            notes=tuple(notes + self._merged_notes(begin)),
        )

    def _merged_notes(self, begin: int) -> list[str]:
        ranges = [
            f"{_cell(*first)}:{_cell(*last)}"
            for first, last in self._sheet.merged_cell_ranges or ()
            if last[0] >= self._top + begin
        ]
        if not ranges:
            return []
        return [f"{len(ranges):,} merged ranges: each cell gets the value ({ranges[0]}, …)"]

    def _header_row(self) -> int | None:
        """Its index in what calamine hands out; None when no row names the columns."""
        options = self._options
        if options.header is False:
            return None
        if options.header_row is not None:
            return max(0, options.header_row - 1 - self._top)
        sample = [[_text(cell) for cell in row] for row in islice(self._rows(), _LOOKED_AT)]
        if options.header or len(sample) == 1 or has_header(sample):
            return 0
        return None

    def _refuse_title(self, index: int, header: Row) -> None:
        row = self._top + index
        for (top, left), (bottom, right) in self._sheet.merged_cell_ranges or ():
            if top <= row <= bottom and right > left:
                raise Fatal(
                    f"{self._where}: in row {row + 1:,} the cells {_cell(top, left)}:"
                    f"{_cell(bottom, right)} are merged ({_text(header[left - self._left])!r}): "
                    "that is a title, no name of a column; say by attribute header_row which "
                    "row names the columns",
                    kind="data",
                )

    def _rows(self) -> Iterator[Row]:
        """All rows; each cell of a merged range has the range's value."""
        held: dict[tuple[int, int], Any] = {}
        for index, row in enumerate(self._sheet.iter_rows()):
            inside = self._merged.get(index)
            if inside is not None:
                row = list(row)  # noqa: PLW2901
                for column, origin in inside:
                    if origin == (index, column):
                        held[origin] = row[column]
                    else:
                        row[column] = held.get(origin, "")
            yield row

    def _columns(self, begin: int, width: int) -> list[_Column]:
        """All cells: read once, for the types and for the rows."""
        columns = [_Column() for _ in range(width)]
        rows = islice(self._rows(), begin, None)
        while chunk := list(islice(rows, _ROWS)):
            for column, cells in zip(columns, zip(*chunk, strict=True), strict=True):
                column.add(cells)
        return columns


class _Column:
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

    def kind(self) -> _Kind:
        """What all of its cells fit into."""
        return _kind(self._seen, self._whole, self._highest)

    def part(self, index: int, kind: _Kind) -> pa.Array:
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


def _read(
    columns: Sequence[_Column], kinds: Sequence[_Kind], schema: pa.Schema, skip: int
) -> Iterator[pa.RecordBatch]:
    for index in range(skip // _ROWS, max(map(len, columns), default=0)):
        arrays = [c.part(index, kind) for c, kind in zip(columns, kinds, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
        yield batch.slice(max(0, skip - index * _ROWS))


def _merged(
    sheet: python_calamine.CalamineSheet, top: int, left: int
) -> dict[int, list[tuple[int, tuple[int, int]]]]:
    """Row → its cells inside of merged ranges, each with the cell that holds the value."""
    found: dict[int, list[tuple[int, tuple[int, int]]]] = {}
    for first, last in sheet.merged_cell_ranges or ():
        origin = (first[0] - top, first[1] - left)
        for row in range(first[0], last[0] + 1):
            for column in range(first[1], last[1] + 1):
                if row >= top and 0 <= column - left < sheet.width:
                    found.setdefault(row - top, []).append((column - left, origin))
    return found


def _kind(seen: set[type], whole: bool, highest: float) -> _Kind:  # noqa: PLR0911 - cases
    if seen and seen <= {float, int}:
        if whole and highest < _EXACT:
            arrow = pa.int32() if highest < _INTEGER_MAX else pa.int64()
            return _Kind(arrow, int)
        return _Kind(pa.float64(), float)
    if seen == {bool}:
        return _Kind(pa.bool_(), bool)
    if seen == {date}:
        return _Kind(pa.date32(), _as_it_is)
    if seen and seen <= {date, datetime}:
        return _Kind(pa.timestamp("us"), _moment)
    if seen == {time}:
        return _Kind(pa.time64("us"), _as_it_is)
    if seen == {timedelta}:
        return _Kind(pa.duration("us"), _as_it_is)
    return _Kind(pa.large_string(), _text)


def _as_it_is(cell: Any) -> Any:
    return cell


def _moment(cell: Any) -> datetime:
    if isinstance(cell, datetime):
        return cell
    return datetime.combine(cell, time())


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    if isinstance(cell, bool):
        return str(cell).lower()
    return str(cell)


def _array(cells: Sequence[Any], kind: _Kind) -> pa.Array:
    values = [None if cell == "" else cell for cell in cells]
    try:
        # All at once where no cell has to be converted; whole numbers come as floats.
        if pa.types.is_integer(kind.arrow):
            return pa.array(values, pa.float64()).cast(kind.arrow)
        return pa.array(values, kind.arrow)
    except (TypeError, ValueError, pa.ArrowException):
        return pa.array([None if v is None else kind.convert(v) for v in values], kind.arrow)


def _cell(row: int, column: int) -> str:
    """'B2' for row 1, column 1, both counted from 0."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"
