"""Of the lines that a command has left on standard error: those that say why it failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

# psql's `psql:load.sql:3: ERROR:  …`, and what it puts beneath: LINE 3: …, a caret, DETAIL:  …
_ERROR = re.compile(r"(?:^|: )(?:ERROR|FATAL|PANIC):\s")
_BENEATH = re.compile(r"(?:LINE \d+|DETAIL|HINT|CONTEXT|QUERY|STATEMENT|[A-Z ]+ NAME|LOCATION): ")
_DETAIL = re.compile(r"DETAIL:\s+")
_WORDS = re.compile(r"\w")


def telling(lines: Sequence[str]) -> str:
    """The last line that has letters; of a database's error its own line, with its DETAIL.

    Args:
        lines: in the order in which they came.
    """
    last = next((line for line in reversed(lines) if _WORDS.search(line)), "")
    errors = [number for number, line in enumerate(lines) if _ERROR.search(line)]
    if not errors:
        return last or (lines[-1] if lines else "")
    error, beneath = lines[errors[-1]], lines[errors[-1] + 1 :]
    if not all(_belongs(line, beneath[:number]) for number, line in enumerate(beneath)):
        return last
    detail = next((line for line in beneath if _DETAIL.match(line)), None)
    return f"{error} ({_DETAIL.sub('', detail)})" if detail else error


def _belongs(line: str, before: Sequence[str]) -> bool:
    """Whether a line is part of the error, and not the next thing that went wrong."""
    if _BENEATH.match(line) or line[:1].isspace() or not _WORDS.search(line):
        return True
    # What stands beneath may have several lines.
    return any(_BENEATH.match(each) and not each.startswith("LINE ") for each in before)
