"""What kinds of geometry there are: of a column, as declared or as its values show."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Codes = npt.NDArray[np.int64]
# Any kind, some with more dimensions than others: only a column without a kind takes them all.
MIXED = "Mixed"
UNKNOWN = "Unknown"
_HAS_SRID = 0x20000000
_BASES = (
    *("Geometry", "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString"),
    *("MultiPolygon", "GeometryCollection"),
)
# Files that say Polygon hold MultiPolygons, and the reverse: all become the latter.
_MULTI = {"LineString": "MultiLineString", "Polygon": "MultiPolygon"}
_DIMENSIONS = ("", " Z", " M", " ZM")


def codes_of(wkb: pa.Array) -> tuple[Codes, Codes]:
    """Where there are geometries, and the kind of each, as ISO WKB (SQL/MM) numbers it.

    1003 is a polygon with Z; 8 to 12 are curves. Of PostGIS's own form the bits for Z, M and SRID
    are translated.
    """
    wkb = wkb.cast(pa.large_binary())
    offsets = np.frombuffer(wkb.buffers()[1], np.int64)[wkb.offset : wkb.offset + len(wkb) + 1]
    long_enough = np.diff(offsets) >= 5
    there = np.flatnonzero(np.asarray(wkb.is_valid()) & long_enough)
    data = wkb.buffers()[2]
    if data is None or not len(there):
        return there, np.zeros(0, np.int64)
    octets = np.frombuffer(data, np.uint8)
    there = there[octets[offsets[there]] <= 1]
    starts = offsets[there]
    little = octets[starts] == 1
    codes = np.zeros(len(there), np.int64)
    for place in range(4):
        octet = np.where(little, octets[starts + 1 + place], octets[starts + 4 - place])
        codes |= octet.astype(np.int64) << (8 * place)
    flags = codes >> 28
    return there, (codes & 0xFFFF) + 1000 * (flags >> 3) + 2000 * (flags >> 2 & 1)


def is_curved(code: Any) -> Any:
    """Whether it is of circular arcs (or of planes in space: a TIN); of a code, or of each."""
    return code % 1000 > 7


def promote(wkb: pa.Array) -> pa.Array:
    """Single geometries as collections of one: 1 → 4, 2 → 5, 3 → 6, in each dimension."""
    there, codes = codes_of(wkb)
    single = (codes % 1000 >= 1) & (codes % 1000 <= 3) & (codes < 4000)
    if not single.any():
        return wkb
    promoted = wkb.to_pylist()
    for index, code in zip(there[single], codes[single], strict=True):
        head = b"\x01" + int(code + 3).to_bytes(4, "little") + b"\x01\0\0\0"
        promoted[index] = head + promoted[index]
    return pa.array(promoted, pa.large_binary())


def with_srid(wkb: pa.Array, srid: int) -> pa.Array:
    """PostGIS's form of WKB, which says the SRID."""
    there, codes = codes_of(wkb)
    made = wkb.to_pylist()
    for index, code in zip(there, codes, strict=True):
        form = "<II" if made[index][0] == 1 else ">II"
        head = struct.pack(form, int(code) | _HAS_SRID, srid)
        made[index] = made[index][:1] + head + made[index][5:]
    return pa.array(made, pa.large_binary())


class Kinds:
    """The kinds that were seen."""

    def __init__(self) -> None:
        self._codes: set[int] = set()

    def add(self, wkb: Any) -> None:
        """Look at some geometries."""
        _, codes = codes_of(wkb)
        self._codes |= set(np.unique(codes).tolist())

    @property
    def curved(self) -> bool:
        """Whether there are curves among them."""
        return any(map(is_curved, self._codes))

    def kind(self) -> str:
        """The one kind that takes them all: "MultiPolygon Z", "Geometry"; MIXED; UNKNOWN."""
        return together(
            (_BASES[code % 1000] if not is_curved(code) else "Geometry")
            + _DIMENSIONS[min(code // 1000, 3)]
            for code in self._codes
        )


def together(kinds: Iterable[str]) -> str:
    """The one kind for geometries of these kinds.

    Args:
        kinds: "Polygon", "MultiPolygon Z", …
    """
    split = [(base, more) for base, _, more in (kind.partition(" ") for kind in kinds)]
    if not split:
        return UNKNOWN
    if len({more for _, more in split}) > 1:
        return MIXED
    bases = {base for base, _ in split}
    if len(bases) > 1:
        bases = {_MULTI.get(base, base) for base in bases}
    if bases == {"Point", "MultiPoint"}:
        bases = {"MultiPoint"}
    base = bases.pop() if len(bases) == 1 else "Geometry"
    return f"{base} {split[0][1]}".strip()


def column_kind(kind: str) -> tuple[str, str]:
    """Base and dimensions of the column for a layer of a kind: ("MultiPolygon", "Z")."""
    base, _, dimensions = kind.partition(" ")
    base = _MULTI.get(base, base)
    return (base if base in _BASES else "Geometry"), dimensions.replace(" ", "")
