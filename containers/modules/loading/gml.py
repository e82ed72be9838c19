"""GML as GDAL is to see it: by itself, with a schema that makes it change nothing.

Beside a .gml GDAL looks for a schema (.xsd) and, without one, writes what it guesses into a .gfs.
A schema that says Polygon makes it merge the parts of a MultiPolygon into one; a guess turns 007
into 7, and what is too large for 64 bits into the largest number. So GDAL gets a link to the file
in a folder of our own, and beside it the schema without kinds of geometry, or its guess with all
values as text; what those are is found out as for CSV.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

_HEAD = 256 << 10
_GEOMETRY_TYPE = re.compile(
    r'type="(\w+:)?(?:Multi)?(?:Point|LineString|Curve|Polygon|Surface|Solid)PropertyType"'
    r"|<!-- restricted to \w+ -->"  # GDAL's own word for it
)
_GUESSED_KIND = re.compile(r"<GeometryType>(?!100<)-?\w+</GeometryType>")
_GUESSED_TYPE = re.compile(
    r"<Type>(?:Integer|Real|FeatureProperty)(List)?</Type>"
    r"|<(?:Subtype|Width|Precision)>[^<]*</(?:Subtype|Width|Precision)>"
)
_SRS_NAME = re.compile(rb"""\bsrsName=["']([^"']+)["']""")


def seen_by_gdal(path: Path, folder: Path, list_layers: Callable[[Path], object]) -> bool:
    """Put a link to the file into `folder`, with what keeps GDAL from changing anything.

    Args:
        path: of the file.
        folder: an empty one; the link is `folder / path.name`.
        list_layers: has GDAL look at a file.

    Returns:
        Whether all values come as texts.
    """
    link = folder / path.name
    link.symlink_to(path.resolve())
    guess = link.with_suffix(".gfs")
    schema = path.with_suffix(".xsd")
    if schema.is_file():
        text = schema.read_text(encoding="utf-8", errors="replace")
        own = link.with_suffix(".xsd")
        own.write_text(_GEOMETRY_TYPE.sub(r'type="\1GeometryPropertyType"', text), encoding="utf-8")
        list_layers(link)
        if not guess.exists():
            return False
        own.unlink()
    else:
        list_layers(link)
    if guess.exists():
        text = _GUESSED_KIND.sub("<GeometryType>0</GeometryType>", guess.read_text("utf-8"))
        guess.write_text(_GUESSED_TYPE.sub(_as_text, text), encoding="utf-8")
    return True


def _of_any_kind(found: re.Match[str]) -> str:
    return f'type="{found[1] or ""}GeometryPropertyType"' if found[0].startswith("type") else ""


def _as_text(found: re.Match[str]) -> str:
    if found[0].startswith("<Type>"):
        return f"<Type>String{found[1] or ''}</Type>"
    return ""


def srs_name(path: Path) -> str | None:
    """The first CRS that a GML file names: GDAL leaves out what it does not know."""
    with path.open("rb") as file:
        found = _SRS_NAME.search(file.read(_HEAD))
    return None if found is None else found[1].decode("utf-8", "replace")
