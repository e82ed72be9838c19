"""`locaria-report`: the reporter for shell scripts and programs in any language.

Start-up time matters, since a script calls it many times: only `run` imports the database driver.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from locaria_reporter._errors import Outcome, ReporterError

_EXAMPLE = """\
a complete loader, load.sh:
  #!/bin/sh
  set -eu
  locaria-report fetch "$P_url" -o "$LR_TMP/in.csv"
  locaria-report stage load
  psql service=locaria -c "\\copy $P_table from '$LR_TMP/in.csv' with (format csv, header)"

and the entry point of its container:
  locaria-report run --drain --idle 60 -- ./load.sh

inside a run:
  $P_<name>        each parameter of the file; all of them as JSON in the file $LR_PARAMETERS
  $LR_TMP          a directory that goes when the run ends
  service=locaria  the database, for psql, ogr2ogr and everything else that uses libpq
  lines on standard output report, too:
    ::locaria progress 300/1200      ::locaria stage index
    ::locaria log level=warning two rows look odd
    ::locaria error kind=data msg=no such layer
  ::locaria mask s3cret             from now on **** stands in its place

exit code of the command: 0 finished, 75 retry, 65 never again, 143 cancelled, other: an error.
Outside a run every subcommand prints what it would report, and exits with 0.
"""


def build_parser() -> argparse.ArgumentParser:
    """All subcommands."""
    parser = argparse.ArgumentParser(
        prog="locaria-report",
        description="Runs a command as a Locaria loader, and reports from inside of it.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="SUBCOMMAND")

    run = verbs.add_parser("run", help="claim a file, run a command for it, report how it ended")
    run.add_argument("--drain", action="store_true", help="go on with further files, then leave")
    run.add_argument(
        "--idle", type=float, metavar="S", help="with --drain: seconds to wait for more"
    )
    run.add_argument(
        "--grace",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds between SIGTERM and SIGKILL for the command (default 10)",
    )
    run.add_argument("command", nargs="+", metavar="CMD", help="after --: the command")

    listen = verbs.add_parser("listen", help="take commands, and run a program for each of them")
    listen.add_argument("--port", type=int, help="where; LOCARIA_PORT by default")
    listen.add_argument(
        "--grace",
        type=float,
        default=20.0,
        metavar="S",
        help="seconds from SIGTERM until a command in hand is killed (default 20)",
    )
    listen.add_argument("command", nargs="+", metavar="CMD", help="after --: the program")

    stage = verbs.add_parser("stage", help="enter a stage of the work")
    stage.add_argument("name")
    stage.add_argument("--weight", type=float, help="its share of the whole, in tenths")
    stage.add_argument("--total", type=_count, help="how many units there are to do")
    stage.add_argument("--unit", help="what is counted: rows, tiles, …")

    progress = verbs.add_parser("progress", help="say how far the stage is")
    progress.add_argument("done", metavar="DONE/TOTAL", help="300/1200, or 300")
    progress.add_argument("--message", help="one line for the file's status")

    fetch = verbs.add_parser("fetch", help="download with progress; resumes")
    fetch.add_argument("url")
    fetch.add_argument("-o", "--output", required=True, metavar="PATH")
    fetch.add_argument("--allow-private", action="store_true", default=None)

    execute = verbs.add_parser("exec", help="run a command and read its progress")
    execute.add_argument("--parse", choices=("gdal",), required=True, help="whose progress")
    execute.add_argument("command", nargs="+", metavar="CMD", help="after --: the command")

    log = verbs.add_parser("log", help="add a line to the run's log")
    log.add_argument("--level", choices=("debug", "info", "warning", "error"), default="info")
    log.add_argument("message", nargs="+")

    check = verbs.add_parser("check", help="note a check; a false one fails the run at its end")
    check.add_argument("name")
    check.add_argument("passed", metavar="true|false", type=_truth)

    reject = verbs.add_parser("reject", help="keep a bad row with its reason")
    reject.add_argument("reason")
    reject.add_argument("--line", type=int)
    reject.add_argument("--row", default="", help="the row's text")

    verbs.add_parser("mask", help="never show what is on standard input: a secret")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    options = build_parser().parse_args(arguments)
    try:
        if options.verb == "run":
            from locaria_reporter._command.supervise import run_command  # noqa: PLC0415 - imports the database driver

            return run_command(options)
        if options.verb == "listen":
            from locaria_reporter._command.listening import listen_command  # noqa: PLC0415 - as above

            return listen_command(options)
        from locaria_reporter._command.client import report  # noqa: PLC0415 - not needed for --help

        return report(options)
    except ReporterError as error:
        print(f"locaria-report: {error}", file=sys.stderr)
        return 1
    except Outcome as outcome:
        if outcome.exit_code and options.verb not in ("run", "listen"):
            print(f"locaria-report: {outcome.message}", file=sys.stderr)
        return outcome.exit_code


def _truth(text: str) -> bool:
    value = {"true": True, "t": True, "1": True, "yes": True}.get(text.strip().lower())
    if value is None and text.strip().lower() not in ("false", "f", "0", "no"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return bool(value)


def _count(text: str) -> int | None:
    """A number; empty (the layer has no fast count) means unknown."""
    try:
        return int(text) if text.strip() else None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error
