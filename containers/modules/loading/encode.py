"""Arrow batches as COPY takes them.

Binary where the columns are of the very types that are sent: half as many bytes as text, and the
server parses nothing. Else CSV, and the server converts: into the columns of an existing table, or
into types that the file's attributes ask for.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pgpq
import pgpq.encoders
import pgpq.schema
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from loading.arrow_types import JSONB, Column, is_bytes
from locaria_reporter import Fatal

CSV = "format csv, encoding 'UTF8'"
BINARY = "format binary"
# format_type() says it at length.
_LONG = {
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "decimal": "numeric",
}


class Encoder:
    """Makes the bytes for COPY out of batches of one schema.

    Args:
        names: of the columns.
        columns: what is sent.
        there: the types of the staging table, as format_type() names them, by name.

    Attributes:
        options: for COPY … WITH (…).
    """

    def __init__(
        self, names: Sequence[str], columns: Sequence[Column], there: Mapping[str, str]
    ) -> None:
        self._columns = columns
        self._schema = pa.schema(
            [pa.field(name, column.sent) for name, column in zip(names, columns, strict=True)]
        )
        self._binary = all(
            _fits(column, there[name]) for name, column in zip(names, columns, strict=True)
        )
        self._bare = [_is_geometry(there[name]) or there[name] == "uuid" for name in names]
        self.options = BINARY if self._binary else CSV

    def encode(self, arrays: Sequence[pa.Array]) -> bytes:
        """One COPY's worth."""
        if self._binary:
            return self._encode_binary(arrays)
        return self._encode_csv(arrays)

    def _encode_binary(self, arrays: Sequence[pa.Array]) -> bytes:
        encoders: dict[str, Any] = {}
        for field, column in zip(self._schema, self._columns, strict=True):
            if column.kind == JSONB:
                builder = pgpq.encoders.LargeStringEncoderBuilder
                encoders[field.name] = builder.new_with_output(field, pgpq.schema.Jsonb())
            else:
                infer = pgpq.ArrowToPostgresBinaryEncoder.infer_encoder
                encoders[field.name] = infer(field)
        encoder = pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(self._schema, encoders)
        batch = pa.RecordBatch.from_arrays(list(arrays), schema=self._schema)
        try:
            parts = (encoder.write_header(), encoder.write_batch(batch), encoder.finish())
        except ValueError as error:
            raise Fatal(f"a value is none that Postgres has: {error}", kind="data") from None
        return b"".join(bytes(part) for part in parts)

    def _encode_csv(self, arrays: Sequence[pa.Array]) -> bytes:
        shown = [_as_text(array, bare) for array, bare in zip(arrays, self._bare, strict=True)]
        sink = pa.BufferOutputStream()
        batch = pa.RecordBatch.from_arrays(shown, names=self._schema.names)
        options = pyarrow.csv.WriteOptions(include_header=False)
        pyarrow.csv.write_csv(batch, sink, options)
        return bytes(sink.getvalue())


def _is_geometry(kind: str) -> bool:
    return kind.rpartition(".")[2].startswith(("geometry", "geography"))


def _fits(column: Column, there: str) -> bool:
    """Whether the binary form of what is sent is the one of the column's type."""
    wanted = _LONG.get(column.kind, column.kind)
    if column.kind == "bytea":
        return there == "bytea" or _is_geometry(there)
    if column.kind == "numeric":
        return there.startswith("numeric") and not pa.types.is_large_string(column.sent)
    return there == wanted


def _as_text(array: pa.Array, bare: bool) -> pa.Array:
    """Texts for CSV; bytes in hexadecimal digits, after `\\x` where they are for a bytea."""
    if is_bytes(array.type):
        return as_hex(array, "" if bare else "\\x")
    if pa.types.is_nested(array.type):
        return pa.array([_as_array_literal(value) for value in array.to_pylist()], pa.string())
    if pa.types.is_duration(array.type):
        return pc.binary_join_element_wise(
            array.cast(pa.int64()).cast(pa.string()), "microseconds", " "
        )
    return array


def _as_array_literal(values: Sequence[object] | None) -> str | None:
    if values is None:
        return None
    return "{" + ",".join(_as_item(value) for value in values) + "}"


def _as_item(value: object) -> str:
    if value is None:
        return "NULL"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def as_hex(array: pa.Array, prefix: str) -> pa.Array:
    """Bytes as hexadecimal digits, all values at once."""
    array = array.cast(pa.large_binary())
    offsets = np.frombuffer(array.buffers()[1], np.int64)[
        array.offset : array.offset + len(array) + 1
    ]
    data = array.buffers()[2]
    digits = binascii.hexlify(memoryview(data)[offsets[0] : offsets[-1]]) if data else b""
    ends = pa.py_buffer(np.ascontiguousarray((offsets - offsets[0]) * 2))
    shown = pa.Array.from_buffers(pa.large_string(), len(array), [None, ends, pa.py_buffer(digits)])
    if prefix:
        shown = pc.binary_join_element_wise(
            pa.scalar(prefix, pa.large_string()), shown, pa.scalar("", pa.large_string())
        )
    return pc.if_else(array.is_valid(), shown, pa.scalar(None, pa.large_string()))
