"""Coordinate reference systems, by their names and definitions."""

from __future__ import annotations

from pyproj import CRS
from pyproj.exceptions import CRSError

from locaria_reporter import Fatal

WGS84 = 4326
_SURE = 70


def read_crs(text: str | int, what: str) -> CRS:
    """The coordinate reference system that `text` names.

    Args:
        text: "EPSG:27700", "27700", WKT, PROJJSON.
        what: says it, for messages.

    Raises:
        Fatal: there is none of that name.
    """
    try:
        return CRS.from_user_input(f"EPSG:{text}" if str(text).isdigit() else text)
    except CRSError as error:
        raise Fatal(f"{what}: {str(text)[:100]!r} is no known CRS ({error})", kind="data") from None


def srid_of(crs: CRS, what: str) -> int:
    """The EPSG code of a CRS.

    Raises:
        Fatal: it has none.
    """
    if crs.to_authority() == ("OGC", "CRS84"):
        return WGS84
    srid = crs.to_epsg(min_confidence=_SURE)
    if srid is None:
        raise Fatal(
            f'{what}: its CRS, "{crs.name}", has no EPSG code; give attribute source_srs '
            '("EPSG:27700") where it has one, or srs to have it reprojected',
            kind="data",
        )
    return int(srid)
