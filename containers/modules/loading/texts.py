"""Texts of files that need not say in which encoding they are."""

from __future__ import annotations

import pyarrow as pa

from loading.arrow_types import is_text
from locaria_reporter import Fatal


def refuse_bytes(batch: pa.RecordBatch, where: str, done: int) -> None:
    """Refuse texts that are no UTF-8: their encoding is not known.

    Args:
        batch: some features.
        where: file and layer, for messages.
        done: how many features are before these.

    Raises:
        Fatal: there are such; it names the first.
    """
    for column, field in zip(batch.columns, batch.schema, strict=True):
        if not is_text(field.type):
            continue
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            values = column.cast(pa.large_binary()).to_pylist()
            row, value = next((n, v) for n, v in enumerate(values) if v and not _is_utf8(v))
            raise Fatal(
                f"{where}, feature {done + row + 1:,}, column {field.name!r}: "
                f"{value[:50]!r} is no UTF-8, and the file does not say what it is; "
                'say it by attribute encoding, for instance "cp1252"',
                kind="data",
            ) from None


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
