"""How the rows of a text file are written: what is between fields, around them, at their end."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

QUOTE = '"'
# Stands in no text: one column, whatever is in it.
NO_DELIMITER = "\x1f"
# COPY wants a quote also where a file has none, and one byte between fields.
_STAND_INS = "\x01\x02"
_SPARE = "\x1f\x1e\x1d\x1c\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"
csv.field_size_limit(1 << 30)


@dataclass(frozen=True)
class Dialect:
    """How the rows of a file are written.

    Attributes:
        delimiter: one character, or several.
        quote: '' when nothing is quoted.
        newline: what ends a row (CR LF ends in LF).
        escape: what stands before a quote within quotes, and before another escape there; '' where
            such a quote is doubled. Outside of quotes it is a character like others.
    """

    delimiter: str = ","
    quote: str = QUOTE
    newline: str = "\n"
    escape: str = ""

    @cached_property
    def newline_byte(self) -> bytes:
        """What ends a row."""
        return self.newline.encode()

    @cached_property
    def quote_byte(self) -> bytes:
        """The quote, or nothing."""
        return self.quote.encode()

    @cached_property
    def escape_byte(self) -> bytes:
        """The escape, or nothing."""
        return self.escape.encode()

    @cached_property
    def delimiter_bytes(self) -> bytes:
        """The delimiter, in UTF-8."""
        return self.delimiter.encode()

    @cached_property
    def direct(self) -> bool:
        """Whether COPY knows such a delimiter: one byte, and in its text format no letter."""
        return (
            len(self.delimiter_bytes) == 1
            and not self.delimiter.isalnum()
            and self.delimiter not in "\\."
        )

    @cached_property
    def spare(self) -> list[bytes]:
        """What may stand for a delimiter that COPY does not know, if it is not in the text."""
        return [c.encode() for c in _SPARE if c not in (self.quote, self.escape)]

    @cached_property
    def copied(self) -> Dialect:
        """How rows are sent to COPY that were taken apart."""
        stand_in = next(c for c in _STAND_INS if c not in self.delimiter)
        delimiter = self.delimiter if self.direct else self.spare[0].decode()
        return replace(self, delimiter=delimiter, quote=self.quote or stand_in)

    def masked(self, data: bytes) -> bytes:
        """`data`, equally long, with the quotes only that open or close.

        That is stateless: a quote behind an odd number of escapes opens nothing, wherever it is.
        """
        escape = self.escape_byte
        if not escape or escape not in data:
            return data
        return data.replace(escape * 2, b"xx").replace(escape + self.quote_byte, self.escaped_mark)

    @cached_property
    def escaped_mark(self) -> bytes:
        """What masked() makes of an escaped quote; it may be in a text, too."""
        return self.escape_byte + b"\x1a"

    def between_quotes(self, data: bytes) -> list[bytes]:
        """`data` cut at its quotes: outside of them, within, outside, and so on."""
        if not self.quote:
            return [data]
        masked = self.masked(data)
        parts = masked.split(self.quote_byte)
        if masked is data:
            return parts
        start = 0
        for number, part in enumerate(parts):
            parts[number] = data[start : start + len(part)]
            start += len(part) + 1
        return parts

    def parse(self, text: str) -> Iterator[list[str]]:
        """The rows of `text`, blank lines left out."""
        delimiter = self.delimiter
        if len(delimiter) > 1 or self.escape:
            text, delimiter = self._for_reader(text)
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
        )
        return (row for row in reader if row)

    def _for_reader(self, text: str) -> tuple[str, str]:
        """`text` as Python's csv module knows it, and its delimiter there."""
        private = (chr(code) for code in range(0xE000, 0xF900))
        delimiter = next(character for character in private if character not in text)
        parts = [part.decode() for part in self.between_quotes(text.encode())]
        parts[::2] = [part.replace(self.delimiter, delimiter) for part in parts[::2]]
        if self.escape:
            escape, quote = re.escape(self.escape), re.escape(self.quote)
            escaped = re.compile(f"{escape}({escape}|{quote})")
            parts[1::2] = [escaped.sub(self._doubled, part) for part in parts[1::2]]
        return self.quote.join(parts), delimiter

    def _doubled(self, escaped: re.Match[str]) -> str:
        return self.quote * 2 if escaped[1] == self.quote else self.escape
