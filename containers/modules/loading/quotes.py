"""Quotes in the middle of a field: 6" is a length.

COPY lets such a quote open a quoted part, which swallows line ends until the next one, and both are
gone from the value. To everybody else it is a character like others; so here it is, too.
"""

from __future__ import annotations

import re
from functools import cache

from .detect import Dialect

# From so many on numpy is worth its import.
_MANY = 50_000


def has_misplaced(data: bytes, dialect: Dialect) -> bool:
    """Whether a quote opens a quoted part that is not the beginning of a field.

    Args:
        data: whole rows, as COPY counts quotes.
        dialect: of the file.
    """
    quote, ends = dialect.quote_byte, (dialect.delimiter_byte, dialect.newline_byte)
    if not quote or quote not in data:
        return False
    # A space before it is written after the delimiter by some.
    fine = {b"", quote, *ends, *(end + b" " for end in ends)}
    return any(
        before not in fine and before[-1:] not in (quote, *ends)
        for before in _before_openings(data, quote, dialect.newline_byte)
    )


def _before_openings(data: bytes, quote: bytes, newline: bytes) -> set[bytes]:
    """What stands before the quotes that open a part: two bytes at most."""
    if data.count(quote) < _MANY:
        first, *others = data.split(quote)[:-1:2]
        return {(newline + first)[-2:], *{part[-2:] for part in others}}
    import numpy as np  # noqa: PLC0415 - it takes time and memory

    octets = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(octets == quote[0])[2::2]
    pairs = octets[places - 2].astype(np.uint16) << 8 | octets[places - 1]
    found = np.flatnonzero(np.bincount(pairs, minlength=1 << 16))
    first_part = newline + data[: data.index(quote)]
    return {first_part[-2:], *(int(pair).to_bytes(2, "big") for pair in found)}


@cache
def field_of(dialect: Dialect) -> re.Pattern[bytes]:
    """Matches the next field; as group 1, where it is a quoted one."""
    quote, delimiter, newline = map(
        re.escape, (dialect.quote_byte, dialect.delimiter_byte, dialect.newline_byte)
    )
    no_end = rb"[^" + delimiter + newline
    quoted = rb" ?%b[^%b]*+(?:%b%b[^%b]*+)*+%b" % ((quote,) * 6)
    return re.compile(rb"(%b%b%b]*)|%b]*" % (quoted, no_end, quote, no_end))


def as_text(field: bytes, quote: bytes) -> bytes:
    """A field whose quotes are characters, as COPY takes it."""
    if quote not in field:
        return field
    text = field.removesuffix(b"\r")
    return quote + text.replace(quote, quote * 2) + quote + field[len(text) :]
