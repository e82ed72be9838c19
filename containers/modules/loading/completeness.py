"""Spatial files that are cut off or broken, where GDAL reads what is left without a word."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

from locaria_reporter import Fatal

from .formats import root_of

_TAIL = 4 << 10
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
    if driver == "GeoJSONSeq":
        _check_lines(path, name)
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


def _check_length(path: Path, name: str, suffix: str) -> None:
    with path.open("rb") as file:
        head = file.read(100)
    size = path.stat().st_size
    needed = 100
    if suffix == ".dbf" and len(head) >= 32:
        rows, begin, width = struct.unpack("<IHH", head[4:12])
        needed = begin + rows * width
    elif suffix != ".dbf" and len(head) == 100:
        needed = 2 * int.from_bytes(head[24:28], "big")
    if size < needed:
        raise Fatal(
            f"{name}: {path.name} is cut off: it has {size:,} bytes, its header says {needed:,}",
            kind="data",
        )


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
