"""`locaria list`: the files, with the newest first."""

from __future__ import annotations

import click
from psycopg.types.json import Json

from locaria.cli.connection import Row, Session, find_dsn
from locaria.cli.files.progress import count_words, name_of
from locaria.cli.options import dsn_option, json_option
from locaria.cli.render import duration, out, plain, print_json, say, styled_phase, table, timestamp

# The names that locaria.list_phases() returns, which decides what they mean.
PHASES = (
    "queued",
    "scheduled",
    "held",
    "dispatched",
    "starting",
    "running",
    "retrying",
    "done",
    "failed",
    "cancelled",
    "deleted",
)
QUERY = """
select * from locaria.status
where file_id = any (array(select unnest(locaria.list_files(%s::jsonb, %s))))
order by file_id desc
"""


@click.command("list")
@click.option("--status", "-s", metavar="STATUS", help="Show only this status, such as ERROR.")
@click.option("--phase", "-p", type=click.Choice(PHASES), help="Show only files in this phase.")
@click.option("--container", "-c", metavar="NAME", help="Show only files of this container.")
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Show at most this many files.",
)
@json_option
@dsn_option
def list_files(
    *,
    status: str | None,
    phase: str | None,
    container: str | None,
    limit: int,
    as_json: bool,
    dsn: str | None,
) -> None:
    """List files, with the newest first.

    \b
    locaria list
    locaria list --phase failed
    locaria list --status ERROR --limit 1000 --json | jq '.[].last_error'

    --json prints an array of rows of the view locaria.status.
    """
    with Session(find_dsn(dsn), "list") as session:
        given = {"status": status, "phase": phase, "container": container}
        filters = {name: value for name, value in given.items() if value is not None}
        rows = session.rows(QUERY, [Json(filters), limit])
        if status is not None and not rows:
            check_status(session, status)
    if as_json:
        print_json(rows)
    elif not rows:
        say("No files." if not (status or phase or container) else "No file matches.")
    else:
        show_list(rows)
        if len(rows) == limit:
            say(f"These are the newest {limit}; use --limit to show more.")


def check_status(session: Session, status: str) -> None:
    """Check that a status exists.

    Raises:
        click.BadParameter: It does not.
    """
    known = [row["status"] for row in session.rows("select status from locaria.statuses")]
    if status not in known:
        raise click.BadParameter(
            f"there is no status {status!r}; use one of {', '.join(sorted(known))}",
            param_hint="--status",
        )


def show_list(rows: list[Row]) -> None:
    """Print files as a table."""
    out(
        table(
            ("id>right", "phase", "file", "rows>right", "took>right", "inserted", "why"),
            (
                (
                    row["file_id"],
                    styled_phase(row["phase"]),
                    name_of(row),
                    count_words(row),
                    duration(row["run_s"]),
                    timestamp(row["queued_at"]),
                    shorten(plain(row["why"])),
                )
                for row in rows
            ),
        )
    )


def shorten(text: str, most: int = 160) -> str:
    """Return a text as one line, cut off after `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
