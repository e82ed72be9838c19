"""Authentication of clients: by host name, origin, bearer token or ticket."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping

from starlette.requests import HTTPConnection

from locaria.web.access.identity import LOCAL, Identity
from locaria.web.access.jwt_tokens import JwtVerifier
from locaria.web.access.origins import LOOPBACK, is_known_host, is_own_or_allowed
from locaria.web.access.token_file import TokenFile
from locaria.web.database import ApiDatabase
from locaria.web.messages import RefusedError
from locaria.web.settings import Settings

log = logging.getLogger(__name__)

TICKET_S = 30
_ISSUE = "select locaria.issue_ticket(%s::jsonb, make_interval(secs => %s))"
_REDEEM = "select locaria.redeem_ticket(%s)"
_ROLE = "locaria_web"


class Gate:
    """Authenticates clients and logs refusals, but never a token.

    Args:
        settings: The identity settings. Without any, everyone on this machine is trusted.
        database: Stores the tickets, so that any server can redeem them.
    """

    def __init__(self, settings: Settings, database: ApiDatabase) -> None:
        self._settings = settings
        self._database = database
        self._tokens = TokenFile(settings.tokens) if settings.tokens is not None else None
        self._jwt = JwtVerifier(settings.jwt) if settings.jwt is not None else None

    async def identify(self, connection: HTTPConnection, *, ticket: bool = False) -> Identity:
        """Return the identity of a client.

        Args:
            connection: An HTTP request or a WebSocket handshake.
            ticket: Whether a ticket in the query string is accepted.

        Raises:
            RefusedError: The client is unknown (401), or its host or origin is not allowed (403).
        """
        try:
            self.check_origin(connection.headers)
            return await self._identify(connection, ticket)
        except RefusedError as refusal:
            address = connection.client.host if connection.client else "unknown"
            log.warning("refused %s to %s: %s", connection.url.path, address, refusal)
            raise

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Refuse a request with a foreign `Host` header or from a foreign web page.

        Raises:
            RefusedError: The host or the origin is not allowed (403).
        """
        host = headers.get("host", "")
        if self._settings.is_open:
            if not is_known_host(host, LOOPBACK | self._settings.hosts):
                raise RefusedError(
                    403, "this server accepts local connections only: use http://127.0.0.1"
                )
            if "x-forwarded-for" in headers or "forwarded" in headers:
                raise RefusedError(403, "configure identity to use this server behind a proxy")
        elif self._settings.hosts and not is_known_host(host, LOOPBACK | self._settings.hosts):
            raise RefusedError(
                403, f"unknown host {host!r}: add it to LOCARIA_WEB_HOSTS to allow it"
            )
        if not is_own_or_allowed(headers.get("origin"), host, self._settings.origins):
            raise RefusedError(403, "web pages of another origin may not use this server")

    async def issue(self, identity: Identity) -> str:
        """Issue a ticket that opens one WebSocket within `TICKET_S` seconds."""
        body = json.dumps(
            {
                "role": identity.role,
                "subject": identity.subject,
                "expires": identity.expires,
                "entry": identity.entry,
            }
        )
        rows = await self._database.rows(_ROLE, _ISSUE, [body, TICKET_S])
        return str(rows[0][0])

    async def _identify(self, connection: HTTPConnection, ticket: bool) -> Identity:
        if self._settings.is_open:
            return LOCAL
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return await self._verify(token.strip())
        given = connection.query_params.get("ticket") if ticket else None
        if given:
            return await self._redeem(given)
        raise RefusedError(
            401, "send a bearer token, or a ticket to open a WebSocket from a browser"
        )

    async def _verify(self, token: str) -> Identity:
        if self._jwt is not None and token.count(".") == 2:
            return await asyncio.to_thread(self._jwt.verify, token)
        if self._tokens is not None:
            return self._tokens.verify(token)
        raise RefusedError(401, "the token is not valid")

    async def _redeem(self, ticket: str) -> Identity:
        rows = await self._database.rows(_ROLE, _REDEEM, [ticket.replace("\0", "")])
        found = rows[0][0]
        if found is None:
            raise RefusedError(401, "the ticket is unknown, already used or expired")
        identity = Identity(
            found["role"],
            found.get("subject") or "unnamed",
            found.get("expires"),
            found.get("entry"),
        )
        if identity.is_expired or not self.knows(identity):
            raise RefusedError(401, "the token has expired or was revoked")
        return identity

    def knows(self, identity: Identity) -> bool:
        """Return whether the token of a connected client is still valid, that is, not revoked."""
        return self._tokens is None or self._tokens.knows(identity)
