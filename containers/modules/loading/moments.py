"""Moments whose zones differ from value to value.

GDAL's Arrow stream knows one zone a column. Where a file has several, or says that it has none (GPX
does, whose times all end in Z), it drops them all; as texts they come as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from loading.arrow_types import is_text
from loading.infer import TEXT, TIMESTAMP, TIMESTAMPTZ

# Their moments are texts, each with a zone of its own, or none.
ZONED = ("GeoJSON", "GeoJSONSeq", "GPX", "LIBKML", "GML", "FlatGeobuf", "SQLite")
AS_TEXT = {"datetime_as_string": True}
_ARROW = {
    TEXT: pa.large_string(),
    TIMESTAMP: pa.timestamp("us"),
    TIMESTAMPTZ: pa.timestamp("us", "UTC"),
}


def without_zone(schema: pa.Schema) -> list[str]:
    """The columns of moments for which GDAL knows no zone."""
    return [f.name for f in schema if pa.types.is_timestamp(f.type) and f.type.tz is None]


def with_zones(schema: pa.Schema, types: Mapping[str, str]) -> pa.Schema:
    """The schema with what its moments are: with zones, without, or texts where some have one."""
    return pa.schema(
        [pa.field(f.name, _ARROW[types[f.name]]) if f.name in types else f for f in schema]
    )


def as_moments(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch, whose moments came as texts, with the types of the schema."""
    columns = [
        pc.cast(column, field.type)
        if is_text(column.type) and pa.types.is_timestamp(field.type)
        else column
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=schema.names)
