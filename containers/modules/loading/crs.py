"""Coordinate reference systems, by their names and definitions."""

from __future__ import annotations

from dataclasses import dataclass

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from loading.geometry import WGS84
from locaria_reporter import Fatal

_SURE = 70


@dataclass(frozen=True)
class Place:
    """In which reference system geometries arrive.

    Attributes:
        crs: None when nobody knows.
        srid: 0 when nobody knows.
        move: how they are reprojected to it, None where they are in it already.
    """

    crs: CRS | None
    srid: int
    move: Transformer | None


def place_of(said: str | None, srs: str | None, what: str) -> Place:
    """From the CRS of a file to the one that is wanted.

    Args:
        said: the file's, None when it does not say it.
        srs: the one that is wanted, None for the file's own.
        what: file and layer, for messages.

    Raises:
        Fatal: one of them is not known, though it is needed.
    """
    crs = None if said is None else read_crs(said, f"{what}, CRS")
    if srs is None:
        return Place(crs, 0 if crs is None else srid_of(crs, what), None)
    wanted = read_crs(srs, "attribute srs")
    if crs is None:
        raise Fatal(
            f"{what} does not say its CRS, so it can't be reprojected: give attribute source_srs",
            kind="data",
        )
    move = Transformer.from_crs(crs, wanted, always_xy=True) if crs != wanted else None
    return Place(wanted, srid_of(wanted, "attribute srs"), move)


def to_wgs84(place: Place) -> Transformer | None:
    """How geometries get to longitude and latitude; None where they are, or nobody knows."""
    if place.crs is None or place.srid == WGS84:
        return None
    return Transformer.from_crs(place.crs, CRS.from_epsg(WGS84), always_xy=True)


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
