"""`locaria logs`: the log messages of a file."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click
from rich.text import Text

from locaria.cli.connection import Row, Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP, ExitCode, outcome_exit_code
from locaria.cli.files.progress import FINISHED_PHASES, POLL_S
from locaria.cli.files.show import read_status
from locaria.cli.options import dsn_option, file_argument, json_option
from locaria.cli.render import console, plain, print_json, print_json_line, say

LOG = "select * from locaria.log where file_id = %s and id > %s order by id"
PHASE = "select phase from locaria.status where file_id = %s"
# Ids are assigned before the commit, so a lower one may appear later. Read this many again.
LOOK_BACK = 1000
LEVEL_STYLES = {"error": "red", "warning": "yellow", "debug": "dim", "stage": "bold cyan"}


@click.command(epilog=EXIT_CODE_HELP, short_help="Print the log of a file.")
@file_argument
@click.option("--follow", "-f", is_flag=True, help="Print new messages until the file is finished.")
@json_option
@dsn_option
def logs(file_id: int, follow: bool, as_json: bool, dsn: str | None) -> None:
    """Print the log messages of all runs of a file.

    \b
    locaria logs 17
    locaria logs 17 -f        # until it is finished; the exit code is its outcome
    locaria logs 17 --json | jq -r '.[] | select(.level == "error").message'

    --json prints an array of rows of the view locaria.log; with -f, one row per line.
    """
    code = ExitCode.DONE
    with Session(find_dsn(dsn), "logs") as session:
        status = read_status(session, file_id)
        if not follow:
            rows = session.rows(LOG, [file_id, 0])
            if as_json:
                print_json(rows)
            for row in rows if not as_json else ():
                show_message(row)
            if not rows and not as_json:
                say(f"No messages. File {file_id}: {status['why']}")
        else:
            for row in follow_log(session, file_id):
                print_json_line(row) if as_json else show_message(row)
            status = read_status(session, file_id)
            code = outcome_exit_code([status["phase"]])
            if not as_json:
                say(f"file {file_id} {status['phase']}: {status['why']}")
    raise click.exceptions.Exit(code)


def follow_log(session: Session, file_id: int) -> Iterator[Row]:
    """Yield the messages of a file as they arrive, until the file is finished."""
    seen: set[int] = set()
    last = 0
    while True:
        # Read the phase first: then the log that follows includes the last messages.
        phase = session.watch_rows(PHASE, [file_id], on_loss=say)[0]["phase"]
        for row in session.watch_rows(LOG, [file_id, last - LOOK_BACK], on_loss=say):
            if row["id"] not in seen:
                seen.add(row["id"])
                yield row
        last = max(seen, default=0)
        seen = {number for number in seen if number > last - LOOK_BACK}
        if phase in FINISHED_PHASES:
            return
        time.sleep(POLL_S)


def show_message(row: Row) -> None:
    """Print one message on one line."""
    style = LEVEL_STYLES.get(row["level"], "")
    at = row["at"].astimezone().strftime("%H:%M:%S")
    stage = f"[{row['stage']}] " if row["stage"] and row["level"] != "stage" else ""
    words = f"── {row['message']} ──" if row["level"] == "stage" else stage + row["message"]
    label = "" if row["level"] in ("info", "stage") else f"{row['level'].upper()} "
    line = Text.assemble((at, "dim"), " ", (label + plain(words), style))
    console().print(line, soft_wrap=True)
