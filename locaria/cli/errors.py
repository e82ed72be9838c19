"""What can go wrong on the command line, as exit codes and as one or two plain lines.

The only place of the command that knows SQLSTATEs. Locaria's own (LC001 to LC010) carry a message
and a hint written for people, so they are printed as they are; see the table in sql/README.md.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import IO, Any

import click
import psycopg
from psycopg import errors as pg


class ExitCode(IntEnum):
    """How a command ends: the contract with scripts."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CANCELLED = 3
    UNREACHABLE = 4
    REFUSED = 5
    INTERRUPTED = 130


EXIT_CODES = {
    ExitCode.DONE: "done: the files came to a good end, or the command did what it was asked",
    ExitCode.FAILED: "failed: a file ended in ERROR; or a check of `health` is critical",
    ExitCode.USAGE: "usage: an option or argument is wrong, nothing was done",
    ExitCode.CANCELLED: "cancelled: a file was cancelled or deleted, and none failed",
    ExitCode.UNREACHABLE: "no database: none is named, or it can't be reached or logged in to",
    ExitCode.REFUSED: "refused: database or AWS said no; the message says why, nothing was done",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C: what is loading goes on loading",
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
    """The exit code for files that are at rest: failed before cancelled before done."""
    codes = {PHASE_EXIT_CODES.get(phase, ExitCode.DONE) for phase in phases}
    for code in (ExitCode.FAILED, ExitCode.CANCELLED):
        if code in codes:
            return code
    return ExitCode.DONE


class CommandError(click.ClickException):
    """An end with a message for people, a hint what to do, and an exit code; never a traceback."""

    def __init__(self, message: str, hint: str | None = None, code: int = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.hint = hint
        self._code = int(code)

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """The code of the process."""
        return self._code

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message and the hint, to standard error."""
        target = file or sys.stderr
        click.echo(f"locaria: {self.message}", file=target)
        if self.hint:
            click.echo(f"hint: {self.hint}", file=target)


UNREACHABLE_STATES = ("08", "28", "3D", "53", "57P")
NOT_INSTALLED = (pg.UndefinedTable, pg.UndefinedFunction, pg.InvalidSchemaName)
ROLE_HINT = (
    "Submitting needs the role locaria_app; reading locaria_reader; cancel, retry and the like "
    "locaria_operator. An administrator grants them: grant locaria_operator to <login>"
)


def translate(error: psycopg.Error, place: str) -> CommandError:
    """Turn an error of the database into a message, a hint and an exit code.

    Parameters:
        error: as psycopg raised it.
        place: the database in words, without a password.
    """
    state = error.sqlstate or ""
    message = error.diag.message_primary or str(error).strip().splitlines()[0]
    if state.startswith("LC"):
        return CommandError(message, error.diag.message_hint)
    if isinstance(error, psycopg.OperationalError) and (
        not state or state.startswith(UNREACHABLE_STATES)
    ):
        return CommandError(
            f"the connection to {place} broke: {message}",
            "What is loading goes on without it; run the command again.",
            ExitCode.UNREACHABLE,
        )
    if isinstance(error, NOT_INSTALLED):
        return CommandError(
            f"Locaria is not installed in {place}, or is older than this command: {message}",
            "As the owner of the database: locaria db upgrade",
        )
    if isinstance(error, pg.InsufficientPrivilege):
        return CommandError(f"{message} ({place})", ROLE_HINT)
    return CommandError(f"{message} (SQLSTATE {state or 'unknown'})", error.diag.message_hint)
