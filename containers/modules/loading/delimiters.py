"""Delimiters that COPY does not know (§ or ||): a byte that is not in the text stands for them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from loading.dialect import Dialect
from loading.quotes import has_misplaced

_STRETCH = 64 << 10


class Sent(NamedTuple):
    """Rows as COPY takes them.

    Attributes:
        data: the rows; their lines are those of the file.
        delimiter: what stands between fields there.
    """

    data: bytes
    delimiter: str


def as_sent(data: bytes, dialect: Dialect) -> tuple[Sent | None, bool]:
    """Whole rows with a delimiter that COPY knows, and whether they have to be taken apart.

    Args:
        data: whole rows.
        dialect: of the file.

    Returns:
        None and True where every byte is taken that could stand for the delimiter.
    """
    sent = rewritten(data, dialect)
    if sent is None:
        return None, True
    return sent, has_misplaced(sent.data, replace(dialect, delimiter=sent.delimiter))


def rewritten(data: bytes, dialect: Dialect) -> Sent | None:
    """Whole rows with another delimiter; None where there is none."""
    byte = next((byte for byte in dialect.spare if byte not in data), None)
    if byte is None:
        return None
    delimiter, quote = dialect.delimiter_bytes, dialect.quote_byte
    if not quote or quote not in data:
        return Sent(data.replace(delimiter, byte), byte.decode())
    # By and by: many quotes make many objects.
    masked, made = dialect.masked(data), []
    start, within = 0, 0
    while start < len(data):
        end = masked.find(quote, start + _STRETCH) + 1 or len(data)
        parts = dialect.between_quotes(data[start:end])
        parts[within::2] = [part.replace(delimiter, byte) for part in parts[within::2]]
        made.append(quote.join(parts))
        start, within = end, (within + len(parts) - 1) % 2
    return Sent(b"".join(made), byte.decode())
