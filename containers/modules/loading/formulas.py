"""Cells of an .xlsx that readers would take for empty: formulas without a stored value, errors."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_CHUNK = 1 << 20
_LONGEST_CELL = 64 << 10
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CELL = re.compile(rb"<c\b([^>]*[^/>])>(.*?)</c>", re.DOTALL)
_NAME = re.compile(rb'\br="([A-Z]+[0-9]+)"')
_VALUE = re.compile(rb"<v>([^<]*)</v>|<v [^>]*[^/]>([^<]*)</v>|<is>")


@dataclass
class Oddities:
    """The first formula without a value; how many cells hold errors, and the first of them."""

    unevaluated: str | None = None
    errors: int = 0
    error: str = ""


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
