"""Who comes in: by the interface, the page, the token or the ticket."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping

from starlette.requests import HTTPConnection

from locaria.web.access.identity import LOCAL, Identity
from locaria.web.access.jwt_tokens import JwtVerifier
from locaria.web.access.origins import LOOPBACK, is_known_host, is_own_or_allowed
from locaria.web.access.tokens import TokenFile
from locaria.web.database import ApiDatabase
from locaria.web.messages import RefusedError
from locaria.web.settings import Settings

log = logging.getLogger(__name__)

TICKET_S = 30
_ISSUE = "select locaria.issue_ticket(%s::jsonb, make_interval(secs => %s))"
_REDEEM = "select locaria.redeem_ticket(%s)"
_ROLE = "locaria_web"


class Gate:
    """Lets clients in, or refuses them and writes that down, never a token.

    Parameters
        settings  which identities there are; none: this machine is trusted.
        database  keeps the tickets, so that any server may redeem them.
    """

    def __init__(self, settings: Settings, database: ApiDatabase) -> None:
        self._settings = settings
        self._database = database
        self._tokens = TokenFile(settings.tokens) if settings.tokens is not None else None
        self._jwt = JwtVerifier(settings.jwt) if settings.jwt is not None else None

    async def identify(self, asking: HTTPConnection, *, ticket: bool = False) -> Identity:
        """Who asks.

        Parameters
            asking  the request, or the opening of a WebSocket.
            ticket  whether a ticket in the query will do.

        Raises:
            RefusedError: nobody known (401), or not from there (403).
        """
        try:
            self.check_place(asking.headers)
            return await self._identify(asking, ticket)
        except RefusedError as refusal:
            address = asking.client.host if asking.client else "unknown"
            log.warning("refused %s to %s: %s", asking.url.path, address, refusal)
            raise

    def check_place(self, headers: Mapping[str, str]) -> None:
        """Refuse what comes by a name that is not ours, or from a page that is not ours (403)."""
        host = headers.get("host", "")
        if self._settings.is_open:
            if not is_known_host(host, LOOPBACK | self._settings.hosts):
                raise RefusedError(403, "this server is for this machine: use http://127.0.0.1")
            if "x-forwarded-for" in headers or "forwarded" in headers:
                raise RefusedError(403, "identity must be configured behind a proxy")
        elif self._settings.hosts and not is_known_host(host, LOOPBACK | self._settings.hosts):
            raise RefusedError(403, "this server is not known by that name")
        if not is_own_or_allowed(headers.get("origin"), host, self._settings.origins):
            raise RefusedError(403, "pages of another origin may not use this server")

    async def issue(self, identity: Identity) -> str:
        """A ticket with which a browser opens one WebSocket within `TICKET_S` seconds."""
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

    async def _identify(self, asking: HTTPConnection, ticket: bool) -> Identity:
        if self._settings.is_open:
            return LOCAL
        scheme, _, token = asking.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return await self._verify(token.strip())
        given = asking.query_params.get("ticket") if ticket else None
        if given:
            return await self._redeem(given)
        raise RefusedError(401, "a bearer token is needed, or for a browser's WebSocket a ticket")

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
            raise RefusedError(401, "the ticket is unknown, used or too old")
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
        """Whether somebody who was let in would be let in again: False when it was revoked."""
        return self._tokens is None or self._tokens.knows(identity)
