"""Column types from a sample of values.

A type is taken only when every value of the sample that is not NULL has it and none would be
changed by it: 007 and +49 are text, a lone 1E5 is a code, dates must be ISO (others are ambiguous).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

INTEGER, BIGINT, NUMERIC, BOOLEAN, DATE, TIMESTAMP, TIMESTAMPTZ, TEXT = (
    "integer",
    "bigint",
    "numeric",
    "boolean",
    "date",
    "timestamp",
    "timestamptz",
    "text",
)
_YES_NO = "yes or no"

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,8})")
_BIGINT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMERIC = re.compile(
    r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]{1,3})?|[eE][-+][0-9]{1,3})?"
    r"|-?\.[0-9]+"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.[0-9]{1,6})?"
    r"( ?(?:Z|[-+][0-9]{2}(?::?[0-9]{2})?))?"
)
_NUMBERS = ((_INTEGER, INTEGER), (_BIGINT, BIGINT), (_NUMERIC, NUMERIC))
_WORDS = {"true": BOOLEAN, "false": BOOLEAN, "yes": _YES_NO, "no": _YES_NO}
# Finds the beginning of a line that is no such number: of many values, one a line, far faster than
# one by one. (No possessive quantifiers: Python before 3.11.5 gets them wrong, gh-106052.)
_OTHERS = tuple(
    (re.compile(rf"^(?!(?:{pattern.pattern})$)", re.MULTILINE), kind) for pattern, kind in _NUMBERS
)
# What holds both; anything that is not here is text.
_JOINED = {
    frozenset({INTEGER, BIGINT}): BIGINT,
    frozenset({INTEGER, NUMERIC}): NUMERIC,
    frozenset({BIGINT, NUMERIC}): NUMERIC,
    frozenset({DATE, TIMESTAMP}): TIMESTAMP,
    frozenset({BOOLEAN, _YES_NO}): BOOLEAN,
}


def classify(value: str) -> str:
    """The narrowest type that holds one value (which is not NULL)."""
    value = value.strip(" ")
    for pattern, kind in _NUMBERS:
        if pattern.fullmatch(value):
            return kind
    return _WORDS.get(value.lower()) or _moment(value)


def _moment(value: str) -> str:
    if _DATE.fullmatch(value):
        return DATE if _is_valid(date.fromisoformat, value) else TEXT
    match = _TIMESTAMP.fullmatch(value)
    if match is None or not _is_valid(datetime.fromisoformat, f"{match[1]} {match[2]}"):
        return TEXT
    return TIMESTAMPTZ if match[3] else TIMESTAMP


def infer(values: Iterable[str], null: str = "") -> str:
    """The type of a column with these values; text when all are NULL."""
    distinct = set(values) - {null}
    lines = "\n".join(distinct)
    if distinct and lines.count("\n") == len(distinct) - 1:
        for other, kind in _OTHERS:
            if not other.search(lines):
                return kind
    found: str | None = None
    for value in distinct:
        found = join(found, classify(value))
        if found == TEXT:
            return TEXT
    if found == _YES_NO:
        # A lone NO may be Norway.
        return BOOLEAN if len({value.lower().strip() for value in distinct}) == 2 else TEXT
    return found or TEXT


def join(one: str | None, other: str) -> str:
    """The narrowest type that holds the values of both."""
    if one is None or one == other:
        return other
    return _JOINED.get(frozenset({one, other}), TEXT)


def widen(inferred: str, values: Iterable[str]) -> str:
    """A type for a column which was inferred too narrowly and also holds `values`."""
    wider = inferred
    for value in values:
        wider = join(wider, classify(value))
    return TEXT if wider in (inferred, _YES_NO) else wider


def infer_all(rows: Sequence[Sequence[str]], count: int, null: str = "") -> list[str]:
    """The types of `count` columns; rows of another length do not count."""
    complete = [row for row in rows if len(row) == count]
    columns = zip(*complete, strict=True) if complete else [()] * count
    return [infer(values, null) for values in columns]


def _is_valid(parse: Callable[[str], object], value: str) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True
