"""Geometries: SRID, reprojection, promotion to one kind, and what they are without PostGIS."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
import shapely.errors
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from locaria_reporter import Fatal

from .arrow_types import JSONB, Column
from .layers import Geometry

Shapes = npt.NDArray[Any]
_WGS84 = 4326
_SURE = 70
_PAIRS = {"Point": "MultiPoint", "LineString": "MultiLineString", "Polygon": "MultiPolygon"}
_MULTIS = set(_PAIRS.values())
_BYTES = Column("bytea", pa.large_binary())
_JSON = Column(JSONB, pa.large_string())


@dataclass(frozen=True)
class Target:
    """What the geometry of a layer becomes.

    Attributes:
        columns: name → what is sent.
        kinds: name → SQL type of the column.
        spatial: the PostGIS column, None without PostGIS.
        srid: 0 when not known.
        convert: makes the columns out of WKB; `parses`: it fails where that makes no sense.
    """

    columns: dict[str, Column]
    kinds: dict[str, str]
    spatial: str | None
    srid: int
    convert: Callable[[pa.Array], list[pa.Array]]
    parses: bool = True


@dataclass
class Bounds:
    """The box around everything seen."""

    box: list[float] = field(default_factory=list)

    def add(self, shapes: Shapes) -> None:
        """Widen it."""
        found = shapely.total_bounds(shapes)
        if np.isnan(found).any():
            return
        if not self.box:
            self.box = [float(value) for value in found]
        low = [min(a, float(b)) for a, b in zip(self.box[:2], found[:2], strict=True)]
        high = [max(a, float(b)) for a, b in zip(self.box[2:], found[2:], strict=True)]
        self.box = low + high


def read_crs(text: str | int, what: str) -> CRS:
    """The coordinate reference system that `text` names.

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
        return _WGS84
    srid = crs.to_epsg(min_confidence=_SURE)
    if srid is None:
        raise Fatal(
            f'{what}: its CRS, "{crs.name}", has no EPSG code; give attribute source_srs '
            '("EPSG:27700") where it has one, or srs to have it reprojected',
            kind="data",
        )
    return int(srid)


def target_for(
    geometry: Geometry,
    what: str,
    *,
    name: str,
    postgis: str | None,
    source_srs: str | None,
    srs: str | None,
    kind: str | None,
    invalid: str,
    bounds: Bounds,
) -> Target:
    """What is to be done with a layer's geometry.

    Args:
        geometry: as the reader found it.
        what: file and layer, for messages.
        name: of the column to be made.
        postgis: the schema of the type geometry, None where there is none.
        source_srs: what the file's CRS is, whatever it says itself.
        srs: what the geometries are to be reprojected to.
        kind: the SQL type, where an earlier attempt found which one is needed.
        invalid: keep, fix or refuse invalid geometries.
        bounds: gets the bounding box where PostGIS can't tell it.

    Raises:
        Fatal: the CRS is not known, though it is needed.
    """
    said = source_srs or geometry.crs
    crs = None if said is None else read_crs(said, f"{what}, CRS")
    wanted = None if srs is None else read_crs(srs, "attribute srs")
    if wanted is not None and crs is None:
        raise Fatal(
            f"{what} does not say its CRS, so it can't be reprojected: give attribute source_srs",
            kind="data",
        )
    srid = 0
    if wanted is not None:
        srid = srid_of(wanted, "attribute srs")
    elif crs is not None:
        srid = srid_of(crs, what)
    move = None
    if wanted is not None and crs is not None and crs != wanted:
        move = functools.partial(_reproject, Transformer.from_crs(crs, wanted, always_xy=True))
    prepare = functools.partial(_prepare, move=move, invalid=invalid)
    if postgis is None:
        return _without_postgis(name, wanted or crs, srid, prepare, bounds)
    loose = kind is not None
    multi = None if loose else _common_kind(geometry.kind)
    kind = kind or _typed(postgis, geometry.kind, srid)
    convert = functools.partial(
        _for_postgis,
        prepare=prepare if move or invalid != "keep" else None,
        multi=multi,
        srid=srid if loose else None,
    )
    parses = bool(move) or invalid != "keep" or loose
    return Target({name: _BYTES}, {name: kind}, name, srid, convert, parses)


def loosest_kind(postgis: str) -> str:
    """The type that takes every geometry."""
    return f"{postgis}.geometry"


def _typed(postgis: str, kind: str, srid: int) -> str:
    base, _, dimensions = kind.partition(" ")
    base = _common_kind(kind) or (base if base in _MULTIS | {"GeometryCollection"} else "Geometry")
    if base == "Geometry" and dimensions == "" and kind.partition(" ")[0] not in _PAIRS:
        dimensions = "" if kind in ("Unknown", "Geometry") else dimensions
    return f"{postgis}.geometry({base}{dimensions.replace(' ', '')},{srid})"


def _common_kind(kind: str) -> str | None:
    """Files that say Polygon hold MultiPolygons, and the reverse: all become the latter."""
    base = kind.partition(" ")[0]
    if base == "Point":
        return "Point"
    return _PAIRS.get(base) or (base if base in _MULTIS else None)


def _for_postgis(
    wkb: pa.Array,
    *,
    prepare: Callable[[pa.Array], Shapes] | None,
    multi: str | None,
    srid: int | None,
) -> list[pa.Array]:
    if prepare is not None or srid is not None:
        shapes = prepare(wkb) if prepare is not None else _shapes(wkb)
        if srid:
            shapes = shapely.set_srid(shapes, srid)
        wkb = _as_wkb(shapes, include_srid=bool(srid))
    if multi in _MULTIS:
        wkb = _promote(wkb)
    return [wkb.cast(pa.large_binary())]


def _promote(wkb: pa.Array) -> pa.Array:
    """Single geometries as collections of one: 1 → 4, 2 → 5, 3 → 6, in each dimension (ISO WKB)."""
    wkb = wkb.cast(pa.large_binary())
    offsets = np.frombuffer(wkb.buffers()[1], np.int64)[wkb.offset : wkb.offset + len(wkb)]
    data = wkb.buffers()[2]
    if data is None or not len(wkb):
        return wkb
    there = np.asarray(wkb.is_valid())
    bytes_ = np.frombuffer(data, np.uint8)
    starts = offsets[there]
    little = bytes_[starts] == 1
    low = np.where(little, bytes_[starts + 1], bytes_[starts + 4]).astype(np.int64)
    high = np.where(little, bytes_[starts + 2], bytes_[starts + 3]).astype(np.int64)
    codes = low + (high << 8)
    single = (codes % 1000 >= 1) & (codes % 1000 <= 3) & (codes < 4000)
    if not single.any():
        return wkb
    promoted = wkb.to_pylist()
    for index, code in zip(np.flatnonzero(there)[single], codes[single], strict=True):
        head = b"\x01" + int(code + 3).to_bytes(4, "little") + b"\x01\0\0\0"
        promoted[index] = head + promoted[index]
    return pa.array(promoted, pa.large_binary())


def _without_postgis(
    name: str,
    crs: CRS | None,
    srid: int,
    prepare: Callable[[pa.Array], Shapes],
    bounds: Bounds,
) -> Target:
    """WKB, and GeoJSON, which by its standard (RFC 7946) is on WGS 84."""
    wgs84 = CRS.from_epsg(_WGS84)
    turn = None
    if crs is not None and srid != _WGS84:
        turn = Transformer.from_crs(crs, wgs84, always_xy=True)

    def convert(wkb: pa.Array) -> list[pa.Array]:
        shapes = prepare(wkb)
        bounds.add(shapes)
        shown = _reproject(turn, shapes) if turn is not None else shapes
        texts = shapely.to_geojson(shown)
        return [
            _as_wkb(shapes).cast(pa.large_binary()),
            pa.array([text if text else None for text in texts], pa.large_string()),
        ]

    json_name = f"{name}_geojson"
    kinds = {name: "bytea", json_name: JSONB}
    return Target({name: _BYTES, json_name: _JSON}, kinds, None, srid, convert)


def _shapes(wkb: pa.Array) -> Shapes:
    values = np.array(wkb.to_pylist(), dtype=object)
    shapes: Shapes = shapely.from_wkb(values)
    return shapes


def _prepare(wkb: pa.Array, *, move: Callable[[Shapes], Shapes] | None, invalid: str) -> Shapes:
    shapes = _shapes(wkb)
    if invalid == "fix":
        wrong = ~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)
        if wrong.any():
            shapes[wrong] = shapely.make_valid(shapes[wrong])
    return move(shapes) if move is not None else shapes


def why_invalid(wkb: pa.Array, *, strict: bool) -> dict[int, str]:
    """Index → reason, of the geometries that can't be read; if `strict`, of the invalid ones, too.

    Args:
        wkb: the geometries.
        strict: look for those that are read, but are not valid: a polygon that crosses itself.
    """
    values = np.array(wkb.to_pylist(), dtype=object)
    shapes = shapely.from_wkb(values, on_invalid="ignore")
    unread = shapely.is_missing(shapes) & np.asarray(wkb.is_valid())
    found = {int(n): _why_unread(values[n]) for n in np.flatnonzero(unread)}
    if strict:
        wrong = ~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)
        for n in np.flatnonzero(wrong):
            found[int(n)] = str(shapely.is_valid_reason(shapes[n]))
    return dict(sorted(found.items()))


def _why_unread(wkb: bytes) -> str:
    try:
        shapely.from_wkb(wkb)
    except shapely.errors.GEOSException as error:
        return str(error).partition(": ")[2] or str(error)
    return "it can't be read"


def _reproject(transformer: Transformer, shapes: Shapes) -> Shapes:
    def turn(points: Shapes) -> Shapes:
        return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

    flat = shapely.has_z(shapes)
    if not flat.any():
        moved: Shapes = shapely.transform(shapes, turn)
        return moved

    def turn_z(points: Shapes) -> Shapes:
        return np.column_stack([turn(points), points[:, 2]])

    moved = shapely.transform(shapes, turn)
    moved[flat] = shapely.transform(shapes[flat], turn_z, include_z=True)
    return moved


def _as_wkb(shapes: Shapes, include_srid: bool = False) -> pa.Array:
    flavor = "extended" if include_srid else "iso"
    made = shapely.to_wkb(shapes, include_srid=include_srid, flavor=flavor, byte_order=1)
    return pa.array(made, pa.binary())
