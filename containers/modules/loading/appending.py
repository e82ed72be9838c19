"""Geometries into a column that is there already: modes append and merge, with PostGIS."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

from loading.geometry import WGS84, Target
from locaria_reporter import Fatal

_COLUMN = re.compile(r"(?:.*\.)?(geometry|geography)(?:\((\w+)(?:,(\d+))?\))?$")


def into_column(target: Target, there: str, what: str) -> Target:
    """The target, fitted to the column's kind and SRID.

    WKB without an SRID would be taken for what the column has, wherever the numbers come from.

    Args:
        target: what the geometries become in a table of their own.
        there: the column's type, as format_type() names it.
        what: file and layer, for messages.

    Raises:
        Fatal: the geometries are in another CRS than the column, or nobody knows in which.
    """
    found = _COLUMN.match(there)
    if found is None:
        return target
    srid = int(found[3] or (WGS84 if found[1] == "geography" else 0))
    if srid and not target.srid:
        raise Fatal(
            f"{what} does not say its CRS, and the table's geometries are in EPSG:{srid}: "
            "give attribute source_srs",
            kind="data",
        )
    if srid and srid != target.srid:
        raise Fatal(
            f"{what} is in EPSG:{target.srid}, the table's geometries are in EPSG:{srid}: "
            f'attribute srs = "EPSG:{srid}" reprojects it',
            kind="data",
        )
    multi = (found[2] or "").startswith("Multi")
    convert = functools.partial(target.convert, multi=multi, srid=0 if srid else target.srid)
    return replace(target, convert=convert)
