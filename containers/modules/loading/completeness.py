"""Spatial files that are cut off or broken, where GDAL reads what is left without a word."""

from __future__ import annotations

import json
import mmap
import os
import re
import struct
from pathlib import Path

from loading.formats import root_of
from locaria_reporter import Fatal

_TAIL = 4 << 10
_CHUNK = 1 << 20
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_XML = ("GML", "LIBKML", "GPX", "OSM")


def refuse_incomplete(path: Path, name: str, driver: str) -> list[str]:
    """Refuse a file that ends early, or has lines that GDAL would leave out.

    Args:
        path: of the file.
        name: for messages.
        driver: of GDAL.

    Returns:
        What its user should know.

    Raises:
        Fatal: it is not whole; the text says where.
    """
    if driver == "ESRI Shapefile":
        return _check_shapefile(path, name)
    if driver == "OpenFileGDB":
        _check_geodatabase(path, name)
    if driver == "MapInfo File" and path.suffix.lower() == ".tab":
        _check_tab(path, name)
    elif driver == "GeoJSONSeq":
        _refuse_nul(path, name)
        _check_lines(path, name)
    elif driver == "GeoJSON":
        _refuse_nul(path, name)
    elif driver in _XML:
        _check_xml(path, name)
    return []


def _check_shapefile(path: Path, name: str) -> list[str]:
    """Shapes and values that are missing at the end would be NULL."""
    there = set()
    for each in sorted(path.parent.iterdir()):
        suffix = each.suffix.lower()
        if each.stem == path.stem and suffix in (".shp", ".shx", ".dbf"):
            there.add(suffix)
            _check_length(each, name, suffix)
    if path.suffix.lower() != ".shp":
        return []
    if ".shx" not in there:
        raise Fatal(f"{name}: its index, {path.stem}.shx, is missing", kind="data")
    if ".dbf" not in there:
        return [f"there is no {path.stem}.dbf beside it: shapes without attributes"]
    return []


def _check_geodatabase(path: Path, name: str) -> None:
    """Of a table that is cut off, rows would be missing, or all of them."""
    for each in sorted(path.rglob("*.gdbtable")):
        with each.open("rb") as file:
            head = file.read(32)
        needed = max(32, int.from_bytes(head[24:32], "little", signed=True))
        _refuse_shorter(each, name, needed)


def _check_tab(path: Path, name: str) -> None:
    """Of a table whose shapes are missing, GDAL reads the values alone."""
    there = {each.suffix.lower(): each for each in path.parent.iterdir() if each.stem == path.stem}
    if ".dat" in there:
        _check_length(there[".dat"], name, ".dbf")
    if ".id" in there and ".map" not in there:
        raise Fatal(f"{name}: its shapes, {path.stem}.map, are missing", kind="data")


def rows_of_tab(path: Path) -> int | None:
    """How many rows a MapInfo table has by its .dat, without those that are deleted.

    None where that is not known. GDAL stops counting where the .map is cut off.
    """
    beside = path.parent.glob(f"{path.stem}.*")
    values = next((each for each in beside if each.suffix.lower() == ".dat"), None)
    if path.suffix.lower() != ".tab" or values is None:
        return None
    with values.open("rb") as file:
        rows, begin, width = struct.unpack("<4xIHH", file.read(12))
        if not rows or not width:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return int(rows) - data[begin::width][:rows].count(b"*")


def _check_length(path: Path, name: str, suffix: str) -> None:
    with path.open("rb") as file:
        head = file.read(100)
    needed = 100
    if suffix == ".dbf" and len(head) >= 32:
        rows, begin, width = struct.unpack("<IHH", head[4:12])
        needed = begin + rows * width
    elif suffix != ".dbf" and len(head) == 100:
        needed = 2 * int.from_bytes(head[24:28], "big")
    _refuse_shorter(path, name, needed)


def _refuse_shorter(path: Path, name: str, needed: int) -> None:
    size = path.stat().st_size
    if size < needed:
        raise Fatal(
            f"{name}: {path.name} is cut off: it has {size:,} bytes, its header says {needed:,}",
            kind="data",
        )


def _refuse_nul(path: Path, name: str) -> None:
    """A text that holds it would be cut off there, without a word."""
    line, rest = 1, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            data = rest + chunk
            found = _NUL.search(data) if b"\\u0000" in data else None
            if found is not None:
                line += data.count(b"\n", 0, found.start())
                offset = file.tell() - len(data) + found.end() - 6
                raise Fatal(
                    f"{name}, line {line:,}, at offset {offset:,}: \\u0000 in a text: Postgres has "
                    "no text with it",
                    kind="data",
                )
            line += data.count(b"\n", 0, len(data) - _TAIL)
            rest = data[-_TAIL:]


def _check_lines(path: Path, name: str) -> None:
    """A line that is no JSON would be left out."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.strip(b"\x1e \t\r\n")
            # Whole objects begin and end so: only what does not is looked at closely.
            if text and not (text.startswith(b"{") and text.endswith(b"}}")):
                try:
                    json.loads(text)
                except ValueError as error:
                    raise Fatal(f"{name}, line {number:,}: no JSON: {error}", kind="data") from None


def _check_xml(path: Path, name: str) -> None:
    """What is behind the cut would just not be there."""
    with path.open("rb") as file:
        head = file.read(_TAIL)
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        tail = file.read()
    root = root_of(head)
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or not root:
        return  # OSM's binary form, or UTF-16
    if f"{root}>".encode() not in tail.replace(b" ", b"") and b"/>" not in tail[-8:]:
        raise Fatal(f"{name} is cut off: </{root}> is missing at its end", kind="data")
