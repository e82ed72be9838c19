"""`locaria list`: the files, with the newest first."""

from __future__ import annotations

from typing import Any

import click
from psycopg import sql

from locaria.cli.connection import Row, Session, find_dsn
from locaria.cli.files.progress import count_words, name_of
from locaria.cli.options import dsn_option, json_option
from locaria.cli.render import duration, out, plain, print_json, say, styled_phase, table, timestamp

# Where the files of a phase stand, in terms of the indexes of files. The view then decides exactly.
# An array, so that the view is worked out for these files only; as many as --limit may ask for.
AMONG = """
file_id = any (array(select id from locaria.files where {} order by id desc limit 100000))
"""
WAITING = "claimed_by is null and finished is null"
PHASES = {
    "queued": WAITING,
    "dispatched": WAITING,
    "starting": WAITING,
    "scheduled": f"{WAITING} and run_after > locaria.statement_clock()",
    "retrying": f"{WAITING} and attempts > 0",
    "held": f"{WAITING} and run_after = 'infinity'",
    "running": "claimed_by is not null",
    "done": "finished is not null and status not in ('ERROR', 'CANCELLED', 'DELETED')",
    "failed": "status = 'ERROR'",
    "cancelled": "status = 'CANCELLED'",
    "deleted": "status = 'DELETED'",
}


@click.command("list")
@click.option("--status", "-s", metavar="STATUS", help="Only this status, e.g. ERROR.")
@click.option("--phase", "-p", type=click.Choice(list(PHASES)), help="Only this phase.")
@click.option("--container", "-c", metavar="NAME", help="Only this container.")
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
        query, values = build_query(status, phase, container, limit)
        rows = session.rows(query, values)
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


def build_query(
    status: str | None, phase: str | None, container: str | None, limit: int
) -> tuple[sql.Composed, dict[str, Any]]:
    """The query for some filters, and its values."""
    filters: list[sql.Composable] = []
    narrow: list[sql.Composable] = []
    if container is not None:
        filters.append(sql.SQL("container = %(container)s"))
    if status is not None:
        filters.append(sql.SQL("state = %(status)s"))
        narrow.append(sql.SQL("status = %(status)s"))
    if phase is not None:
        filters.append(sql.SQL("phase = %(phase)s"))
        narrow.append(sql.SQL(PHASES[phase]))
    if narrow:
        filters.append(sql.SQL(AMONG).format(sql.SQL(" and ").join(narrow)))
    where = sql.SQL(" where ") + sql.SQL(" and ").join(filters) if filters else sql.SQL("")
    query = (
        sql.SQL("select * from locaria.status")
        + where
        + sql.SQL(" order by file_id desc limit %(limit)s")
    )
    values = {"status": status, "phase": phase, "container": container, "limit": limit}
    return query, values


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
