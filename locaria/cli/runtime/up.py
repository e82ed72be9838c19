"""`locaria up`, `down` and `status`: Locaria on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from locaria.cli.connection import check_dsn
from locaria.cli.errors import ExitCode
from locaria.resources import DEFAULT_STATE_DIR
from locaria.web.sockets import DEFAULT_PORT

_console = Console()
_errors = Console(stderr=True)
state_dir_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_STATE_DIR,
    envvar="LOCARIA_STATE_DIR",
    help="Folder of the database, secrets and logs. [default: .locaria in the checkout]",
)


@click.command(short_help="Start Locaria on this machine.")
@click.option("--detach", is_flag=True, help="Run in the background; return when ready.")
@click.option(
    "--dsn",
    envvar="LOCARIA_UP_DSN",
    help="A superuser's DSN of a database to use in place of an own Postgres.",
)
@click.option(
    "--http-port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port of the dashboard and the API; the next free one if it is taken, 0: any.",
)
@state_dir_option
def up(detach: bool, dsn: str | None, http_port: int, state_dir: Path) -> None:
    """Start Locaria on this machine: Postgres, stand-ins for Lambda and ECS, dashboard and API.

    \b
    locaria up                                  # Ctrl-C stops everything
    locaria up --detach                         # in the background; stop it with: locaria down
    LOCARIA_UP_DSN=postgresql://postgres@host/db locaria up
    """
    from locaria.local import daemon, runtime  # noqa: PLC0415 - slow to import, for this alone
    from locaria.local import status as status_of  # noqa: PLC0415 - as above

    check_dsn(dsn or "", "--dsn or LOCARIA_UP_DSN")
    state_dir = state_dir.absolute()
    status = status_of.read_status(state_dir)
    if status["pid"] is not None:
        _fail(
            f"Locaria is already running on {state_dir} (process {status['pid']}).\n"
            f"Stop it with: locaria down --state-dir {state_dir}"
        )
    if detach:
        _start_in_background(state_dir, dsn, http_port)
        return
    daemon.log_to(state_dir / status_of.LOG_FILE)
    try:
        with _console.status("Starting …") as spinner:

            def ready(started: runtime.Runtime) -> None:
                spinner.stop()
                _show(status_of.read_status(started.state_dir), state_dir)
                _console.print("[dim]Ctrl-C stops everything.[/dim]")

            daemon.serve(runtime.Runtime(state_dir, dsn, http_port=http_port), ready)
    except daemon.START_ERRORS as error:
        _fail(str(error))
    _console.print("Stopped.")


@click.command()
@state_dir_option
def down(state_dir: Path) -> None:
    """Stop Locaria on this machine, and whatever a crashed one left. Its data stay.

    \b
    locaria down
    """
    from locaria.local import status as status_of  # noqa: PLC0415 - as above

    state_dir = state_dir.absolute()
    was = status_of.read_status(state_dir)["state"]
    with _console.status("Stopping …"):
        stopped = status_of.shut_down(state_dir)
    if not stopped:
        _fail(f"It did not stop; see {state_dir / status_of.LOG_FILE}")
    _console.print("Nothing was running." if was == "stopped" else "Stopped.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@state_dir_option
def status(as_json: bool, state_dir: Path) -> None:
    """Show whether Locaria runs here, and where. Exit code 4 when it does not.

    \b
    locaria status --json                       # {"state", "dsn", "http", "ws", "ingest", …}
    """
    from locaria.local import status as status_of  # noqa: PLC0415 - as above

    found = status_of.read_status(state_dir.absolute())
    if as_json:
        click.echo(json.dumps(found))
    else:
        _show(found, state_dir.absolute())
    if found["state"] != "running":
        sys.exit(ExitCode.UNREACHABLE)


def _start_in_background(state_dir: Path, dsn: str | None, http_port: int) -> None:
    from locaria.local import daemon  # noqa: PLC0415 - as above
    from locaria.local import status as status_of  # noqa: PLC0415 - as above

    log_path = state_dir / status_of.LOG_FILE
    state_dir.mkdir(parents=True, exist_ok=True)
    log_path.touch(mode=0o600)
    before = log_path.stat().st_size
    with log_path.open("ab") as log, _console.status("Starting …"):
        process = subprocess.Popen(
            [sys.executable, "-m", "locaria.local.daemon", state_dir, str(http_port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | ({} if dsn is None else {daemon.DSN_VARIABLE: dsn}),
        )
        ready = status_of.await_running(state_dir, process.pid, timeout_s=180)
    if not ready:
        said = log_path.read_bytes()[before:].decode(errors="replace").strip().splitlines()
        _fail("Locaria did not start:\n  " + "\n  ".join(said[-15:]) + f"\nSee {log_path}")
    _show(status_of.read_status(state_dir), state_dir)


def _show(found: dict[str, Any], state_dir: Path) -> None:
    table = Table.grid(padding=(0, 2))
    colour = {"running": "green", "crashed": "red"}.get(found["state"], "yellow")
    table.add_row("Locaria", f"[{colour}]{found['state']}[/{colour}]")
    if found["state"] == "crashed":
        table.add_row("", "locaria up recovers; locaria down ends what is left")
    postgres = found["postgres"]
    if postgres is not None:
        version = postgres.get("version")
        table.add_row("postgres", f"{version} (own)" if version else "given by --dsn")
    for name in ("http", "ws", "ingest"):
        if found[name] is not None:
            table.add_row(name, found[name])
    for name, endpoint in found["listeners"].items():
        if endpoint != found["ingest"]:
            table.add_row(name, endpoint)
    if found["pid"] is not None:
        table.add_row("process", str(found["pid"]))
        table.add_row("log", str(state_dir / "locaria.log"))
    _console.print(table)
    if found["dsn"] is not None:
        click.echo(f"export LOCARIA_DSN='{found['dsn']}'")  # one line, to be copied


def _fail(message: str) -> None:
    _errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)
