"""What a file is, by its content; its name only decides between kinds of text."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from locaria_reporter import Fatal

CSV, JSON, SHEETS, PARQUET, ARCHIVE = "csv", "json", "sheets", "parquet", "zip"
_HEAD = 64 << 10
# GDAL's drivers, by what a file begins with.
_SPATIAL = (
    (b"\x00\x00\x27\x0a", "ESRI Shapefile"),
    (b"fgb\x03fgb", "FlatGeobuf"),
    (b"!table", "MapInfo File"),
    (b"!Table", "MapInfo File"),
)
_MIF = re.compile(rb"(?i)version\s+\d+\s.*?(?:charset|delimiter|columns)\b", re.DOTALL)
_DBF_VERSIONS = (0x03, 0x04, 0x05, 0x30, 0x31, 0x43, 0x83, 0x8B, 0xF5)
_GPKG_IDS = (b"GPKG", b"GP10", b"GP11")
_ROOT = re.compile(rb"<(?![?!])(?:([\w.-]+):)?([\w.-]+)")
_BY_ROOT = {"kml": "LIBKML", "gpx": "GPX", "osm": "OSM"}
_FEATURE = re.compile(rb'"type"\s*:\s*"(?:FeatureCollection|Feature)"')
_CRS_MEMBER = re.compile(
    rb'"crs"\s*:\s*\{[^{}]*"properties"\s*:\s*\{[^{}]*"(?:name|href)"\s*:\s*"([^"]+)"'
)
_MEMBER = re.compile(rb'(?:\[\s*)?\{\s*"(?:[^"\\]|\\.)*"\s*:')
# Names of columns in angle brackets, as brokers write them: <TICKER>,<DATE>
_BRACKETS = re.compile(rb"<[^<>\r\n]*>[,;|\t]")
_TEXT_NAMES = (".csv", ".tsv", ".tab", ".txt", ".psv")
_REFUSED = (
    (b"%PDF", "a PDF document"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"Obj\x01", "an Avro file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x7fELF", "a program"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"II*\0", "a picture (TIFF)"),
    (b"MM\0*", "a picture (TIFF)"),
)


def format_of(head: bytes, name: str) -> str:  # noqa: PLR0911 - a table of cases
    """The format of a file that begins with `head`: one of the constants, or a driver of GDAL.

    Args:
        head: some kilobytes, decompressed.
        name: of the file.

    Raises:
        Fatal: it is something that is not loaded.
    """
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return ARCHIVE
    if head.startswith(b"PAR1"):
        return PARQUET
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return SHEETS
    if head.startswith(b"SQLite format 3\0"):
        return "GPKG" if head[68:72] in _GPKG_IDS or b"gpkg_contents" in head else "SQLite"
    for magic, driver in _SPATIAL:
        if head.startswith(magic):
            return driver
    if b"OSMHeader" in head[:64]:
        return "OSM"
    if _is_dbf(head):
        return "ESRI Shapefile"
    if head[257:262] == b"ustar":
        raise Fatal(f"{name} is a tar archive: of archives, zip is taken", kind="data")
    for magic, what in _REFUSED:
        if head.startswith(magic):
            raise Fatal(f"{name} is no table but {what}", kind="data")
    return _format_of_text(head, name)


def _is_dbf(head: bytes) -> bool:
    """A dBASE table: its version, the day of its last change, and where its rows begin."""
    if len(head) < 66 or head[0] not in _DBF_VERSIONS or not 1 <= head[2] <= 12 or head[3] > 31:
        return False
    begin = int.from_bytes(head[8:10], "little")
    fields, rest = divmod(begin - 33, 32)
    return fields > 0 and not rest and head[begin - 1 : begin] == b"\r"


def _format_of_text(head: bytes, name: str) -> str:
    text = _utf8(head).lstrip(b"\xef\xbb\xbf \t\r\n")
    is_named_text = name.lower().endswith(_TEXT_NAMES)
    if text.startswith(b"<") and not (is_named_text and _BRACKETS.match(text)):
        return _format_of_xml(text, name)
    if _MIF.match(text):
        return _mif(name)
    if text.startswith(b"\x1e{"):
        return "GeoJSONSeq" if _FEATURE.search(text) else JSON
    if text.startswith((b"{", b"[")) and (not is_named_text or _is_json(text)):
        return _format_of_json(text)
    return CSV


def _mif(name: str) -> str:
    """The driver's name; it only reads what is called so."""
    if name.lower().endswith(".mif"):
        return "MapInfo File"
    raise Fatal(f"{name} is a MIF of MapInfo: name it .mif, with its .mid beside it", kind="data")


def _is_json(text: bytes) -> bool:
    """Whether text with the name of a table is JSON nevertheless: no line with more behind it."""
    if not _MEMBER.match(text):
        return False
    first = text.partition(b"\n")[0].decode("utf-8", "replace")
    try:
        _, end = json.JSONDecoder().raw_decode(first)
    except (ValueError, RecursionError):
        return True
    return not first[end:].strip()


def _utf8(head: bytes) -> bytes:
    """UTF-16 with a mark in UTF-8, as far as it goes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "ignore").encode()
    return head


def _format_of_xml(text: bytes, name: str) -> str:
    if text[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise Fatal(
            f"{name} is no table but a web page: is that an error page instead of the file?",
            kind="data",
        )
    if b"<!ENTITY" in text:
        raise Fatal(
            f"{name} is XML that defines entities, which may stand for other files: it is not read",
            kind="data",
        )
    root = root_of(text).rpartition(":")[2]
    if root in _BY_ROOT:
        return _BY_ROOT[root]
    if b"opengis.net/gml" in text:
        return "GML"
    raise Fatal(
        f"{name} is XML of a kind that is not loaded (<{root}>); KML, GPX, GML and OSM are",
        kind="data",
    )


def root_of(head: bytes) -> str:
    """The name of the root element of an XML document, with its prefix; '' where there is none."""
    found = _ROOT.search(re.sub(rb"<!--.*?-->", b"", head, flags=re.DOTALL))
    if found is None:
        return ""
    return (found[1] + b":" if found[1] else b"").decode() + found[2].decode()


def _format_of_json(text: bytes) -> str:
    if not _FEATURE.search(text):
        return JSON
    first, newline, rest = text.partition(b"\n")
    one_a_line = newline and rest.lstrip().startswith(b"{") and first.rstrip().endswith(b"}")
    if one_a_line and b'"FeatureCollection"' not in first:
        return "GeoJSONSeq"
    return "GeoJSON"


def what_is_in(names: list[str]) -> str | None:
    """What an archive with these members is, if it is one document: sheets, or None."""
    if "[Content_Types].xml" in names or "META-INF/manifest.xml" in names:
        known = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")
        return SHEETS if any(each in names for each in known) else ""
    return None


def crs_member(path: Path) -> str:
    """The CRS of a GeoJSON file whose reader took WGS 84 for it: what its member `crs` names.

    That member is of GeoJSON as it was before RFC 7946; what it names may not be known.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, file.seek(0, os.SEEK_END) - _HEAD))
        found = _CRS_MEMBER.search(head) or _CRS_MEMBER.search(file.read())
    return found[1].decode("utf-8", "replace") if found else "EPSG:4326"
