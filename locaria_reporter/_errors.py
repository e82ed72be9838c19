"""The exceptions that a loader raises or receives.

    SystemExit
    └── Outcome                 ends the run; uncaught, it ends the process with the right exit code
        ├── NothingToClaim   0  no file is waiting: leave, all is well
        ├── Retry           75  try this file again later (raised by loaders)
        │   └── Unavailable 75  the database could not be reached for too long
        ├── Fatal           65  never try it again; the text is for its user (by loaders)
        │   ├── TooManyRejects  more bad rows than the file's limit allows
        │   └── CheckFailed     a check given to finish() was false
        ├── LeaseLost       76  another task owns the file now: nothing more may be written
        ├── Cancelled      143  a person cancelled the file
        └── Terminated     143  SIGTERM or SIGINT: the file is queued again, uncounted
    Exception
    └── ReporterError           a mistake in the loader or around it; the message names the fix
        ├── RunClosed           a report after the run had ended
        ├── NotPublished        a staging table was filled and never published
        ├── NotFinished         the process exited inside the block
        ├── OutsideLocaria      the call needs Locaria, or a database, and there is none
        └── Refused             the database refused the call; `.code` is its SQLSTATE (LC004 …)

Outcomes are no subclasses of `Exception` on purpose: a loader's `except Exception` around one bad
row must not swallow a cancellation, and a process that ends on one ends with its exit code.
"""

# ruff: noqa: N818 - they are raised as words of the interface: `raise Retry(…)`

from __future__ import annotations

from datetime import timedelta
from typing import Any

EXIT_DONE = 0
EXIT_FATAL = 65
EXIT_RETRY = 75
EXIT_LEASE_LOST = 76
EXIT_TERMINATED = 143


class Outcome(SystemExit):
    """Base of the exceptions that end a run; `code` is the exit code of the process."""

    exit_code = EXIT_DONE
    default = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.default)
        self.code = self.exit_code

    @property
    def message(self) -> str:
        """The text without markup."""
        return str(self.args[0])


class NothingToClaim(Outcome):
    """No file waits for this container. Uncaught, it ends the process with exit code 0."""

    default = "nothing to claim"


class Retry(Outcome):
    """Try this file again: `raise Retry("the server is busy", in_=60)`.

    Args:
        message: the reason, for the file's user.
        in_: seconds (or a timedelta) until the next attempt; without it, the container's backoff.
            (`in` is a keyword of Python; `Retry(**{"in": 60})` works, too.)
    """

    exit_code = EXIT_RETRY
    default = "the loader asked for another attempt"

    def __init__(
        self, message: str = "", *, in_: float | timedelta | None = None, **named: float | timedelta
    ) -> None:
        super().__init__(message)
        wanted = named.pop("in", in_)
        if named:
            raise TypeError(f"Retry() takes in_= (or in=), not {', '.join(sorted(named))}")
        self.delay: timedelta | None = (
            wanted
            if isinstance(wanted, timedelta) or wanted is None
            else timedelta(seconds=float(wanted))
        )


class Unavailable(Retry):
    """The database could not be reached until the lease ran out."""

    default = "the database could not be reached"


class Fatal(Outcome):
    """Never try this file again: `raise Fatal("column 'id' is missing")`; the text is for its user.

    Args:
        message: the fault, and what the user can do.
        kind: 'data' (the file is wrong), 'config' (the site is) or 'fatal'.
    """

    exit_code = EXIT_FATAL
    default = "the loader gave up"

    def __init__(self, message: str = "", *, kind: str = "fatal") -> None:
        super().__init__(message)
        self.kind = kind


class TooManyRejects(Fatal):
    """More rows were rejected than the limit of the file or its container allows."""

    default = "too many rejected rows"

    def __init__(self, message: str = "", *, kind: str = "data") -> None:
        super().__init__(message, kind=kind)


class CheckFailed(Fatal):
    """A check given to finish() was false, so nothing was published."""

    default = "a check failed"

    def __init__(self, message: str = "", *, kind: str = "data") -> None:
        super().__init__(message, kind=kind)


class LeaseLost(Outcome):
    """Another task owns the file now, or the run has ended: stop, nothing can be written."""

    exit_code = EXIT_LEASE_LOST
    default = "the lease of this run is lost"


class Cancelled(Outcome):
    """The file was cancelled; raised at the next report call."""

    exit_code = EXIT_TERMINATED
    default = "cancelled"


class Terminated(Outcome, KeyboardInterrupt):
    """SIGTERM or SIGINT. Also a KeyboardInterrupt, so that psycopg cancels a statement."""

    exit_code = EXIT_TERMINATED
    default = "terminated"


class CommandFailed(Outcome):
    """The command that locaria-report ran did not end with 0 (not part of the interface).

    Args:
        message: for last_error.
        kind: of the failure.
        status: the command's exit code.
        detail: the last lines that it wrote.
    """

    def __init__(self, message: str, *, kind: str, status: int, detail: str | None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.detail = detail
        self.code = self.exit_code = status if 0 < status < 256 else 1


class ReporterError(Exception):
    """A mistake that a loader author or an operator can fix; the message says how."""


class RunClosed(ReporterError):
    """A report after the run had ended."""


class NotPublished(ReporterError):
    """The block ended normally, but a staging table was not published."""


class NotFinished(ReporterError):
    """`sys.exit(0)` inside the block: only finish() ends a run as a success."""


class OutsideLocaria(ReporterError):
    """The call needs Locaria or a database, and the script runs without one."""


class Refused(ReporterError):
    """The database refused a call.

    Args:
        message: the database's.
        code: its SQLSTATE, LC003 to LC012 (table in docs/loader_authors.md).
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


_BY_SQLSTATE: dict[str, type[Outcome]] = {
    "LC001": LeaseLost,
    "LC002": LeaseLost,
    "LC010": TooManyRejects,
}


def from_sqlstate(code: str | None, message: str) -> BaseException | None:
    """Return the exception for one of Locaria's own SQLSTATEs, None for any other."""
    if code is None or not code.startswith("LC"):
        return None
    outcome: Any = _BY_SQLSTATE.get(code)
    return outcome(message) if outcome else Refused(message, code=code)
