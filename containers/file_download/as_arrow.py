"""Rows as Arrow batches, whose types hold every value exactly (or are text); Parquet of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from measure import Measures, Shape, measure
from psycopg import sql
from relation import SPATIAL, Column, Relation
from snapshot import Row, Snapshot

from locaria_reporter import Fatal

_ROWS_A_GROUP = 100_000
_BYTES_A_GROUP = 64 << 20
_FIXED = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "date": pa.date32(),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "time without time zone": pa.time64("us"),
    "bytea": pa.binary(),
}


@dataclass(frozen=True)
class Layout:
    """How a table's columns become Arrow's."""

    relation: Relation
    measures: Measures
    schema: pa.Schema

    @property
    def shape(self) -> Shape | None:
        """Of the geometry column."""
        return self.measures.shape

    def express(self, column: Column) -> sql.Composable:
        """A column as it is selected: what has no Arrow type comes as Postgres writes it."""
        shape, name = self.shape, column.identifier
        if column.plain in SPATIAL and self.relation.postgis is not None:
            call = "st_asbinary" if shape and column == shape.column else "st_asewkt"
            function = sql.Identifier(self.relation.postgis, call)
            return sql.SQL("{}({})").format(function, self.relation.geometry_of(column))
        kind = self.schema.field(column.name).type
        if pa.types.is_string(kind):
            return sql.SQL("cast({} as text)").format(name)
        if column.plain == "numeric" and not pa.types.is_decimal(kind):
            as_kind = sql.SQL("int8" if pa.types.is_integer(kind) else "float8")
            return sql.SQL("cast({} as {})").format(name, as_kind)
        return name

    def batches(self, snapshot: Snapshot) -> Iterator[pa.RecordBatch]:
        """The rows."""
        for rows in snapshot.read(self.relation, self.express):
            yield self._batch(rows)

    def _batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        columns = zip(*rows, strict=True) if rows[0] else []
        arrays = [
            self._array(values, field) for values, field in zip(columns, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _array(self, values: Sequence[Any], field: pa.Field) -> pa.Array:
        if self.shape and self.shape.wkb and field.name == self.shape.column.name:
            values = [None if value is None else without_srid(bytes(value)) for value in values]
        try:
            return pa.array(values, type=field.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise Fatal(
                f'column "{field.name}": {error}: CSV takes every value', kind="data"
            ) from None


def plan_layout(
    snapshot: Snapshot,
    relation: Relation,
    express: Callable[[Column, Measures], pa.DataType | None],
    *,
    exactly: bool = False,
    texts: bool = False,
) -> Layout:
    """Find out how a table's columns become Arrow's.

    Args:
        snapshot: to look into.
        relation: the table.
        express: the type for a column of type numeric, or whatever the format has other types
            for than Arrow; None: Arrow's.
        exactly: as in `measure()`.
        texts: as in `measure()`.
    """
    measures = measure(snapshot, relation, exactly=exactly, texts=texts)
    shape = measures.shape
    fields = []
    for column in relation.columns:
        kind = express(column, measures) or _FIXED.get(column.plain, pa.string())
        if shape is not None and column == shape.column:
            kind = pa.binary()
        fields.append(pa.field(column.name, kind))
    return Layout(relation, measures, pa.schema(fields))


def exact_decimal(column: Column, measures: Measures) -> pa.DataType | None:
    """A decimal that holds all values of a numeric column; text where none does."""
    if column.plain != "numeric":
        return None
    digits = measures.numbers[column.name]
    if digits is None or digits.precision > 76:
        return pa.string()
    if digits.precision > 38:
        return pa.decimal256(digits.precision, digits.behind)
    return pa.decimal128(digits.precision, digits.behind)


def write_parquet(snapshot: Snapshot, relation: Relation, path: Path) -> None:
    """Write a table as Parquet; as GeoParquet when it has a geometry."""
    layout = plan_layout(snapshot, relation, exact_decimal)
    schema = layout.schema
    if layout.shape is not None:
        schema = schema.with_metadata({b"geo": _geo_metadata(layout.shape).encode()})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        waiting: list[pa.RecordBatch] = []
        for batch in layout.batches(snapshot):
            waiting.append(batch)
            if (
                sum(b.num_rows for b in waiting) >= _ROWS_A_GROUP
                or sum(b.nbytes for b in waiting) >= _BYTES_A_GROUP
            ):
                writer.write_table(pa.Table.from_batches(waiting, layout.schema))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting, layout.schema))


def _geo_metadata(shape: Shape) -> str:
    """GeoParquet 1.1's description of the geometry column (geoparquet.org)."""
    from pyproj import CRS  # noqa: PLC0415  # takes a second to load

    # Without "crs" it would be longitude and latitude; null says that nobody knows.
    crs = None if shape.crs is None else CRS.from_user_input(shape.crs).to_json_dict()
    kinds = sorted(kind for kind in shape.kinds if not kind.endswith("M"))
    column = {"encoding": "WKB", "geometry_types": kinds, "crs": crs}
    name = shape.column.name
    return json.dumps({"version": "1.1.0", "primary_column": name, "columns": {name: column}})


def without_srid(wkb: bytes) -> bytes:
    """WKB without the SRID that PostGIS may put into it."""
    flags = 4 if wkb[:1] == b"\x01" else 1
    if len(wkb) < 9 or not wkb[flags] & 0x20:
        return wkb
    head = bytearray(wkb[:5])
    head[flags] &= 0xDF
    return bytes(head) + wkb[9:]
