"""`locaria cancel` and `locaria retry`, which call the control functions of the database."""

from __future__ import annotations

from typing import LiteralString

import click

from locaria.cli.connection import Row, Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP, ExitCode
from locaria.cli.options import dsn_option, files_argument, json_option, reason_option
from locaria.cli.render import out, print_json, table

# `kind` shows what was refused: a finished file can't be cancelled, a running one not retried.
CANCEL = """
select c.file_id, c.status, c.note, s.kind
from locaria.cancel(%s::bigint[], %s) as c join locaria.statuses s on s.status = c.status
order by c.file_id
"""
RETRY = """
select c.file_id, c.status, c.note, s.kind
from locaria.retry(%s::bigint[], %s) as c join locaria.statuses s on s.status = c.status
order by c.file_id
"""


@click.command(epilog=EXIT_CODE_HELP, short_help="Cancel waiting or running files.")
@files_argument
@reason_option
@json_option
@dsn_option
def cancel(file_ids: tuple[int, ...], reason: str | None, as_json: bool, dsn: str | None) -> None:
    """Cancel files: waiting files at once, running files within seconds.

    \b
    locaria cancel 17 18 --reason "wrong delivery"

    No row of a cancelled load becomes visible. The exit code is 5 if a file had already finished.
    --json prints an array of objects with file_id, status and note.
    """
    ended = ("done", "failed", "deleted")
    control("cancel", CANCEL, ended, file_ids=file_ids, reason=reason, as_json=as_json, dsn=dsn)


@click.command(epilog=EXIT_CODE_HELP, short_help="Run files again.")
@files_argument
@reason_option
@json_option
@dsn_option
def retry(file_ids: tuple[int, ...], reason: str | None, as_json: bool, dsn: str | None) -> None:
    """Run finished files again, and start files at once that wait for their next attempt.

    \b
    locaria retry 17
    locaria retry $(locaria list --phase failed --json | jq '.[].file_id')

    The exit code is 5 if a file is running (cancel it first) or deleted. --json prints an array of
    objects with file_id, status and note.
    """
    busy = ("processing", "deleted")
    control("retry", RETRY, busy, file_ids=file_ids, reason=reason, as_json=as_json, dsn=dsn)


def control(
    name: str,
    query: LiteralString,
    refused_kinds: tuple[str, ...],
    *,
    file_ids: tuple[int, ...],
    reason: str | None,
    as_json: bool,
    dsn: str | None,
) -> None:
    """Call a control function for all files in one transaction and print its note on each file.

    Args:
        name: The command, for application_name.
        query: Calls the function and returns file_id, status, note and kind.
        refused_kinds: Kinds of status that mean that the function refused the file.
        file_ids: The files.
        reason: The reason to record.
        as_json: Whether to print JSON.
        dsn: The value of --dsn.
    """
    with Session(find_dsn(dsn), name) as session:
        rows = session.rows(query, [list(file_ids), reason])
    kinds = [row.pop("kind") for row in rows]
    if as_json:
        print_json(rows)
    else:
        show_notes(rows)
    refused = any(kind in refused_kinds for kind in kinds)
    raise click.exceptions.Exit(ExitCode.REFUSED if refused else ExitCode.DONE)


def show_notes(rows: list[Row]) -> None:
    """Print the outcome for each file."""
    cells = ((row["file_id"], row["status"], row["note"]) for row in rows)
    out(table(("file>right", "status", ""), cells))
