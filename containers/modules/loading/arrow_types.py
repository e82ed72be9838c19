"""Arrow's types in SQL, and batches as pgpq and COPY take them.

What binary COPY has no form for is first cast to what it has: nanoseconds to microseconds, nested
values to JSON text, dictionaries to their values.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from locaria_reporter import Fatal

JSONB = "jsonb"
_COARSE = ("s", "ms")
_SIMPLE: tuple[tuple[Any, str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (lambda t: t in (pa.int8(), pa.uint8(), pa.int16()), "smallint"),
    (lambda t: t in (pa.uint16(), pa.int32()), "integer"),
    (lambda t: t in (pa.uint32(), pa.int64()), "bigint"),
    (lambda t: t == pa.uint64(), "numeric"),
    (lambda t: t in (pa.float16(), pa.float32()), "real"),
    (lambda t: t == pa.float64(), "double precision"),
    (pa.types.is_decimal, "numeric"),
    (pa.types.is_date, "date"),
    (lambda t: pa.types.is_timestamp(t) and t.tz is None, "timestamp"),
    (pa.types.is_timestamp, "timestamptz"),
    (pa.types.is_time, "time"),
    (pa.types.is_duration, "interval"),
)


@dataclass(frozen=True)
class Column:
    """One column of a batch: its SQL type, and the Arrow type that is sent for it."""

    kind: str
    sent: pa.DataType


def is_text(kind: pa.DataType) -> bool:
    """Whether its values are texts, in one of Arrow's three layouts."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_bytes(kind: pa.DataType) -> bool:
    """Whether its values are bytes, in one of Arrow's layouts."""
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def column_for(field: pa.Field) -> Column:  # noqa: PLR0911 - a table of cases
    """How a field's values are kept: timestamps in microseconds, nested values as jsonb.

    Raises:
        Fatal: there is no way.
    """
    kind, says_json = plain(field), is_json(field)
    if isinstance(field.type, pa.BaseExtensionType) and field.type.extension_name == "arrow.uuid":
        return Column("uuid", pa.large_binary())
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind):
        return Column("text", pa.string())
    if is_text(kind):
        return Column(JSONB if says_json else "text", pa.large_string())
    if is_bytes(kind):
        return Column("bytea", pa.large_binary())
    for matches, name in _SIMPLE:
        if matches(kind):
            return Column(name, _sent(kind))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = kind.value_type
        if is_text(item) or item in (pa.int16(), pa.int32(), pa.int64(), pa.float64(), pa.bool_()):
            return Column(f"{column_for(pa.field('x', item)).kind}[]", kind)
    if pa.types.is_nested(kind):
        return Column(JSONB, pa.large_string())
    raise Fatal(f"column {field.name!r}: the type {kind} can't be kept", kind="data")


def plain(field: pa.Field) -> pa.DataType:
    """The field's type without an extension around it."""
    kind = field.type
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def is_json(field: pa.Field) -> bool:
    """Whether its texts are said to be JSON."""
    if isinstance(field.type, pa.BaseExtensionType):
        return bool(field.type.extension_name == "arrow.json")
    about: Mapping[bytes, bytes] = field.metadata or {}
    return b"JSON" in (about.get(b"GDAL:OGR:subtype"), about.get(b"GDAL:OGR:type"))


def _sent(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz and "UTC")
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_time(kind):
        return pa.time64("us")
    if pa.types.is_duration(kind):
        return pa.duration("us")
    if pa.types.is_decimal(kind) and kind.precision > 38:
        return pa.large_string()
    return kind


def as_sent(array: pa.Array, field: pa.Field, column: Column) -> pa.Array:
    """The values in the type in which they are sent."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type == column.sent:
        return array
    if pa.types.is_nested(array.type) and is_text(column.sent):
        try:
            return pa.array([_as_json(value) for value in array.to_pylist()], column.sent)
        except (OverflowError, ValueError) as error:
            raise Fatal(f"column {field.name!r}: {error}", kind="data") from None
    if pa.types.is_fixed_size_binary(array.type) or pa.types.is_binary_view(array.type):
        array = array.cast(pa.binary())
    try:
        # Nanoseconds are cut to microseconds: Postgres has no more. Of seconds and milliseconds
        # some are too far off to be counted in microseconds.
        cut = pa.types.is_temporal(column.sent) and getattr(array.type, "unit", "") not in _COARSE
        return pc.cast(array, column.sent, safe=not cut)
    except pa.ArrowInvalid as error:
        raise Fatal(f"column {field.name!r}: {error}", kind="data") from None


def _as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        # A number only where that is all of it.
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)
