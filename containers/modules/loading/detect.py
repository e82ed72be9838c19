"""The dialect of a CSV file, from its beginning: delimiter, quoting, line end, header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from .infer import TEXT, classify, infer_all

DELIMITERS = ",;\t|"
QUOTE = '"'
# Stands in no text: one column, whatever is in it.
NO_DELIMITER = "\x1f"
_LOOKED_AT = 300
csv.field_size_limit(1 << 30)


@dataclass(frozen=True)
class Dialect:
    """How the rows of a file are written; quote is '' when nothing is quoted."""

    delimiter: str = ","
    quote: str = QUOTE
    newline: str = "\n"

    @cached_property
    def newline_byte(self) -> bytes:
        """What ends a row (CR LF ends in LF)."""
        return self.newline.encode()

    @cached_property
    def quote_byte(self) -> bytes:
        """The quote, or nothing."""
        return self.quote.encode()

    @cached_property
    def delimiter_byte(self) -> bytes:
        """The delimiter."""
        return self.delimiter.encode()

    def parse(self, text: str) -> Iterator[list[str]]:
        """The rows of `text`, blank lines left out."""
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
        )
        return (row for row in reader if row)


def detect(text: str, delimiter: str | None = None, quote: str | None = None) -> Dialect:
    """The dialect in which the rows of `text` have the most regular shape.

    Each delimiter is tried; the one wins whose rows most often have the same number of fields, and
    of equals the one that makes more fields. Where none makes a second field, there is one column.

    Args:
        text: the file's beginning, cut at the end of a row where possible.
        delimiter, quote: taken as given.
    """
    newline = "\r" if "\r" in text and "\n" not in text else "\n"
    best = Dialect(delimiter or NO_DELIMITER, QUOTE if quote is None else quote, newline)
    best_score = 0.0
    for candidate in [delimiter] if delimiter else DELIMITERS:
        quotes = [quote] if quote is not None else _quotes(text, candidate)
        for mark in quotes:
            dialect = Dialect(candidate, mark, newline)
            score = _regularity(list(islice(dialect.parse(text), _LOOKED_AT)))
            if score > best_score:
                best, best_score = dialect, score
    return best


def _quotes(text: str, delimiter: str) -> list[str]:
    """`"` quotes only where a field begins with it: 5" is a length."""
    begins = re.search(rf'(?:^|[\r\n{re.escape(delimiter)}]) ?"', text)
    return [QUOTE] if begins or '"' not in text else [""]


def _regularity(rows: Sequence[Sequence[str]]) -> float:
    """0 when there is no second column; up to 1, and a little more for each column."""
    if not rows:
        return 0.0
    # The header says what is meant: rows must agree with it, or with each other.
    fields, often = Counter(map(len, rows)).most_common(1)[0]
    if fields < 2:
        return 0.0
    share = often / len(rows)
    with_header = 0.1 if len(rows[0]) == fields else 0.0
    return share + with_header + min(fields, 1000) / 100_000


def has_header(rows: Sequence[Sequence[str]], null: str = "") -> bool:
    """Whether the first row names the columns.

    Each column whose values below are no text votes: its first value is of their type (no header)
    or is not (header). A first value that returns below in its column of text votes against, too.
    Without votes, a first row whose fields are all there, all different and no numbers is a header.
    """
    if not rows:
        return False
    first, below = rows[0], rows[1:_LOOKED_AT]
    if len(set(first)) < len(first) and any(classify(field) != TEXT for field in first if field):
        return False
    votes = 0
    for column, kind in enumerate(infer_all(below, len(first), null)):
        field = first[column]
        if field == null:
            continue
        if kind != TEXT:
            votes += 1 if classify(field) == TEXT else -1
        elif any(len(row) > column and row[column] == field for row in below):
            votes -= 1
    if votes:
        return votes > 0
    # Only the first may have no name: an index that was written along.
    return all(classify(field) == TEXT for field in first) and all(first[1:] or first)
