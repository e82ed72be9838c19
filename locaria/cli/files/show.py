"""`locaria show` and `locaria explain`: everything about one file."""

from __future__ import annotations

import json

import click

from locaria.cli.connection import Row, Session, find_dsn
from locaria.cli.errors import CommandError
from locaria.cli.files.progress import STATUS_OF_FILES, count_words, progress_words
from locaria.cli.options import dsn_option, file_argument, json_option
from locaria.cli.render import (
    duration,
    facts,
    number,
    out,
    plain,
    print_json,
    styled_phase,
    table,
)

ATTEMPTS = "select * from locaria.attempts where file_id = %s order by run_id"
REJECTS = "select * from locaria.rejects where file_id = %s order by id desc limit %s"
TIMELINE = "select * from locaria.timeline(%s)"
REJECTS_SHOWN = 10
REJECTS_IN_JSON = 1000


@click.command(short_help="Show one file in full.")
@file_argument
@json_option
@dsn_option
def show(file_id: int, as_json: bool, dsn: str | None) -> None:
    """Show one file: its status and the reason for it, attempts, rejected rows and timeline.

    \b
    locaria show 17
    locaria show 17 --json | jq .status.why

    --json prints an object with status, attempts, rejects (the last 1,000) and timeline; the keys
    within are the columns of these views.
    """
    with Session(find_dsn(dsn), "show") as session:
        status = read_status(session, file_id)
        attempts = session.rows(ATTEMPTS, [file_id])
        rejects = session.rows(REJECTS, [file_id, REJECTS_IN_JSON if as_json else REJECTS_SHOWN])
        timeline = session.rows(TIMELINE, [file_id])
    rejects.reverse()
    if as_json:
        print_json(
            {"status": status, "attempts": attempts, "rejects": rejects, "timeline": timeline}
        )
        return
    show_status(status)
    if "command" in status["attributes"] and attempts and attempts[-1]["result"] is not None:
        show_result(attempts[-1]["result"])
    show_attempts(attempts)
    show_rejects(rejects, status["rows_rejected"])
    show_timeline(timeline)


@click.command(short_help="Explain why a file is not done.")
@file_argument
@json_option
@dsn_option
def explain(file_id: int, as_json: bool, dsn: str | None) -> None:
    """Explain in sentences why a file is not done: its queue, tasks, dispatches and limits.

    \b
    locaria explain 17

    --json prints an object with file_id and lines.
    """
    with Session(find_dsn(dsn), "explain") as session:
        rows = session.rows("select line from locaria.explain(%s) as line", [file_id])
    lines = [row["line"] for row in rows]
    if as_json:
        print_json({"file_id": file_id, "lines": lines})
    else:
        for line in lines:
            out(plain(line))


def read_status(session: Session, file_id: int) -> Row:
    """Read the row of a file from the view status.

    Raises:
        CommandError: There is no such file.
    """
    rows = session.rows(STATUS_OF_FILES, [[file_id]])
    if not rows:
        raise CommandError(f"there is no file {file_id}", "List the files: locaria list")
    return rows[0]


def show_status(row: Row) -> None:
    """Print the row of the view status."""
    is_finished = row["finished_at"] is not None
    out(
        facts(
            (
                (f"file {row['file_id']}", styled_phase(row["phase"])),
                ("why", row["why"]),
                ("status", row["state"]),
                ("container", row["container"]),
                ("attributes", row["attributes"]),
                ("endpoint", row["endpoint"]),
                ("progress", "" if is_finished else "  ".join(progress_words(row))),
                ("stage", "" if is_finished else row["stage"]),
                ("rows", count_words(row) if is_finished else ""),
                ("last message", row["last_message"]),
                ("last error", row["last_error"]),
                ("attempt", f"{row['attempt']} of {row['max_attempts']}" if row["attempt"] else ""),
                ("priority", row["priority"] or ""),
                ("not before", "" if is_finished or row["attempt"] else row["run_after"]),
                ("inserted", row["queued_at"]),
                ("waited", duration(row["wait_s"])),
                ("took", duration(row["run_s"])),
                ("task", row["task_arn"]),
            )
        )
    )


def show_result(result: Row) -> None:
    """Print the result of a command that was submitted as a row."""
    out()
    out("Result")
    out(plain(json.dumps(result.get("result"), indent=2, ensure_ascii=False)))


def show_attempts(rows: list[Row]) -> None:
    """Print the attempts, unless there is only one and it has not failed."""
    if not rows or (len(rows) == 1 and rows[0]["outcome"] in (None, "succeeded")):
        return
    out()
    columns = ("attempt>right", "run>right", "started", "took>right", "outcome", "rows>right", "")
    cells = (
        (
            row["attempt"],
            row["run_id"],
            row["started_at"],
            duration(row["run_s"]),
            row["outcome"] or "running",
            number(row["rows_done"]),
            attempt_words(row),
        )
        for row in rows
    )
    out(table(columns, cells, "Attempts"))
    if rows[-1]["error_detail"]:
        out()
        out("Details of the last error:")
        out(plain(rows[-1]["error_detail"]))


def attempt_words(row: Row) -> str:
    """Describe why an attempt ended."""
    words = [
        f"{row['error_kind']}: {row['error']}" if row["error"] else "",
        f"exit code {row['exit_code']}" if row["exit_code"] else "",
        row["stopped_reason"] or "" if row["outcome"] == "lost" else "",
    ]
    return "; ".join(word for word in words if word)


def show_rejects(rows: list[Row], total: int | None) -> None:
    """Print the last rejected rows."""
    if not rows:
        return
    out()
    title = f"Rejected rows: the last {len(rows)}" + (f" of {number(total)}" if total else "")
    cells = ((row["line"], row["reason"], (row["row_text"] or "")[:200]) for row in rows)
    out(table(("line>right", "reason", "row"), cells, title))


def show_timeline(rows: list[Row]) -> None:
    """Print the events of a file in order."""
    out()
    days = {row["at"].astimezone().date() for row in rows}
    style = "%H:%M:%S.%f" if len(days) == 1 else "%Y-%m-%d %H:%M:%S.%f"
    cells = (
        (row["at"].astimezone().strftime(style)[:-3], row["what"], row["detail"]) for row in rows
    )
    title = f"Timeline, {days.pop()}" if len(days) == 1 else "Timeline"
    out(table(("at", "what", "detail"), cells, title))
