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

from locaria_reporter import Fatal

from .arrow_types import JSONB, Column
from .crs import WGS84, read_crs, srid_of
from .kinds import MIXED, codes_of, column_kind, is_curved, promote, with_srid
from .layers import Geometry

Shapes = npt.NDArray[Any]
_BYTES = Column("bytea", pa.large_binary())
_JSON = Column(JSONB, pa.large_string())
_CURVED = (
    "it has circular arcs, which are kept with PostGIS and in their own CRS only; "
    "make straight lines of them (ogr2ogr -nlt CONVERT_TO_LINEAR)"
)
_MEASURED = "it has measures (M), which reprojecting would drop; load it without attribute srs"


@dataclass(frozen=True)
class Target:
    """What the geometry of a layer becomes.

    Attributes:
        columns: name → what is sent.
        kinds: name → SQL type of the column.
        spatial: the PostGIS column, None without PostGIS.
        srid: 0 when not known.
        convert: makes the columns out of WKB; with PostGIS, `multi` and `srid` may be given anew.
        flaws: which of them can't be converted or are to be refused: index → reason; None where
            everything can.
    """

    columns: dict[str, Column]
    kinds: dict[str, str]
    spatial: str | None
    srid: int
    convert: Callable[..., list[pa.Array]]
    flaws: Callable[[pa.Array], dict[int, str]] | None


@dataclass
class Bounds:
    """The box around everything seen."""

    box: list[float] = field(default_factory=list)

    def add(self, shapes: Shapes) -> None:
        """Widen it."""
        boxes = shapely.bounds(shapes)
        boxes = boxes[np.isfinite(boxes).all(axis=1)]
        if self.box:
            boxes = np.vstack([boxes, self.box])
        if len(boxes):
            self.box = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]


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
        move = Transformer.from_crs(crs, wanted, always_xy=True)
    prepare = functools.partial(_prepare, move=move, invalid=invalid)
    flaws = functools.partial(flaws_of, strict=invalid == "refuse", move=move)
    if postgis is None:
        return _without_postgis(
            name, wanted or crs, srid, prepare=prepare, flaws=flaws, bounds=bounds
        )
    if kind is None and geometry.kind == MIXED:
        kind = loosest_kind(postgis)
    loose = kind is not None
    kind = kind or _typed(postgis, geometry.kind, srid)
    parses = move is not None or invalid != "keep"
    convert = functools.partial(
        _for_postgis,
        prepare=prepare if parses else None,
        multi=not loose and column_kind(geometry.kind)[0].startswith("Multi"),
        srid=srid if loose else 0,
    )
    return Target({name: _BYTES}, {name: kind}, name, srid, convert, flaws if parses else None)


def loosest_kind(postgis: str) -> str:
    """The type that takes every geometry."""
    return f"{postgis}.geometry"


def _typed(postgis: str, kind: str, srid: int) -> str:
    base, dimensions = column_kind(kind)
    return f"{postgis}.geometry({base}{dimensions},{srid})"


def _for_postgis(
    wkb: pa.Array,
    *,
    prepare: Callable[[pa.Array], Shapes] | None,
    multi: bool,
    srid: int,
) -> list[pa.Array]:
    """WKB; with the SRID in it where the column does not have it."""
    if prepare is not None:
        wkb = _as_wkb(prepare(wkb))
    if multi:
        wkb = promote(wkb)
    if srid:
        wkb = with_srid(wkb, srid)
    return [wkb.cast(pa.large_binary())]


def _without_postgis(
    name: str,
    crs: CRS | None,
    srid: int,
    *,
    prepare: Callable[[pa.Array], Shapes],
    flaws: Callable[[pa.Array], dict[int, str]],
    bounds: Bounds,
) -> Target:
    """WKB, and GeoJSON, which by its standard (RFC 7946) is on WGS 84."""
    wgs84 = CRS.from_epsg(WGS84)
    turn = None
    if crs is not None and srid != WGS84:
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
    return Target({name: _BYTES, json_name: _JSON}, kinds, None, srid, convert, flaws)


def _shapes(wkb: pa.Array) -> Shapes:
    values = np.array(wkb.to_pylist(), dtype=object)
    shapes: Shapes = shapely.from_wkb(values)
    return shapes


def _prepare(wkb: pa.Array, *, move: Transformer | None, invalid: str) -> Shapes:
    shapes = _shapes(wkb)
    if invalid == "fix":
        wrong = ~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)
        if wrong.any():
            shapes[wrong] = shapely.make_valid(shapes[wrong])
    return _reproject(move, shapes) if move is not None else shapes


def flaws_of(wkb: pa.Array, *, strict: bool, move: Transformer | None) -> dict[int, str]:
    """Index → reason, of the geometries that can't be read or reprojected, or are refused.

    Args:
        wkb: the geometries.
        strict: refuse those that are read, but are not valid: a polygon that crosses itself.
        move: how they are to be reprojected.
    """
    there, codes = codes_of(wkb)
    found = {int(n): _CURVED for n in there[is_curved(codes)]}
    values = np.array(wkb.to_pylist(), dtype=object)
    values[list(found)] = None
    shapes = shapely.from_wkb(values, on_invalid="ignore")
    unread = shapely.is_missing(shapes) & np.array([v is not None for v in values], bool)
    found |= {int(n): _why_unread(values[n]) for n in np.flatnonzero(unread)}
    if strict:
        wrong = ~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)
        for n in np.flatnonzero(wrong):
            found[int(n)] = str(shapely.is_valid_reason(shapes[n]))
    if move is not None:
        found |= {int(n): _MEASURED for n in np.flatnonzero(shapely.has_m(shapes))}
        for n in np.flatnonzero(_is_out_of_reach(shapes, move)):
            found[int(n)] = "it can't be reprojected: it lies outside of what attribute srs shows"
    return dict(sorted(found.items()))


def _is_out_of_reach(shapes: Shapes, move: Transformer) -> Shapes:
    """Whether a corner of the box around a geometry comes out at infinity, or is there already."""
    boxes = shapely.bounds(shapes)
    there = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
    lost = np.zeros(len(boxes), bool)
    for x, y in ((0, 1), (0, 3), (2, 1), (2, 3)):
        moved = np.column_stack(move.transform(boxes[:, x], boxes[:, y]))
        lost |= ~np.isfinite(moved).all(axis=1)
    found: Shapes = there & lost
    return found


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
