"""How the exception that left a run's block becomes an outcome on the row."""

from __future__ import annotations

import traceback

from locaria_reporter._channel import Failure
from locaria_reporter._errors import (
    EXIT_FATAL,
    EXIT_RETRY,
    EXIT_TERMINATED,
    Cancelled,
    CommandFailed,
    Fatal,
    LeaseLost,
    NotFinished,
    Outcome,
    Retry,
    Terminated,
    Unavailable,
)
from locaria_reporter._logging import clip
from locaria_reporter._masking import Masker

_LONGEST_ERROR = 2_000
_LONGEST_DETAIL = 20_000
_INSUFFICIENT_PRIVILEGE = "42501"


def failure_of(error: BaseException, masker: Masker) -> Failure:
    """The failure to report for `error`, without secrets.

    Retry → transient; Fatal → its kind; Cancelled → cancelled; `sys.exit(75)` and `sys.exit(65)`
    mean the same as from a shell; a missing right in the database → config; anything else is
    internal, with its traceback.
    """
    if isinstance(error, CommandFailed):
        return Failure(
            kind=error.kind,
            error=clip(masker.text(error.message), _LONGEST_ERROR),
            detail=None if error.detail is None else masker.text(error.detail),
            exit_code=error.status,
        )
    if isinstance(error, Retry):
        kind, delay = "transient", error.delay
    elif isinstance(error, SystemExit):
        kind, delay = _kind_of_exit(error), None
    else:
        # A missing right is there again at the next attempt; a person has to grant it.
        missing = getattr(error, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE
        kind, delay = "config" if missing else "internal", None
    named = isinstance(error, Outcome) and error.__cause__ is None
    return Failure(
        kind=kind,
        error=clip(masker.text(describe(error)), _LONGEST_ERROR),
        detail=None if named else _traceback(error, masker),
        retry_in=delay,
    )


def is_termination(error: BaseException) -> bool:
    """Whether the process was told to go, so that the file goes back uncounted."""
    if isinstance(error, Terminated):
        return True
    if isinstance(error, Outcome):
        return False
    if isinstance(error, SystemExit):
        return error.code == EXIT_TERMINATED
    return isinstance(error, KeyboardInterrupt)


def concerns_the_file(error: BaseException) -> bool:
    """Whether the next file may be taken after this error."""
    if isinstance(error, Outcome):
        return not isinstance(error, LeaseLost | Terminated | Unavailable)
    return isinstance(error, Exception)


def describe(error: BaseException) -> str:
    """One line for last_error."""
    if isinstance(error, Outcome):
        return error.message
    if isinstance(error, SystemExit):
        return f"the loader exited with {error.code}"
    # Of a database error the first line; its context stands in the traceback.
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    words = (primary or str(error)).strip()
    name = type(error).__name__
    return f"{name}: {words}" if words else name


def exit_is_no_success(exit_: SystemExit) -> NotFinished:
    """What `sys.exit(0)` inside the block means."""
    error = NotFinished(
        "the loader exited with 0 inside the block: that is no success; call run.finish(), "
        "or leave the block normally"
    )
    error.__cause__ = exit_
    return error


def _kind_of_exit(error: SystemExit) -> str:
    if isinstance(error, Fatal):
        return error.kind
    if isinstance(error, Cancelled):
        return "cancelled"
    return {EXIT_RETRY: "transient", EXIT_FATAL: "fatal"}.get(_code(error), "internal")


def _code(error: SystemExit) -> int:
    return error.code if isinstance(error.code, int) else 1


def _traceback(error: BaseException, masker: Masker) -> str:
    text = "".join(traceback.format_exception(error))
    # The end of a traceback says what happened; the beginning may go.
    if len(text) > _LONGEST_DETAIL:
        text = f"[{len(text) - _LONGEST_DETAIL} characters before]\n{text[-_LONGEST_DETAIL:]}"
    return masker.text(text)
