"""The dialect of a CSV file, from its beginning: delimiter, quoting, line end, header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from loading.dialect import NO_DELIMITER, QUOTE, Dialect
from loading.infer import TEXT, classify, infer_all

DELIMITERS = ",;\t|"
_LOOKED_AT = 300


def detect(
    text: str, delimiter: str | None = None, quote: str | None = None, escape: str = ""
) -> Dialect:
    """The dialect in which the rows of `text` have the most regular shape.

    Each delimiter is tried; the one wins whose rows most often have the same number of fields, and
    of equals the one that makes more fields. Where none makes a second field, there is one column.

    Args:
        text: the file's beginning, cut at the end of a row where possible.
        delimiter: the delimiter, if it is known.
        quote: the quote character, if it is known.
        escape: the escape character. It is never guessed: "C:\\" is a text, too.
    """
    if escape and quote is None:
        quote = QUOTE
    newline = "\r" if "\r" in text and "\n" not in text else "\n"
    best = Dialect(delimiter or NO_DELIMITER, QUOTE if quote is None else quote, newline, escape)
    best_score = 0.0
    for candidate in [delimiter] if delimiter else DELIMITERS:
        quotes = [quote] if quote is not None else _quotes(text, candidate)
        for mark in quotes:
            dialect = Dialect(candidate, mark, newline, escape)
            score = _regularity(list(islice(dialect.parse(text), _LOOKED_AT)))
            if score > best_score:
                best, best_score = dialect, score
    return best


def _quotes(text: str, delimiter: str) -> list[str]:
    """`"` quotes only where a field begins with it: 5" is a length."""
    begins = re.search(rf'(?:^|[\r\n]|{re.escape(delimiter)}) ?"', text)
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
