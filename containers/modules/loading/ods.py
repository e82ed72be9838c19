"""OpenDocument sheets: merged cells, errors and formulas, which their reader does not tell."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path
from xml.parsers import expat

from loading.formulas import Oddities
from locaria_reporter import Fatal

_CONTENT = "content.xml"
_CHUNK = 1 << 20
# Line ends between cells, as GDAL writes them: no reader minds, except for ours.
_BETWEEN = re.compile(
    rb"(</table:(?:table-cell|covered-table-cell|table-row|table-column)>|</text:p>"
    rb"|<table:(?:table|table-row|table-column|table-cell|covered-table-cell)\b[^>]*>)\s+(?=<)"
)


def look(path: Path, name: str) -> dict[str, Oddities]:
    """What is odd about each sheet of an OpenDocument; nothing where it is none.

    Args:
        path: of the workbook.
        name: for messages.

    Raises:
        Fatal: it is damaged, or has a DTD.
    """
    if not _is_ods(path):
        return {}
    watch = _Watch(name)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_CONTENT) as file:
            while chunk := file.read(_CHUNK):
                watch.parser.Parse(chunk, False)
            watch.parser.Parse(b"", True)
    except (zipfile.BadZipFile, zlib.error, EOFError, expat.ExpatError) as error:
        raise Fatal(f"{name} is no spreadsheet, or is damaged ({error})", kind="data") from None
    return watch.sheets


def without_spaces(path: Path) -> bytes | None:
    """The document without spaces between its cells; None where it is no OpenDocument."""
    if not _is_ods(path):
        return None
    out = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(out, "w") as made:
        for member in archive.infolist():
            data = archive.read(member)
            if member.filename == _CONTENT:
                data = _BETWEEN.sub(rb"\1", data)
            made.writestr(member.filename, data)
    return out.getvalue()


def _is_ods(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return _CONTENT in archive.namelist()


class _Watch:
    """Follows the cells of all sheets, without their texts."""

    def __init__(self, name: str) -> None:
        self.sheets: dict[str, Oddities] = {}
        self._name, self._sheet = name, Oddities()
        self._row = self._column = 0
        self._rows = 1
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _refuse(self, *_: object) -> None:
        raise Fatal(f"{self._name}: a sheet has no DTD: it is not read", kind="data")

    def _start(self, tag: str, about: dict[str, str]) -> None:
        if tag in ("table:table-cell", "table:covered-table-cell"):
            self._cell(about)
        elif tag == "table:table-row":
            self._column = 0
            self._rows = int(about.get("table:number-rows-repeated", 1))
        elif tag == "table:table":
            self._sheet = self.sheets.setdefault(about.get("table:name", ""), Oddities())
            self._row = 0

    def _end(self, tag: str) -> None:
        if tag == "table:table-row":
            self._row += self._rows

    def _cell(self, about: dict[str, str]) -> None:
        row, column, sheet = self._row, self._column, self._sheet
        times = int(about.get("table:number-columns-repeated", 1))
        self._column += times
        down = int(about.get("table:number-rows-spanned", 1))
        across = int(about.get("table:number-columns-spanned", 1))
        if down * across > 1:
            sheet.merged.append(((row, column), (row + down - 1, column + across - 1)))
        kind = about.get("office:value-type")
        if about.get("calcext:value-type") == "error":
            sheet.errors += self._rows * times
            sheet.error = sheet.error or f"{cell_name(row, column)}"
        elif kind is None and "table:formula" in about:
            sheet.unevaluated = sheet.unevaluated or cell_name(row, column)
        if kind is not None:
            sheet.cells += 1
            sheet.rows = max(sheet.rows, row + self._rows)
            sheet.columns = max(sheet.columns, column + times)


def cell_name(row: int, column: int) -> str:
    """'B2' for row 1, column 1, both counted from 0."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"
