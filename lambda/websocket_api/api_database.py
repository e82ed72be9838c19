"""The SQL functions that `websocketApi` calls: `locaria.api` and those about connections."""

from __future__ import annotations

from typing import Any

import psycopg
from database_settings import DatabaseSettings, DatabaseUnavailable

from locaria.web.access.identity import Identity
from locaria.web.messages import RefusedError
from locaria_reporter.session import Connection, Session, SessionFailure

_BECOME = """
select set_config('role', %s, true), set_config('statement_timeout', '20s', true),
  set_config('jit', 'off', true)
"""
_CALL = "select locaria.api(%s::jsonb, %s::jsonb)::text"
_WEB = "locaria_web"


class ApiDatabase:
    """Keeps one session while the sandbox lives; each call is a transaction under a role."""

    def __init__(self) -> None:
        # A request is never repeated; that the server closed the connection while the sandbox
        # slept is noticed before anything is sent.
        settings = DatabaseSettings("websocket_api")
        self.session = Session(settings.connect, patience=0, checks_idle=True, translate=_refused)

    def call(self, request: str, identity: Identity) -> str:
        """Return the reply to a request, JSON as text.

        Raises:
            RefusedError: the database can't be reached or took too long (503), or can't read
                the text (400).
        """
        return str(self._value(identity.database_role, _CALL, [request, identity.json]))

    def redeem(self, ticket: str) -> dict[str, Any] | None:
        """Return the identity behind a ticket, which is used up by this."""
        return self._identity("select locaria.redeem_ticket(%s)", [ticket.replace("\0", "")])

    def open(self, connection: str, endpoint: str, identity: str) -> None:
        """Record whose a new connection is; `identity` is JSON with the key expires."""
        query = "select locaria.open_connection(%s, %s, %s::jsonb)"
        self._value(_WEB, query, [connection, endpoint, identity])

    def find(self, connection: str) -> dict[str, Any] | None:
        """Return a connection's identity with the key expired, or None if it is unknown."""
        return self._identity("select locaria.find_connection(%s)", [connection])

    def close(self, connection: str) -> None:
        """Forget a connection."""
        self._value(_WEB, "select locaria.close_connection(%s)", [connection])

    def _identity(self, query: str, values: list[str]) -> dict[str, Any] | None:
        found = self._value(_WEB, query, values)
        assert found is None or isinstance(found, dict)
        return found

    def _value(self, role: str, query: str, values: list[str]) -> object:
        def work(connection: Connection) -> object:
            with connection.pipeline(), connection.transaction():
                connection.execute(_BECOME, [role])
                cursor = connection.execute(query.encode(), values)
            row = cursor.fetchone()
            assert row is not None
            return next(iter(row.values()))

        try:
            return self.session.attempt(work)
        except DatabaseUnavailable:
            raise RefusedError(503, "the database can't be reached") from None


def _refused(failure: SessionFailure) -> RefusedError:
    error = failure.error
    state = error.sqlstate or ""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return RefusedError(503, "the database took too long; try again later, or ask for less")
    if state in ("22P02", "22P05", "54001", "54000", "22003"):
        return RefusedError(400, f"the database can't read this: {error.diag.message_primary}")
    if isinstance(error, psycopg.OperationalError):
        return RefusedError(503, "the connection to the database broke; it may have been done")
    return RefusedError(500, f"the database failed (SQLSTATE {state or 'unknown'})")
