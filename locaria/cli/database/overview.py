"""`locaria queue` and `locaria health`: the state of the whole installation."""

from __future__ import annotations

import click

from locaria.cli.connection import Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP, ExitCode
from locaria.cli.options import dsn_option, json_option
from locaria.cli.render import duration, out, plain, print_json, say, styled_phase, table

QUEUE = "select * from locaria.queue order by container"
HEALTH = (
    "select * from locaria.health order by array_position(array['crit', 'warn'], level), \"check\""
)


@click.command(short_help="Show the queue of each container.")
@json_option
@dsn_option
def queue(as_json: bool, dsn: str | None) -> None:
    """Show waiting and running files per container, and why no task starts if none does.

    \b
    locaria queue

    --json prints an array of rows of the view locaria.queue; intervals are in seconds.
    """
    with Session(find_dsn(dsn), "queue") as session:
        rows = session.rows(QUEUE)
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("No container is registered. Register them: locaria db register")
        return
    columns = ("container", "due>right", "later>right", "held>right", "running>right")
    cells = (
        (
            row["container"] + (" (paused)" if row["paused"] else ""),
            row["due"],
            row["scheduled"],
            row["held"],
            row["running"],
            f"{row['tasks_living']} of {row['max_tasks']}",
            row["tasks_idle"],
            row["tasks_starting"],
            duration(row["oldest_due_age"].total_seconds()) if row["oldest_due_age"] else "",
            row["error"],
        )
        for row in rows
    )
    out(
        table(
            (*columns, "tasks>right", "idle>right", "starting>right", "oldest>right", "error"),
            cells,
        )
    )


@click.command(epilog=EXIT_CODE_HELP, short_help="Check the installation.")
@json_option
@dsn_option
def health(as_json: bool, dsn: str | None) -> None:
    """Check the installation: whether tick() runs, tasks start, and files make progress.

    \b
    locaria health || send-an-alert

    Each finding comes with the SQL statement that fixes it. The exit code is 1 if a check is
    critical. --json prints an array of rows of the view locaria.health.
    """
    with Session(find_dsn(dsn), "health") as session:
        rows = session.rows(HEALTH)
    if as_json:
        print_json(rows)
    else:
        cells = ((styled_phase(row["level"]), row["check"], row["value"]) for row in rows)
        out(table(("level", "check", "value"), cells))
        for row in rows:
            if row["level"] != "ok":
                out()
                out(f"{row['check']}: {plain(row['advice'])}")
                out(f"  {plain(row['fix_sql'])}")
    critical = any(row["level"] == "crit" for row in rows)
    raise click.exceptions.Exit(ExitCode.FAILED if critical else ExitCode.DONE)
