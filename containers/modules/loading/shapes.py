"""Geometries that are looked into: reprojected, mended, refused, shown as GeoJSON.

Only for files that need it: shapely and pyproj take time to import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
import shapely.errors
from pyproj import Transformer

from loading.arrow_types import JSONB, Column
from loading.crs import Place, to_wgs84
from loading.geometry import BYTES, Bounds, Target
from loading.kinds import codes_of, is_curved

Shapes = npt.NDArray[Any]
_JSON = Column(JSONB, pa.large_string())
_CURVED = (
    "it has circular arcs, which are kept with PostGIS and in their own CRS only; "
    "make straight lines of them (ogr2ogr -nlt CONVERT_TO_LINEAR)"
)
_MEASURED = "it has measures (M), which reprojecting would drop; load it without attribute srs"


def without_postgis(
    name: str,
    place: Place,
    *,
    invalid: str,
    flaws: Callable[[pa.Array], dict[int, str]],
    bounds: Bounds,
) -> Target:
    """WKB, and GeoJSON, which by its standard (RFC 7946) is on WGS 84.

    Args:
        name: of the column to be made.
        place: where the geometries are, and are to be.
        invalid: fix: mend invalid ones.
        flaws: as in Target.
        bounds: gets the bounding box.
    """
    turn = to_wgs84(place)

    def convert(wkb: pa.Array) -> list[pa.Array]:
        shapes = _prepare(wkb, move=place.move, invalid=invalid)
        bounds.add(shapely.bounds(shapes))
        shown = _reproject(turn, shapes) if turn is not None else shapes
        texts = shapely.to_geojson(shown)
        return [
            _as_wkb(shapes).cast(pa.large_binary()),
            pa.array([text if text else None for text in texts], pa.large_string()),
        ]

    json_name = f"{name}_geojson"
    kinds = {name: "bytea", json_name: JSONB}
    return Target({name: BYTES, json_name: _JSON}, kinds, None, place.srid, convert, flaws)


def rewrite(wkb: pa.Array, *, move: Transformer | None, invalid: str) -> pa.Array:
    """Geometries reprojected and, if `invalid` is fix, mended; as WKB."""
    return _as_wkb(_prepare(wkb, move=move, invalid=invalid))


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
