"""`locaria watch`: every active file, live."""

from __future__ import annotations

import time

import click

from locaria.cli.connection import Row, Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP
from locaria.cli.files.progress import AT_REST, Display, follow, is_at_rest, live, open_display
from locaria.cli.options import dsn_option, json_option
from locaria.cli.render import console, plain, say

MOST_RUNNING = 200
MOST_WAITING = 30
ENDED_SHOWN = 8
QUEUE_EVERY_S = 3.0
# By the partial indexes of files: costs the same whether ten files are finished or ten million.
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


@click.command(epilog=EXIT_CODE_HELP, short_help="Show the progress of all active files, live.")
@click.option("--forever", is_flag=True, help="Go on when nothing is active; Ctrl-C ends it.")
@json_option
@dsn_option
def watch(forever: bool, as_json: bool, dsn: str | None) -> None:
    """Show the progress of all active files until none is active.

    \b
    locaria watch
    locaria watch --forever --json | jq .why

    Active is what runs, is due to run, or waits for its next attempt; not what is held or scheduled
    for later, nor a listener that waits for commands. In a pipe: a line for each change; with
    --json: a row of the view locaria.status for each change.
    """
    with Session(find_dsn(dsn), "watch") as session, open_display(as_json=as_json) as display:
        dashboard = Dashboard(session, display)
        follow(dashboard.read, dashboard, lambda rows: not forever and not any_active(rows))
    if not as_json and not dashboard.known:
        say("Nothing is active. Submit a file: locaria submit PATH --table TABLE --wait")


def any_active(rows: list[Row]) -> bool:
    """Whether one of the files is still to come to rest."""
    return any(not is_at_rest(row) and row["phase"] != "held" for row in rows)


class Dashboard:
    """The active files and, for a while, those that have just ended.

    Parameters:
        display: where they are shown.
    """

    def __init__(self, session: Session, display: Display) -> None:
        self.known: list[int] = []
        self._session = session
        self._display = display
        self._queue_next = 0.0
        self._queue = ""

    def read(self) -> list[Row]:
        """The active files, and the last few that were."""
        rows = self._session.watch_rows(
            ACTIVE,
            {"running": MOST_RUNNING, "waiting": MOST_WAITING, "seen": self.known},
            on_loss=self._display.say,
        )
        rows = live(rows)
        ended = [row for row in rows if row["phase"] in AT_REST]
        ended.sort(key=lambda row: (row["finished_at"], row["file_id"]))
        active = [row for row in rows if row["phase"] not in AT_REST]
        rows = ended[-ENDED_SHOWN:] + active
        # What was running is asked for once more, so that its end is seen, too.
        self.known = [row["file_id"] for row in rows]
        return rows

    def show(self, rows: list[Row], note: str = "") -> None:
        """Show as many as fit, and the state of the queues below."""
        if console().is_terminal:
            room = max(3, console().height - 4)
            hidden = len(rows) - room
            note = self._queues() + (f" · {hidden} more are not shown" if hidden > 0 else "")
            rows = rows[:room]
        self._display.show(rows, note)

    def say(self, text: str) -> None:
        """Pass a remark on."""
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
            # Counting a million waiting files takes a second or two: then not so often.
            took = time.monotonic() - began
            self._queue_next = began + max(QUEUE_EVERY_S, 20 * took)
        return self._queue
