"""Output: tables and text for people, JSON for programs."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from locaria.cli.connection import FOREVER, Row

PHASE_STYLES = {
    "done": "green",
    "failed": "red",
    "cancelled": "yellow",
    "deleted": "dim",
    "running": "cyan",
    "retrying": "yellow",
    "held": "yellow",
    "ok": "green",
    "warn": "yellow",
    "crit": "red",
}
PIPE_WIDTH = 240


@cache
def console(*, stderr: bool = False) -> Console:
    """Return the console for standard output, or for standard error.

    A pipe gets wide lines, so that no cell is wrapped or cut off for grep.
    """
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else PIPE_WIDTH, highlight=False)


def plain(value: object) -> str:
    """Return any value as text for a terminal.

    Control characters are replaced, so that the text of a container can't move the cursor.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, timedelta):
        return duration(value.total_seconds())
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else "�" for c in text)


def timestamp(value: datetime) -> str:
    """Format a time in the local zone; the date is left out if it is today."""
    if value == FOREVER:
        return "held"
    local = value.astimezone()
    today = local.date() == datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def duration(seconds: float | Decimal | None) -> str:
    """Format seconds: 0.3 s, 12 s, 3 min 20 s, 2 h 5 min, 4.0 days."""
    if seconds is None:
        return ""
    whole = round(float(seconds))
    if whole < 10:
        return f"{float(seconds):.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole / 86400:.1f} days"


def number(value: int | Decimal | None) -> str:
    """Format a count with separators; empty for null."""
    return "" if value is None else f"{value:,.0f}"


def styled_phase(phase: str) -> Text:
    """Return a phase, or a level of health, in its colour."""
    return Text(phase, style=PHASE_STYLES.get(phase, "white"))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """Build a table.

    Args:
        columns: Their headings; `>right` at the end of one aligns its column to the right.
        rows: A cell is a rich Text or any value.
        title: A heading above the table.
    """
    built = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        name, _, align = column.partition(">")
        built.add_column(name, justify="right" if align == "right" else "left", overflow="fold")
    for row in rows:
        built.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    return built


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Build a list of names and values, one pair per line, without the pairs that have no value."""
    built = Table.grid(padding=(0, 2))
    built.add_column(style="bold")
    built.add_column(overflow="fold")
    for name, value in pairs:
        text = value if isinstance(value, Text) else Text(plain(value))
        if text.plain:
            built.add_row(name, text)
    return built


def out(*things: object) -> None:
    """Print to standard output, for people."""
    console().print(*things, markup=False, emoji=False, soft_wrap=False)


def say(text: str) -> None:
    """Print a remark to standard error, so that standard output stays readable for programs."""
    console(stderr=True).print(plain(text), markup=False, emoji=False, soft_wrap=True)


def to_json(value: object) -> object:
    """Convert a value that json can't: times to ISO 8601 (UTC), intervals to seconds, decimals."""
    if isinstance(value, datetime):
        if value == FOREVER:
            return "infinity"
        return value.astimezone(FOREVER.tzinfo).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_json(value: Sequence[Any] | Row) -> None:
    """Print one JSON document."""
    print(json.dumps(value, default=to_json, ensure_ascii=False, indent=2))


def print_json_line(row: Row) -> None:
    """Print one JSON object on one line and flush it, for a program that reads the pipe."""
    print(json.dumps(row, default=to_json, ensure_ascii=False), flush=True)
