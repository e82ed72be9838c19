"""The database behind `taskEvents`: one session, two SQL functions, no secret in any message."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from database_settings import DatabaseSettings, DatabaseUnavailable

from locaria_reporter.session import Session, SessionFailure


class EventRefused(Exception):  # noqa: N818 - a result, not an error of this function
    """The event has an unknown shape, or the SQL function raised. The message says which."""


class EventDatabase:
    """Keeps one session for as long as the sandbox lives; repeats a statement once."""

    def __init__(self) -> None:
        self._settings = DatabaseSettings("task_events")
        self._function = ""
        self.session = Session(
            self._settings.connect,
            tries=2,
            pause=lambda _: None,
            retry_if=_is_worth_another_connection,
            translate=self._translate,
        )

    def record(self, event: object) -> None:
        """Call `locaria.record_task_event` with one event, in a transaction of its own.

        Raises:
            EventRefused: the SQL function raised.
            DatabaseUnavailable: no connection, or the database failed twice.
        """
        self._function = "record_task_event"
        text = json.dumps(_storable(event))
        self.session.value("select locaria.record_task_event(%s::jsonb)", text)

    def tick(self) -> dict[str, Any]:
        """Call `locaria.tick()` and return what it did.

        Raises:
            EventRefused: the SQL function raised.
            DatabaseUnavailable: no connection, or the database failed twice.
        """
        self._function = "tick"
        done: dict[str, Any] = self.session.value("select locaria.tick()")
        return done

    def close(self) -> None:
        """Close the connection; the next event opens another."""
        self.session.close()

    def _translate(self, failure: SessionFailure) -> Exception:
        message = self._settings.masked(failure.error)
        if failure.transient:
            return DatabaseUnavailable(f"the database failed twice: {message}")
        return EventRefused(f"{self._function} refused: {message}")


def _is_worth_another_connection(error: psycopg.Error, _: object) -> bool:
    """Whether the error is broken, closed, overloaded, or of the old primary of a failover."""
    kinds = (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.ReadOnlySqlTransaction,
    )
    return isinstance(error, kinds)


def _storable(value: object) -> object:
    """Replace what `jsonb` refuses in strings: NUL and halves of surrogate pairs.

    An event must not be lost because a program printed a zero byte before it died.
    """
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(each) for name, each in value.items()}
    return value
