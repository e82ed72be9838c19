"""`locaria watch`: the progress of all active files."""

from __future__ import annotations

import time

import click

from locaria.cli.connection import Row, Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP
from locaria.cli.files.progress import (
    FINISHED_PHASES,
    Display,
    follow,
    is_settled,
    live,
    open_display,
)
from locaria.cli.options import dsn_option, json_option
from locaria.cli.render import console, plain, say

MOST_RUNNING = 200
MOST_WAITING = 30
ENDED_SHOWN = 8
QUEUE_EVERY_S = 3.0
# Reads partial indexes of files: the cost does not depend on the number of finished files.
ACTIVE = """
select s.*, r.live_note
from locaria.status s left join locaria.running r on r.run_id = s.run_id
where s.file_id = any (array(
  (select id from locaria.files where claimed_by is not null order by claimed_by limit %(running)s)
  union all
  (select id from locaria.files
   where claimed_by is null and finished is null
     and (run_after <= locaria.statement_clock() or attempts > 0 and run_after < 'infinity')
   order by coalesce(container, status), priority desc, run_after, id limit %(waiting)s)
  union all
  select unnest(%(seen)s::bigint[])
))
order by s.phase = 'running' desc, s.queued_at, s.file_id
"""
QUEUE = "select container, due, running, tasks_living, max_tasks, paused from locaria.queue"


@click.command(epilog=EXIT_CODE_HELP, short_help="Show the progress of all active files.")
@click.option("--forever", is_flag=True, help="Keep watching when no file is active, until Ctrl-C.")
@json_option
@dsn_option
def watch(forever: bool, as_json: bool, dsn: str | None) -> None:
    """Show the progress of all active files until none is active.

    \b
    locaria watch
    locaria watch --forever --json | jq .why

    A file is active while it runs, is due, or waits for its next attempt. Files that are held or
    scheduled for later are not active, nor is a listener that waits for commands.

    A terminal shows bars; a pipe gets a line for each change. --json prints a row of the view
    locaria.status, on one line, for each change.
    """
    with Session(find_dsn(dsn), "watch") as session, open_display(as_json=as_json) as display:
        dashboard = Dashboard(session, display)
        follow(dashboard.read, dashboard, lambda rows: not forever and not any_active(rows))
    if not as_json and not dashboard.known:
        say("No file is active. Submit one: locaria submit PATH --table TABLE --wait")


def any_active(rows: list[Row]) -> bool:
    """Whether one of the files is neither settled nor held."""
    return any(not is_settled(row) and row["phase"] != "held" for row in rows)


class Dashboard:
    """The active files and the last few that finished.

    Args:
        session: Where they are read.
        display: Where they are shown.
    """

    def __init__(self, session: Session, display: Display) -> None:
        self.known: list[int] = []
        self._session = session
        self._display = display
        self._queue_next = 0.0
        self._queue = ""

    def read(self) -> list[Row]:
        """Read the active files and the last few that finished."""
        rows = self._session.watch_rows(
            ACTIVE,
            {"running": MOST_RUNNING, "waiting": MOST_WAITING, "seen": self.known},
            on_loss=self._display.say,
        )
        rows = live(rows)
        ended = [row for row in rows if row["phase"] in FINISHED_PHASES]
        ended.sort(key=lambda row: (row["finished_at"], row["file_id"]))
        active = [row for row in rows if row["phase"] not in FINISHED_PHASES]
        rows = ended[-ENDED_SHOWN:] + active
        # The next query includes these files, so that it sees them finish.
        self.known = [row["file_id"] for row in rows]
        return rows

    def show(self, rows: list[Row], note: str = "") -> None:
        """Show as many files as fit, with the state of the queues below."""
        if console().is_terminal:
            room = max(3, console().height - 4)
            hidden = len(rows) - room
            note = self._queues() + (f" · {hidden} more files" if hidden > 0 else "")
            rows = rows[:room]
        self._display.show(rows, note)

    def say(self, text: str) -> None:
        """Show a remark."""
        self._display.say(text)

    def _queues(self) -> str:
        began = time.monotonic()
        if began > self._queue_next:
            self._queue = " · ".join(
                f"{plain(row['container'])}: {row['running']} running, {row['due']} waiting, "
                f"{row['tasks_living']} of {row['max_tasks']} tasks"
                + (", paused" if row["paused"] else "")
                for row in self._session.watch_rows(QUEUE)
                if row["due"] or row["running"] or row["tasks_living"]
            )
            # Counting a million waiting files takes a second or two: count less often then.
            took = time.monotonic() - began
            self._queue_next = began + max(QUEUE_EVERY_S, 20 * took)
        return self._queue
