"""What a reader of a format hands over: tables of Arrow batches, with or without a geometry.

A reader is a function `layers(path, options) -> list[Layer]`; a loader for another format needs to
make nothing but layers, and gives them to `loading.load_layers()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Geometry:
    """The geometry of a layer, which comes as WKB in a column of type binary.

    Attributes:
        column: its name in the batches.
        kind: as declared, "MultiPolygon Z"; "Unknown" for anything.
        crs: what pyproj understands ("EPSG:4326", WKT, PROJJSON); None when the file does not say.
    """

    column: str
    kind: str = "Unknown"
    crs: str | None = None


@dataclass(frozen=True)
class BadRow:
    """A row that a reader can't read: its index from 0, what it looks like, what is wrong."""

    index: int
    text: str
    reason: str


@dataclass(frozen=True)
class Layer:
    """One table: a layer of a spatial file, a sheet, a Parquet file.

    Attributes:
        name: the layer's own; '' when the file holds just one table.
        schema: of the batches.
        read: the batches, from so many rows on; each of a few megabytes. BadRow: a row in between,
            which counts as a row.
        rows: how many there are, where that is known without reading.
        geometry: None when there is none.
        first: how users count the first row (a sheet's row 2 lies below its header).
        row_word: what a user calls a row: "feature", "row".
        kinds: column name → SQL type, where the reader knows better than its Arrow type.
        position: bytes of the file read so far, where rows are not known.
        notes: what its user should know: logged as warnings, kept in the result.
    """

    name: str
    schema: pa.Schema
    read: Callable[[int], Iterator[pa.RecordBatch | BadRow]]
    rows: int | None = None
    geometry: Geometry | None = None
    first: int = 1
    row_word: str = "row"
    kinds: dict[str, str] | None = None
    position: Callable[[], int] | None = None
    notes: tuple[str, ...] = ()
