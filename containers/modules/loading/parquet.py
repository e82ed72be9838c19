"""Parquet and GeoParquet, through pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from loading.kinds import UNKNOWN, together
from loading.layers import Geometry, Layer
from loading.scan import Scan
from locaria_reporter import Fatal

_BATCH_BYTES = 4 << 20
_MOST_ROWS = 65_536
_SCANNED = 4_096
# Read by and by: else all of the file, as it is stored, would stay in memory.
_STREAMED = {"pre_buffer": False, "buffer_size": 1 << 20}
# GeoParquet: longitude and latitude on WGS 84 where nothing is said.
_DEFAULT_CRS = "OGC:CRS84"


def layers(path: Path, name: str) -> list[Layer]:
    """The one table of a Parquet file.

    Raises:
        Fatal: it is damaged or cut off.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            size = sum(
                file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups)
            )
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from None
    batch = max(64, min(_MOST_ROWS, _BATCH_BYTES * rows // max(size, 1)))

    def read(skip: int) -> Iterator[pa.RecordBatch]:
        return _read(path, name, skip, batch)

    geometry, notes = _geometry(schema, name)
    if geometry is not None and geometry.kind == UNKNOWN:
        geometry = replace(geometry, kind=_kind_seen(path, name, geometry.column))
    return [Layer("", schema, read, rows, geometry, notes=notes)]


def _kind_seen(path: Path, name: str, column: str) -> str:
    scan = Scan(column)
    try:
        with pq.ParquetFile(path, **_STREAMED) as file:
            scan.over(file.iter_batches(_SCANNED, columns=[column]))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from None
    return scan.kinds.kind()


def _read(path: Path, name: str, skip: int, batch: int) -> Iterator[pa.RecordBatch]:
    done = 0
    try:
        with pq.ParquetFile(path, **_STREAMED) as file:
            groups: list[int] = []
            for number in range(file.num_row_groups):
                rows = file.metadata.row_group(number).num_rows
                if not groups and done + rows <= skip:
                    done += rows
                else:
                    groups.append(number)
            for each in file.iter_batches(batch, groups) if groups else ():
                here = each.slice(max(0, skip - done))
                done += each.num_rows
                if here.num_rows:
                    yield here
    except (pa.ArrowException, OSError) as error:
        raise _damaged(f"{name}, behind row {done:,}", error) from None


def _damaged(where: str, error: Exception) -> Fatal:
    return Fatal(f"{where}: the Parquet data is damaged or cut off ({error})", kind="data")


def _geometry(schema: pa.Schema, name: str) -> tuple[Geometry | None, tuple[str, ...]]:
    """What the GeoParquet metadata say of the primary geometry, and what there is besides."""
    try:
        geo: Any = json.loads((schema.metadata or {}).get(b"geo", b"null"))
        if geo is None:
            return None, ()
        column = geo["primary_column"]
        facts = geo["columns"][column]
        schema.field(column)
    except (ValueError, KeyError, TypeError) as error:
        raise Fatal(
            f"{name}: its GeoParquet metadata make no sense ({error})", kind="data"
        ) from None
    if facts.get("encoding", "WKB") != "WKB":
        raise Fatal(
            f"{name}: geometries are encoded as {facts['encoding']!r}, only WKB is read",
            kind="data",
        )
    crs = facts.get("crs", _DEFAULT_CRS)
    kinds = facts.get("geometry_types") or facts.get("geometry_type") or []
    kind = together([kinds] if isinstance(kinds, str) else kinds)
    others = [each for each in geo["columns"] if each != column]
    notes = [f"a second geometry, {each!r}, stays WKB in a column of bytes" for each in others]
    return Geometry(column, kind, json.dumps(crs) if isinstance(crs, dict) else crs), tuple(notes)
