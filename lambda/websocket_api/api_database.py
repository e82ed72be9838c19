"""`locaria.api` and the connections of API Gateway, as the Lambda function calls them."""

from __future__ import annotations

import select
from typing import Any

import psycopg
from event_database import DatabaseUnavailable, EventDatabase

from locaria.web.access.identity import Identity
from locaria.web.messages import RefusedError

_BECOME = """
select set_config('role', %s, true), set_config('statement_timeout', '20s', true),
  set_config('jit', 'off', true)
"""
_CALL = "select locaria.api(%s::jsonb, %s::jsonb)::text"
_WEB = "locaria_web"


class ApiDatabase:
    """One connection for as long as the sandbox lives; each call is a transaction under a role."""

    def __init__(self) -> None:
        self._database = EventDatabase("websocket_api")

    def call(self, request: str, identity: Identity) -> str:
        """The reply to a request, JSON as text.

        Raises:
            RefusedError: the database can't be reached or took too long (503), or can't read
                the text (400).
        """
        return str(self._value(identity.database_role, _CALL, [request, identity.json]))

    def redeem(self, ticket: str) -> dict[str, Any] | None:
        """The identity behind a ticket, once. Raises RefusedError, as the following."""
        return self._identity("select locaria.redeem_ticket(%s)", [ticket.replace("\0", "")])

    def open(self, connection: str, endpoint: str, identity: str) -> None:
        """Remember who opened a connection; `identity` is JSON with the key expires."""
        query = "select locaria.open_connection(%s, %s, %s::jsonb)"
        self._value(_WEB, query, [connection, endpoint, identity])

    def find(self, connection: str) -> dict[str, Any] | None:
        """Who opened a connection, with the key expired; None when it is unknown."""
        return self._identity("select locaria.find_connection(%s)", [connection])

    def close(self, connection: str) -> None:
        """Forget a connection."""
        self._value(_WEB, "select locaria.close_connection(%s)", [connection])

    def _identity(self, query: str, values: list[str]) -> dict[str, Any] | None:
        found = self._value(_WEB, query, values)
        assert found is None or isinstance(found, dict)
        return found

    def _value(self, role: str, query: str, values: list[str]) -> object:
        try:
            connection = self._connected()
            with connection.pipeline(), connection.transaction():
                connection.execute(_BECOME, [role])
                cursor = connection.execute(query.encode(), values)
            row = cursor.fetchone()
        except DatabaseUnavailable:
            raise RefusedError(503, "the database can't be reached") from None
        except psycopg.Error as error:
            raise _refused(error) from None
        assert row is not None
        return row[0]

    def _connected(self) -> psycopg.Connection:
        """The connection; another one when the server has closed it while the sandbox slept.

        Found out without a round trip, and before anything is sent: a request is never repeated.
        """
        connection = self._database.connected()
        poll = select.poll()
        poll.register(connection.pgconn.socket, select.POLLIN)
        try:
            while poll.poll(0):
                connection.pgconn.consume_input()
        except psycopg.OperationalError:
            self._database.close()
            connection = self._database.connected()
        return connection


def _refused(error: psycopg.Error) -> RefusedError:
    state = error.sqlstate or ""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return RefusedError(503, "the database took too long; try again later, or ask for less")
    if state in ("22P02", "22P05", "54001", "54000", "22003"):
        return RefusedError(400, f"the database can't read this: {error.diag.message_primary}")
    if isinstance(error, psycopg.OperationalError):
        return RefusedError(503, "the connection to the database broke; it may have been done")
    return RefusedError(500, f"the database failed (SQLSTATE {state or 'unknown'})")
