"""Progress of files: live bars on a terminal, lines in a pipe, JSON for programs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from locaria.cli.connection import Row, Session
from locaria.cli.render import console, duration, number, plain, print_json_line, styled_phase

FINISHED_PHASES = frozenset({"done", "failed", "cancelled", "deleted"})
POLL_S = 0.3
STATUS_OF_FILES = "select * from locaria.status where file_id = any(%s::bigint[]) order by file_id"
# A run shows its percent in application_name more often than it writes it: see the view running.
LIVE_STATUS_OF_FILES = """
select s.*, r.live_note
from locaria.status s left join locaria.running r on r.run_id = s.run_id
where s.file_id = any(%s::bigint[])
order by s.file_id
"""
LIVE_PERCENT = re.compile(r"locaria run=\d+ (\d+)%")
LINE_EVERY_S = 10.0


class Display(Protocol):
    """Something that shows the state of some files, each time that it has been read."""

    def show(self, rows: list[Row], note: str = "") -> None:
        """Show the current state of the files, and a note below them."""

    def say(self, text: str) -> None:
        """Show a remark that concerns no single file."""


def follow(
    read: Callable[[], list[Row]], display: Display, is_over: Callable[[list[Row]], bool]
) -> list[Row]:
    """Read and show files until `is_over` holds, and return the last rows.

    Each round costs one short query.
    """
    began = time.monotonic()
    while True:
        rows = read()
        display.show(rows)
        if is_over(rows):
            return rows
        # Poll faster at first, to show the progress of short loads, too.
        time.sleep(POLL_S / 3 if time.monotonic() - began < 5 else POLL_S)


def follow_files(session: Session, file_ids: list[int], display: Display) -> list[Row]:
    """Show files until all are settled, also across a restart of the database."""

    def read() -> list[Row]:
        return live(session.watch_rows(LIVE_STATUS_OF_FILES, [file_ids], on_loss=display.say))

    return follow(read, display, all_settled)


def live(rows: list[Row]) -> list[Row]:
    """Remove `live_note` from rows, and set percent to its value where that is newer."""
    for row in rows:
        note = LIVE_PERCENT.match(row.pop("live_note") or "")
        if note and row["phase"] == "running" and row["percent"] is not None:
            row["percent"] = max(row["percent"], Decimal(note[1]))
    return rows


def all_settled(rows: list[Row]) -> bool:
    """Whether all files are settled."""
    return all(is_settled(row) for row in rows)


def is_settled(row: Row) -> bool:
    """Whether a file will not change by itself: it is finished, or listens for commands."""
    return row["phase"] in FINISHED_PHASES or (
        row["endpoint"] is not None and row["command"] is None
    )


@contextmanager
def open_display(*, as_json: bool = False) -> Iterator[Display]:
    """Open the display that suits the output: JSON lines, bars on a terminal, else lines."""
    if as_json:
        yield JsonLines()
    elif console().is_terminal:
        with Live(console=console(), refresh_per_second=8, auto_refresh=True) as live:
            yield Bars(live)
    else:
        yield Lines()


class JsonLines:
    """Prints a row of the view status as a line of JSON each time that it has changed."""

    # These change with the clock alone.
    MOVING = ("why", "wait_s", "run_s", "rate_per_s", "eta")

    def __init__(self) -> None:
        self._seen: dict[int, Row] = {}

    def show(self, rows: list[Row], note: str = "") -> None:
        """Print the rows that are new or have changed."""
        del note
        for row in rows:
            lasting = {name: value for name, value in row.items() if name not in self.MOVING}
            if self._seen.get(row["file_id"]) != lasting:
                self._seen[row["file_id"]] = lasting
                print_json_line(row)

    def say(self, text: str) -> None:
        """Print a remark to standard error."""
        console(stderr=True).print(text, markup=False)


class Lines:
    """Prints a line when a file changes its phase or stage, and for progress every 10 seconds."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[object, ...]] = {}
        self._when: dict[int, float] = {}

    def show(self, rows: list[Row], note: str = "") -> None:
        """Print the files that have changed."""
        del note
        for row in rows:
            file_id = row["file_id"]
            news = (*(row[n] for n in ("phase", "stage", "attempt", "endpoint", "command")),)
            recent = time.monotonic() - self._when.get(file_id, 0) < LINE_EVERY_S
            said = self._said.get(file_id)
            if said == (*news, row["rows_done"], row["percent"]):
                continue
            if said is not None and said[: len(news)] == news and recent:
                continue
            self._said[file_id] = (*news, row["rows_done"], row["percent"])
            self._when[file_id] = time.monotonic()
            console().print(line_of(row), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a remark to standard error."""
        console(stderr=True).print(text, markup=False)


class Bars:
    """One bar per file, redrawn in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, rows: list[Row], note: str = "") -> None:
        """Redraw the bars and the note."""
        parts: list[Table | Text] = [bars(rows)] if rows else []
        if note:
            parts.append(Text(note, style="dim"))
        self._live.update(Group(*parts))

    def say(self, text: str) -> None:
        """Print a remark above the bars."""
        self._live.console.print(text, markup=False, style="yellow")


def bars(rows: list[Row]) -> Table:
    """Build a table of files with a bar for each running one."""
    drawn = Table.grid(padding=(0, 1), expand=False)
    for _ in range(3):
        drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="ellipsis", no_wrap=True)
    for row in rows:
        name = Text.assemble((f"file {row['file_id']}", "bold"), " ", (name_of(row), "dim"))
        name.truncate(36, overflow="ellipsis")
        phase = Text(plain(row["stage"])) if row["phase"] == "running" and row["stage"] else None
        drawn.add_row(name, phase or styled_phase(row["phase"]), bar_of(row), detail_of(row))
    return drawn


def bar_of(row: Row) -> ProgressBar | Text:
    """Return the bar of a file: pulsing if the total is unknown, empty while the file waits."""
    if row["endpoint"] is not None:
        return Text("")
    if row["phase"] == "running":
        percent = row["percent"]
        total = None if percent is None else 100.0
        done = float(percent or 0)
        return ProgressBar(total=total, completed=done, width=28, complete_style="cyan")
    if row["phase"] == "done":
        return ProgressBar(total=100, completed=100, width=28, finished_style="green")
    return Text("")


def detail_of(row: Row) -> Text:
    """Describe a file: counts and speed while it runs, the reason while it waits."""
    if row["phase"] == "running" and row["endpoint"] is None:
        return Text("  ".join(progress_words(row)))
    if row["phase"] == "done":
        words = [count_words(row), f"in {duration(row['run_s'])}" if row["run_s"] else ""]
        return Text(" ".join(word for word in words if word))
    return Text(plain(row["why"]).replace("\n", " "))


def progress_words(row: Row) -> list[str]:
    """List percent, counts, speed and time left, as far as they are known."""
    words = [
        f"{row['percent']:.0f} %" if row["percent"] is not None else "",
        count_words(row),
        f"{number(row['rate_per_s'])}/s" if row["rate_per_s"] else "",
        f"{duration(left)} left" if (left := seconds_left(row)) is not None else "",
        f"attempt {row['attempt']}" if row["attempt"] > 1 else "",
    ]
    return [word for word in words if word]


def count_words(row: Row) -> str:
    """Format the counts: `12,000 of 73,624 rows, 3 rejected`."""
    if row["rows_done"] is None:
        return ""
    total = row["rows_total"] if row["phase"] == "running" else None
    words = number(row["rows_done"]) + (f" of {number(total)}" if total else "")
    words += f" {plain(row['unit'])}"
    return words + (f", {number(row['rows_rejected'])} rejected" if row["rows_rejected"] else "")


def seconds_left(row: Row) -> float | None:
    """Return the seconds to the estimated end, by the clock of the database."""
    if row["eta"] is None or row["started_at"] is None or row["run_s"] is None:
        return None
    now = row["started_at"] + timedelta(seconds=float(row["run_s"]))
    left: timedelta = row["eta"] - now
    return max(0.0, left.total_seconds())


def name_of(row: Row) -> str:
    """Return a short name of the file: its source and table, its command, or its container."""
    attributes = row["attributes"] or {}
    if "command" in attributes:
        return plain(f"{row['container']} {attributes['command']}").replace("\n", " ")
    source = str(attributes.get("path") or attributes.get("url") or "").rstrip("/")
    name = source.rpartition("/")[2]
    target = attributes.get("table")
    words = f"{name} → {target}" if name and target else str(name or target or row["container"])
    return plain(words).replace("\n", " ")


def line_of(row: Row) -> Text:
    """Describe a file on one line."""
    line = Text.assemble((f"file {row['file_id']}", "bold"), f" {name_of(row)}: ")
    line.append(styled_phase(row["phase"]))
    if row["phase"] == "running" and row["endpoint"] is None:
        words = [f"stage {plain(row['stage'])}" if row["stage"] else "", *progress_words(row)]
        return line.append("".join(f"  {word}" for word in words if word))
    if row["phase"] == "done":
        return line.append(f"  {detail_of(row).plain}")
    return line.append("  " + plain(row["why"]).replace("\n", " "))
