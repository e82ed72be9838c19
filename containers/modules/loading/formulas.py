"""What is odd about a sheet, and about its cells: formulas without a stored value, errors.

A reader takes such cells for empty; and it makes room for all cells from the first to the last, so
that two cells in opposite corners of a sheet are 17,179,869,184 to it.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from locaria_reporter import Fatal

_CHUNK = 1 << 20
_LONGEST_CELL = 64 << 10
# So many cells fit into memory, and so many times those that hold something.
_MOST_CELLS, _SPREAD = 10_000_000, 50
# Its column; in rows of seven digits its name.
_ANY_CELL = re.compile(rb'<c r="([A-Z]+(?:[0-9]{7,})?)')
_FILLED = re.compile(rb"<(?:\w+:)?c\b[^>/]*?\br\s*=\s*[\"']([A-Z]+)([0-9]+)[\"'][^>/]*>")
# No cell of a small sheet, whose room is less than _MOST_CELLS; no cell as programs write them.
_FAR = re.compile(rb'<c(?! r="[A-I][0-9]{1,6}")[^a-zA-Z]')
_UNUSUAL = re.compile(rb'<c(?! r="[A-Z]+[0-9]+")[^a-zA-Z]')
_PREFIXED = re.compile(rb":c[^a-zA-Z]")
_MOST_PLACES = 100_000
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CELL = re.compile(rb"<c\b([^>]*[^/>])>(.*?)</c>", re.DOTALL)
_NAME = re.compile(rb'\br="([A-Z]+[0-9]+)"')
_VALUE = re.compile(rb"<v>([^<]*)</v>|<v [^>]*[^/]>([^<]*)</v>|<is>")


@dataclass
class Oddities:
    """What is odd about a sheet.

    Attributes:
        unevaluated: the first formula without a value.
        errors: how many cells hold errors; `error`: the first of them.
        merged: ranges, from the first cell to the last, by row and column from 0; where the reader
            does not tell them.
        cells: how many hold something; `rows`, `columns`: up to the last of them.
    """

    unevaluated: str | None = None
    errors: int = 0
    error: str = ""
    merged: list[tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=list)
    cells: int = 0
    rows: int = 0
    columns: int = 0

    @property
    def sparse(self) -> bool:
        """Whether a few cells are spread over a sheet so that it is too large for memory."""
        return self.rows * self.columns > max(_MOST_CELLS, self.cells * _SPREAD)

    def refuse_sparse(self, where: str) -> None:
        """Refuse it then.

        Raises:
            Fatal: it is.
        """
        if self.sparse:
            raise Fatal(
                f"{where}: {self.cells:,} cells are spread over {self.rows:,} rows and "
                f"{self.columns:,} columns: refused as a bomb; delete what is far off",
                kind="data",
            )


def find_reach(path: Path, sheet: str, where: str) -> Oddities:
    """How many cells a sheet has, and how far they reach: before all of it is read.

    Args:
        path: of the workbook; nothing is found where it is no .xlsx.
        sheet: its name.
        where: the place that messages name.

    Raises:
        Fatal: the archive is damaged, or has a DTD.
    """
    found = Oddities()
    try:
        with zipfile.ZipFile(path) as archive:
            part = _part_of(archive, sheet)
            if part is None:
                return found
            if _is_small(archive, part, where):
                return found
            if not _reach_about(archive, part, found) or found.sparse:
                found = Oddities()
                _reach(archive, part, found)
    except (KeyError, ElementTree.ParseError):
        return Oddities()
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        if path.read_bytes()[:2] == b"PK":
            raise Fatal(f"{where}, is damaged ({error})", kind="data") from None
    return found


def _is_small(archive: zipfile.ZipFile, part: str, where: str) -> bool:
    """A glance: no cell is beyond column I or row 999,999, as in most sheets."""
    for number, data in enumerate(_pieces(archive, part, b"<")):
        if not number and b"<!DOCTYPE" in data:
            raise Fatal(f"{where}: a sheet has no DTD: it is not read", kind="data")
        if _FAR.search(data) or _PREFIXED.search(data):
            return False
    return True


def _reach_about(archive: zipfile.ZipFile, part: str, found: Oddities) -> bool:
    """A quick look, which finds no less than there is; False where the cells are unusual to it."""
    places: set[bytes] = set()
    found.rows = 999_999
    for data in _pieces(archive, part, b"<"):
        if _UNUSUAL.search(data) or _PREFIXED.search(data):
            return False
        names = _ANY_CELL.findall(data)
        found.cells += len(names)
        places.update(names)
        if len(places) > _MOST_PLACES:
            places = _count(places, found)
    _count(places, found)
    return True


def _count(places: set[bytes], found: Oddities) -> set[bytes]:
    """How far columns ("AB") and cells in far rows ("AB100000") reach."""
    for place in places:
        letters = place.rstrip(b"0123456789")
        found.columns = max(found.columns, _number(letters))
        found.rows = max(found.rows, int(place[len(letters) :] or 0))
    return set()


def _reach(archive: zipfile.ZipFile, part: str, found: Oddities) -> None:
    columns: set[bytes] = set()
    for data in _pieces(archive, part, b"<"):
        names = _FILLED.findall(data)
        found.cells += len(names)
        columns.update(column for column, _ in names)
        found.rows = max(found.rows, max((int(row) for _, row in names), default=0))
    found.columns = max(map(_number, columns), default=0)


def _pieces(archive: zipfile.ZipFile, part: str, end: bytes) -> Iterator[bytes]:
    """The text of a part, in pieces that begin at `end` or before it; none is cut in two."""
    rest = b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            data = rest + chunk
            cut = data.rfind(end)
            yield data[: max(cut, 0)]
            rest = data[max(cut, 0) :][-_LONGEST_CELL:]
    yield rest


def _number(letters: bytes) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def find_oddities(path: Path, sheet: str) -> Oddities:
    """What is odd about the cells of a sheet.

    Args:
        path: of the workbook; nothing is found where it is no .xlsx.
        sheet: its name.
    """
    found = Oddities()
    try:
        with zipfile.ZipFile(path) as archive:
            part = _part_of(archive, sheet)
            if part is not None:
                _look(archive, part, found)
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, EOFError):
        # No .xlsx, or one that the reader itself complains about.
        return Oddities()
    return found


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    with archive.open("xl/workbook.xml") as file:
        book = ElementTree.parse(file)  # noqa: S314 - expat limits what entities may grow to
    found = [
        e.get(_REL) for e in book.iter() if e.tag.endswith("}sheet") and e.get("name") == sheet
    ]
    with archive.open("xl/_rels/workbook.xml.rels") as file:
        relations = ElementTree.parse(file)  # noqa: S314
    for each in relations.iter():
        if found and each.get("Id") == found[0]:
            target = each.get("Target", "")
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return None


def _look(archive: zipfile.ZipFile, part: str, found: Oddities) -> None:
    rest = b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            data = rest + chunk
            end = data.rfind(b"</c>") + 4
            if end > 3:
                _look_at(data[:end], found)
            rest = data[end if end > 3 else 0 :][-_LONGEST_CELL:]


def _look_at(data: bytes, found: Oddities) -> None:
    if b"<f" not in data and b't="e"' not in data:
        return
    for cell in _CELL.finditer(data):
        is_error = b't="e"' in cell[1]
        if not is_error and b"<f" not in cell[2]:
            continue
        name = _NAME.search(cell[1])
        where = name[1].decode() if name else "?"
        value = _VALUE.search(cell[2])
        if value is None:
            found.unevaluated = found.unevaluated or where
        elif is_error:
            found.errors += 1
            shown = (value[1] or value[2] or b"").decode("utf-8", "replace")
            found.error = found.error or f"{where}: {shown}"
