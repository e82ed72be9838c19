"""What becomes of a layer's geometry: column, SRID, promotion to one kind."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loading.arrow_types import Column
from loading.kinds import MIXED, column_kind, promote, with_srid
from loading.layers import Geometry

WGS84 = 4326
BYTES = Column("bytea", pa.large_binary())
_EPSG = re.compile(r"(?:EPSG:)?(\d{1,6})")


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

    def add(self, boxes: npt.NDArray[Any]) -> None:
        """Widen it by boxes: xmin, ymin, xmax, ymax; NaN where there is none."""
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
    known: Callable[[int], bool],
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
        known: whether PostGIS has the reference system of this EPSG code.
        source_srs: what the file's CRS is, whatever it says itself.
        srs: what the geometries are to be reprojected to.
        kind: the SQL type, where an earlier attempt found which one is needed.
        invalid: keep, fix or refuse invalid geometries.
        bounds: gets the bounding box where PostGIS can't tell it.

    Raises:
        Fatal: the CRS is not known, though it is needed.
    """
    said = source_srs or geometry.crs
    srid, rewrite, flaws = _epsg_code(said), None, None
    if srs is not None or invalid != "keep" or postgis is None or not (srid and known(srid)):
        # Only now: what these are made of takes time to import.
        from loading import crs, shapes  # noqa: PLC0415

        place = crs.place_of(said, srs, what)
        flaws = functools.partial(shapes.flaws_of, strict=invalid == "refuse", move=place.move)
        if postgis is None:
            return shapes.without_postgis(name, place, invalid=invalid, flaws=flaws, bounds=bounds)
        if place.move is None and invalid == "keep":
            flaws = None
        else:
            rewrite = functools.partial(shapes.rewrite, move=place.move, invalid=invalid)
        srid = place.srid
    if kind is None and geometry.kind == MIXED:
        kind = loosest_kind(postgis)
    loose = kind is not None
    kind = kind or _typed(postgis, geometry.kind, srid)
    convert = functools.partial(
        _for_postgis,
        rewrite=rewrite,
        multi=not loose and column_kind(geometry.kind)[0].startswith("Multi"),
        srid=srid if loose else 0,
    )
    return Target({name: BYTES}, {name: kind}, name, srid, convert, flaws)


def _epsg_code(said: str | None) -> int:
    found = _EPSG.fullmatch(said or "")
    return int(found[1]) if found else 0


def loosest_kind(postgis: str) -> str:
    """The type that takes every geometry."""
    return f"{postgis}.geometry"


def _typed(postgis: str, kind: str, srid: int) -> str:
    base, dimensions = column_kind(kind)
    return f"{postgis}.geometry({base}{dimensions},{srid})"


def _for_postgis(
    wkb: pa.Array,
    *,
    rewrite: Callable[[pa.Array], pa.Array] | None,
    multi: bool,
    srid: int,
) -> list[pa.Array]:
    """WKB; with the SRID in it where the column does not have it."""
    if rewrite is not None:
        wkb = rewrite(wkb)
    if multi:
        wkb = promote(wkb)
    if srid:
        wkb = with_srid(wkb, srid)
    return [wkb.cast(pa.large_binary())]
