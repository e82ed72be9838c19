"""Names that Postgres takes: of columns, from a header; of a table, from a file's name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

LONGEST_NAME = 63
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
# A table has these by itself; a column of that name can't be made.
_SYSTEM_COLUMNS = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}
ENDINGS = {
    *(".csv", ".tsv", ".tab", ".txt", ".psv", ".json", ".ndjson", ".jsonl", ".geojson"),
    *(".geojsonl", ".geojsons", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".parquet"),
    *(".geoparquet", ".pq", ".gpkg", ".sqlite", ".sqlite3", ".db", ".shp", ".dbf", ".kml", ".kmz"),
    *(".gpx", ".fgb", ".gml", ".mif", ".gdb", ".osm", ".pbf"),
    *(".gz", ".bz2", ".xz", ".zst", ".zip"),
}


def column_names(header: Sequence[str]) -> list[str]:
    """The columns' names: the header's, literally, and made to differ.

    Spaces around a name and control characters go; an empty name becomes column_<n>; a name
    longer than 63 bytes is cut at a character; a name that was there before gets _2, _3, … in the
    order of the header; ctid, xmin and the like get a `_`.

    Args:
        header: the fields of the header row.
    """
    taken: set[str] = set()
    names = []
    for number, field in enumerate(header, start=1):
        name = cut(_CONTROL.sub(" ", field).strip()) or f"column_{number}"
        if name in _SYSTEM_COLUMNS:
            name += "_"
        names.append(_another(name, taken))
        taken.add(names[-1])
    return names


def _another(name: str, taken: set[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = cut(name, LONGEST_NAME - len(f"_{number}")) + f"_{number}"
    return candidate


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names; a repeated one gets a suffix: _2, _3 and further."""
    taken: set[str] = set()
    made = []
    for name in names:
        made.append(_another(cut(name), taken))
        taken.add(made[-1])
    return made


def cut(name: str, limit: int = LONGEST_NAME) -> str:
    """`name`, at most `limit` bytes of UTF-8, cut between characters."""
    return name.encode()[:limit].decode(errors="ignore")


def table_name(path_or_url: str) -> str:
    """The table for a file: its name without endings, in lower-case ASCII letters, digits and `_`.

    'https://x.org/Äpfel%202024.csv.gz' → 'apfel_2024'; '2024.csv' → 't_2024'; '' when nothing of
    the name can be used.
    """
    path = urlsplit(path_or_url).path if "://" in path_or_url else path_or_url
    name = PurePosixPath(unquote(path) if "://" in path_or_url else path).name
    name = without_ending(name)
    safe = safe_name(name)
    if safe[:1].isdigit():
        safe = f"t_{safe}"
    return safe[:LONGEST_NAME]


def safe_name(text: str) -> str:
    """`text` in lower-case ASCII letters, digits and `_`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def without_ending(name: str) -> str:
    """A file's name without what only says its format: 'a.csv.gz' → 'a'."""
    while PurePosixPath(name).suffix.lower() in ENDINGS:
        name = PurePosixPath(name).stem
    return name
