"""Spreadsheets (.xlsx, .xlsb, .xls, .ods), through calamine.

What a cell shows counts, never how it is formatted: numbers are double precision or, where all of
a column are whole, integer or bigint; dates, times and truth values are what they are; text stays
text. In a column of several kinds all become text.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import python_calamine

from loading import ods
from loading.cells import Column, Kind, Row, text_of
from loading.detect import has_header
from loading.formulas import Oddities, find_oddities, find_reach
from loading.layers import Layer
from loading.names import column_names
from loading.ods import cell_name
from loading.options import Options
from locaria_reporter import Fatal

_ROWS = 5_000
_LOOKED_AT = 300
Range = tuple[tuple[int, int], tuple[int, int]]


def layers(path: Path, name: str, options: Options) -> list[Layer]:
    """The sheets of a workbook that hold anything, as tables.

    Raises:
        Fatal: it can't be read, a sheet is not there, or has no row that names the columns.
    """
    known = ods.look(path, name)
    for sheet_name, odd in known.items():
        odd.refuse_sparse(f"{name}, sheet {sheet_name!r}")
    try:
        with _panics():
            book = _open(path)
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
        where = f"{name}, sheet {each!r}"
        sheet, odd = _read_sheet(book, path, each, where, known.get(each))
        if sheet.start is None and options.layers is None:
            continue
        merged = odd.merged or sheet.merged_cell_ranges or []
        found.append(_Sheet(sheet, where, options, merged).layer(_told(odd, where)))
    if not found:
        raise Fatal(f"{name} is empty: no sheet holds anything", kind="data")
    return found


@contextmanager
def _panics() -> Iterator[None]:
    """What the reader did not expect of a damaged file is a panic, and no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise python_calamine.CalamineError(str(error)) from None


def _read_sheet(
    book: python_calamine.CalamineWorkbook, path: Path, sheet: str, where: str, odd: Oddities | None
) -> tuple[python_calamine.CalamineSheet, Oddities]:
    """All of a sheet, and what is odd about it."""
    if odd is None:
        find_reach(path, sheet, where).refuse_sparse(where)
    # Both read the whole sheet: at the same time.
    with ThreadPoolExecutor(1) as beside:
        oddities = beside.submit(find_oddities, path, sheet) if odd is None else None
        try:
            with _panics():
                found = book.get_sheet_by_name(sheet)
        except (python_calamine.CalamineError, python_calamine.WorksheetNotFound) as error:
            raise Fatal(f"{where}, is damaged ({error})", kind="data") from None
        return found, odd or (oddities.result() if oddities else Oddities())


def _open(path: Path) -> python_calamine.CalamineWorkbook:
    try:
        return python_calamine.load_workbook(str(path))
    except python_calamine.PasswordError:
        raise
    except python_calamine.CalamineError:
        if (content := ods.without_spaces(path)) is not None:
            return python_calamine.load_workbook(io.BytesIO(content))
        # Of a path it believes the name; of a stream, the content.
        with path.open("rb") as file:
            return python_calamine.load_workbook(file)


def _told(odd: Oddities, where: str) -> list[str]:
    if odd.unevaluated:
        raise Fatal(
            f"{where}, cell {odd.unevaluated}: a formula whose value was not stored; "
            "open the file in a spreadsheet program and save it",
            kind="data",
        )
    if odd.errors:
        return [f"{odd.errors:,} cells hold errors and become NULL; the first is {odd.error}"]
    return []


class _Sheet:
    def __init__(
        self,
        sheet: python_calamine.CalamineSheet,
        where: str,
        options: Options,
        merged: Sequence[Range],
    ) -> None:
        self._sheet, self._where, self._options = sheet, where, options
        # Where the sheet's first cell is: columns before it are not handed out.
        self._top, self._left = sheet.start or (0, 0)
        self._ranges = merged
        self._merged = _merged(merged, sheet, self._top, self._left)

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
            names = column_names([text_of(cell) for cell in header])
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
            f"{cell_name(*first)}:{cell_name(*last)}"
            for first, last in self._ranges
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
        sample = [[text_of(cell) for cell in row] for row in islice(self._rows(), _LOOKED_AT)]
        if options.header or len(sample) == 1 or has_header(sample):
            return 0
        return None

    def _refuse_title(self, index: int, header: Row) -> None:
        row = self._top + index
        for (top, left), (bottom, right) in self._ranges:
            if top <= row <= bottom and right > left:
                raise Fatal(
                    f"{self._where}: in row {row + 1:,} the cells {cell_name(top, left)}:"
                    f"{cell_name(bottom, right)} are merged "
                    f"({text_of(header[left - self._left])!r}): "
                    "that is a title, no name of a column; say by attribute header_row which "
                    "row names the columns",
                    kind="data",
                )

    def _rows(self) -> Iterator[Row]:
        """All rows; each cell of a merged range has the range's value."""
        held: dict[tuple[int, int], Any] = {}
        for index, row in enumerate(islice(self._sheet.iter_rows(), self._top, None)):
            inside = self._merged.get(index)
            if inside is not None:
                row = list(row)  # noqa: PLW2901
                for column, origin in inside:
                    if origin == (index, column):
                        held[origin] = row[column]
                    else:
                        row[column] = held.get(origin, "")
            yield row

    def _columns(self, begin: int, width: int) -> list[Column]:
        """All cells: read once, for the types and for the rows."""
        columns = [Column() for _ in range(width)]
        rows = islice(self._rows(), begin, None)
        while chunk := list(islice(rows, _ROWS)):
            for column, cells in zip(columns, zip(*chunk, strict=True), strict=True):
                column.add(cells)
        return columns


def _read(
    columns: Sequence[Column], kinds: Sequence[Kind], schema: pa.Schema, skip: int
) -> Iterator[pa.RecordBatch]:
    for index in range(skip // _ROWS, max(map(len, columns), default=0)):
        arrays = [c.part(index, kind) for c, kind in zip(columns, kinds, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
        yield batch.slice(max(0, skip - index * _ROWS))


def _merged(
    ranges: Sequence[Range], sheet: python_calamine.CalamineSheet, top: int, left: int
) -> dict[int, list[tuple[int, tuple[int, int]]]]:
    """Row → its cells inside of merged ranges, each with the cell that holds the value."""
    found: dict[int, list[tuple[int, tuple[int, int]]]] = {}
    for first, last in ranges:
        origin = (first[0] - top, first[1] - left)
        # A range may reach to the end of the sheet, which has millions of cells.
        for row in range(max(origin[0], 0), min(last[0] - top + 1, sheet.height)):
            for column in range(max(origin[1], 0), min(last[1] - left + 1, sheet.width)):
                found.setdefault(row, []).append((column, origin))
    return found
