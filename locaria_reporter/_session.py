"""The reporter's sessions: the shared session, raising the reporter's own exceptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import psycopg

from locaria_reporter._errors import Unavailable, from_sqlstate
from locaria_reporter.session import Session, SessionFailure, connector


def make_session(
    dsn: str,
    application_name: str,
    patience: float = 60.0,
    pause: Callable[[float], object] = time.sleep,
) -> Session:
    """Make a session that raises Unavailable, or what an SQLSTATE of Locaria stands for."""
    return Session(
        connector(dsn),
        settings={"application_name": application_name[:63]},
        patience=patience,
        pause=pause,
        translate=_translate,
    )


def _translate(failure: SessionFailure) -> BaseException | None:
    error = failure.error
    translated = from_sqlstate(error.sqlstate, _message(error))
    if translated is None and failure.transient:
        translated = Unavailable(f"the database could not be reached: {error}")
    if translated is not None:
        translated.__cause__ = error
    return translated


def _message(error: psycopg.Error) -> str:
    """The server's message with its hint, without psycopg's context lines."""
    parts: Sequence[str | None] = (error.diag.message_primary, error.diag.message_hint)
    return "; ".join(part for part in parts if part) or str(error)
