"""Exit codes of the command, and database errors as a message with a hint.

Only this module knows SQLSTATEs. Locaria's own (LC001 and up) come with a message and a hint for
people, which are printed unchanged; sql/README.md lists them.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import IO, Any

import click
import psycopg
from psycopg import errors as pg


class ExitCode(IntEnum):
    """The exit codes, on which scripts rely."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CANCELLED = 3
    UNREACHABLE = 4
    REFUSED = 5
    INTERRUPTED = 130


EXIT_CODES = {
    ExitCode.DONE: "done: the files succeeded, or the command did its work",
    ExitCode.FAILED: "failed: a file ended in ERROR, or a check of `health` is critical",
    ExitCode.USAGE: "usage: an option or argument is invalid; nothing was done",
    ExitCode.CANCELLED: "cancelled: a file was cancelled or deleted, and none failed",
    ExitCode.UNREACHABLE: "no database: none is given, or connecting or logging in failed",
    ExitCode.REFUSED: "refused: the database or AWS refused it; the message gives the reason",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C: running loads continue",
}

EXIT_CODE_HELP = "\b\nExit codes:\n" + "\n".join(
    f"  {code.value:>3}  {text}" for code, text in EXIT_CODES.items()
)

PHASE_EXIT_CODES = {
    "failed": ExitCode.FAILED,
    "cancelled": ExitCode.CANCELLED,
    "deleted": ExitCode.CANCELLED,
}


def outcome_exit_code(phases: list[str]) -> ExitCode:
    """Return the exit code for finished files: failed comes before cancelled, that before done."""
    codes = {PHASE_EXIT_CODES.get(phase, ExitCode.DONE) for phase in phases}
    for code in (ExitCode.FAILED, ExitCode.CANCELLED):
        if code in codes:
            return code
    return ExitCode.DONE


class CommandError(click.ClickException):
    """An error that ends the command with a message and an exit code, without a traceback.

    Args:
        message: What is wrong.
        hint: What to do about it; further lines are indented by the caller.
        code: The exit code of the process.
    """

    def __init__(self, message: str, hint: str | None = None, code: int = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.hint = hint
        self._code = int(code)

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """The exit code of the process."""
        return self._code

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message and the hint to standard error."""
        target = file or sys.stderr
        click.echo(f"locaria: {self.message}", file=target)
        if self.hint:
            click.echo(f"hint: {self.hint}", file=target)


UNREACHABLE_STATES = ("08", "28", "3D", "53", "57P")
NOT_INSTALLED = (pg.UndefinedTable, pg.UndefinedFunction, pg.InvalidSchemaName)
ROLE_HINT = (
    "Reading needs the role locaria_reader, submitting locaria_app, and cancel, retry and other "
    "control functions locaria_operator. An administrator runs: grant locaria_operator to <login>"
)


def translate(error: psycopg.Error, place: str) -> CommandError:
    """Translate a database error into a message, a hint and an exit code.

    Args:
        error: The error from psycopg.
        place: A description of the database, without a password.
    """
    state = error.sqlstate or ""
    message = error.diag.message_primary or str(error).strip().splitlines()[0]
    if state.startswith("LC"):
        return CommandError(message, error.diag.message_hint)
    if isinstance(error, psycopg.OperationalError) and (
        not state or state.startswith(UNREACHABLE_STATES)
    ):
        return CommandError(
            f"the connection to {place} was lost: {message}",
            "Running loads continue without this command. Run it again.",
            ExitCode.UNREACHABLE,
        )
    if isinstance(error, NOT_INSTALLED):
        return CommandError(
            f"Locaria is not installed in {place}, or its version is too old: {message}",
            "As the owner of Locaria, run: locaria db upgrade",
        )
    if isinstance(error, pg.InsufficientPrivilege):
        return CommandError(f"{message} ({place})", ROLE_HINT)
    return CommandError(f"{message} (SQLSTATE {state or 'unknown'})", error.diag.message_hint)
