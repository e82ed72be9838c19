"""A few connections to the database for any number of clients."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from locaria.web.access.identity import Identity
from locaria.web.messages import RefusedError
from locaria_reporter.session import check_idle

log = logging.getLogger(__name__)

# `role` for this transaction alone: a connection never keeps a client's rights.
_BECOME = """
select set_config('role', %s, true), set_config('statement_timeout', %s, true),
  set_config('jit', 'off', true)
"""
_CALL = """
select reply::text, case when jsonb_typeof(reply) = 'object' then reply ->> 'code' end
from locaria.api(%s::jsonb, %s::jsonb) as reply
"""

_Connection = psycopg.AsyncConnection[TupleRow]


@dataclass(frozen=True, slots=True)
class Reply:
    """The database's reply: JSON as text, and its code, if it has one."""

    text: str
    code: int | None


class ApiDatabase:
    """Calls `locaria.api` and reads, each in a transaction under the client's role.

    The connections are those of psycopg's pool, which reconnects by itself: a request is never
    repeated, so nothing of the shared session applies but its check of idle connections.

    Args:
        dsn: of a login that is a member of the roles of clients.
        connections: the maximum; each is opened when it is needed.
        wait_s: seconds that a request waits for a connection.
        timeout_s: seconds that one statement may take.
    """

    def __init__(
        self, dsn: str, *, connections: int = 8, wait_s: float = 5.0, timeout_s: float = 10.0
    ) -> None:
        self.dsn = dsn
        self._timeout = f"{int(timeout_s * 1000)}ms"
        self._pool: AsyncConnectionPool[_Connection] = AsyncConnectionPool(
            dsn,
            kwargs={"autocommit": True, "application_name": "locaria web", "connect_timeout": 5},
            min_size=1,
            max_size=connections,
            timeout=wait_s,
            reconnect_timeout=float("inf"),
            max_waiting=1000,
            check=_check,
            open=False,
            name="locaria web",
        )

    async def open(self) -> None:
        """Start to connect, without waiting for the server."""
        await self._pool.open()

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close(timeout=5)

    async def call(self, request: str, identity: Identity) -> Reply:
        """Pass a request to the database and return its reply.

        Raises:
            RefusedError: the database can't be reached (503), takes too long (503), or refuses the
                text (400).
        """
        row = (await self.rows(identity.database_role, _CALL, [request, identity.json]))[0]
        code = row[1]
        return Reply(row[0], int(code) if code is not None and code.isdecimal() else None)

    async def rows(self, role: str, query: str, values: Sequence[Any] = ()) -> list[TupleRow]:
        """Execute one statement under a group role, in one round trip and its own transaction.

        Raises:
            RefusedError: as `call`.
        """
        try:
            async with self._pool.connection() as connection:
                try:
                    # Not connection.transaction(), which within a pipeline waits at each end.
                    async with connection.pipeline():
                        await connection.execute("begin")
                        await connection.execute(_BECOME, [role, self._timeout])
                        cursor = await connection.execute(query.encode(), values)
                        await connection.execute("commit")
                    return await cursor.fetchall()
                except psycopg.Error:
                    if not connection.closed:
                        await connection.rollback()
                    raise
        except (PoolTimeout, TooManyRequests):
            raise _unavailable("no connection to the database") from None
        except psycopg.Error as error:
            raise _refused(error) from None


async def _check(connection: _Connection) -> None:
    """Have the pool replace a connection that the server has closed."""
    check_idle(connection)


def _refused(error: psycopg.Error) -> RefusedError:
    """The client's view of an error that `locaria.api` did not turn into a reply itself."""
    state = error.sqlstate or ""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return _unavailable("the database took too long; try again later, or ask for less")
    if state in ("22P02", "22P05", "54001", "54000", "22003"):
        # jsonb: a zero byte, half a surrogate pair, a number too large, nested too deep
        return RefusedError(400, f"the database can't read this: {error.diag.message_primary}")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return RefusedError(403, str(error.diag.message_primary))
    lost = not state or state.startswith(("08", "53", "57P"))
    if lost and isinstance(error, psycopg.OperationalError):
        log.warning("lost the database: %s", error.diag.message_primary or "connection closed")
        return _unavailable("the connection to the database broke; the request may have been done")
    log.error("the database failed with %s: %s", state, error.diag.message_primary)
    return RefusedError(500, f"the database failed (SQLSTATE {state or 'unknown'})")


def _unavailable(message: str) -> RefusedError:
    return RefusedError(503, message)
