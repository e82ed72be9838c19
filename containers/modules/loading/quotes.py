"""Quotes in the middle of a field: 6" is a length.

COPY lets such a quote open a quoted part, which swallows line ends until the next one, and both are
gone from the value. To everybody else it is a character like others; so here it is, too.
"""

from __future__ import annotations

import re
from functools import cache

from loading.dialect import Dialect

# From so many on numpy is worth its import.
_MANY = 50_000


def has_misplaced(data: bytes, dialect: Dialect) -> bool:
    """Whether a quote opens a quoted part that is not the beginning of a field.

    Args:
        data: whole rows, as COPY counts quotes.
        dialect: of the file.
    """
    quote, ends = dialect.quote_byte, (dialect.delimiter_bytes, dialect.newline_byte)
    if not quote or quote not in data:
        return False
    # A space before it is written after the delimiter by some.
    fine = {*ends, *(end + b" " for end in ends)}
    lasts: tuple[bytes, ...] = ends
    if not dialect.escape:
        # A doubled one within quotes.
        fine |= {b"", quote}
        lasts = (quote, *ends)
    elif (masked := dialect.masked(data)) is not data:
        if _escapes_outside(masked, dialect):
            return True
        data = masked
        if quote not in data:
            return False
    return any(
        before not in fine and before[-1:] not in lasts
        for before in _before_openings(data, quote, dialect.newline_byte)
    )


def _escapes_outside(masked: bytes, dialect: Dialect) -> bool:
    """Whether there is an escaped quote outside of quotes: to COPY it opens."""
    mark = dialect.escaped_mark
    return mark in masked and any(mark in part for part in masked.split(dialect.quote_byte)[::2])


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
    quote, escape, delimiter, newline = map(
        re.escape,
        (dialect.quote_byte, dialect.escape_byte, dialect.delimiter_bytes, dialect.newline_byte),
    )
    # No possessive quantifiers: of groups, Python before 3.11.5 gets them wrong (gh-106052).
    if len(dialect.delimiter_bytes) == 1:
        text, tail = (rb"[^%b%b%b]*" % (delimiter, newline, end) for end in (b"", quote))
    else:
        text, tail = (rb"(?:(?!%b)[^%b%b])*" % (delimiter, newline, end) for end in (b"", quote))
    # Where there is an escape, a doubled quote is understood as well.
    pairs = rb"|".join(([escape + rb"."] if escape else []) + [quote * 2])
    others = rb"[^%b%b]*" % (quote, escape)
    quoted = rb" ?%b%b(?:(?:%b)%b)*%b(?!%b)" % (quote, others, pairs, others, quote, quote)
    return re.compile(rb"(%b%b)|%b" % (quoted, tail, text), re.DOTALL)


def as_text(field: bytes, copied: Dialect) -> bytes:
    """A field whose quotes are characters, as COPY takes it.

    Args:
        field: as it stands in the file.
        copied: how rows are sent to COPY.
    """
    quote, escape = copied.quote_byte, copied.escape_byte
    if quote not in field and copied.delimiter_bytes not in field:
        return field
    text = inner = field.removesuffix(b"\r")
    if escape:
        inner = inner.replace(escape, escape * 2)
    inner = inner.replace(quote, (escape or quote) + quote)
    return quote + inner + quote + field[len(text) :]


def as_quoted(field: bytes, dialect: Dialect) -> bytes:
    """A quoted field as COPY takes it.

    Where there is an escape, COPY knows no doubled quotes; and what stands for the delimiter may be
    behind the quote that closes.
    """
    if dialect.direct and not dialect.escape:
        return field
    quote, escape = dialect.quote_byte, dialect.escape_byte
    start, end = field.index(quote) + 1, field.rindex(quote)
    inner, tail = field[start:end], field[end + 1 :]
    if escape and quote * 2 in inner:
        pair = re.compile(rb"%b.|%b" % (re.escape(escape), re.escape(quote * 2)), re.DOTALL)
        inner = pair.sub(lambda found: escape + found[0][1:], inner)
    if dialect.copied.delimiter_bytes in tail:
        text = tail.removesuffix(b"\r")
        inner += text.replace(escape, escape * 2) if escape else text
        tail = tail[len(text) :]
    return field[:start] + inner + quote + tail
