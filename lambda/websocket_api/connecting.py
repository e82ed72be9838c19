"""Identify who opens a connection: by an authorizer, a bearer token or a ticket."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from api_database import ApiDatabase

from locaria.web.access.identity import DATABASE_ROLES, Identity
from locaria.web.access.jwt_tokens import JwtVerifier, read_jwt_settings
from locaria.web.access.origins import is_own_or_allowed
from locaria.web.messages import RefusedError

Event = Mapping[str, Any]


class Doorkeeper:
    """Decides at `$connect` whether a connection is accepted, and whose it is."""

    def __init__(self, database: ApiDatabase) -> None:
        self._database = database
        settings = read_jwt_settings(os.environ)
        self._jwt = JwtVerifier(settings) if settings is not None else None
        allowed = os.environ.get("LOCARIA_WEB_ORIGINS", "")
        self._origins = [each.strip() for each in allowed.split(",") if each.strip()]

    def identify(self, event: Event) -> Identity:
        """Return the identity of the client that connects.

        Raises:
            RefusedError: no valid credentials (401), a page of an origin that is not allowed
                (403), or no database (503).
        """
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        if not is_own_or_allowed(headers.get("origin"), headers.get("host", ""), self._origins):
            raise RefusedError(403, "pages of another origin may not use this server")
        known = event["requestContext"].get("authorizer") or {}
        if "role" in known:
            return _identity(known)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            if self._jwt is None:
                raise RefusedError(
                    401, "bearer tokens are not accepted: LOCARIA_JWKS_URL is not set"
                )
            return self._jwt.verify(token.strip())
        ticket = (event.get("queryStringParameters") or {}).get("ticket")
        found = self._database.redeem(ticket) if ticket else None
        if found is None:
            raise RefusedError(
                401, "not authenticated: send a bearer token, or a ticket that is still valid"
            )
        return _identity(found)


def _identity(known: Mapping[str, Any]) -> Identity:
    """The identity in an authorizer's context or a ticket. An authorizer gives numbers as text."""
    if known["role"] not in DATABASE_ROLES:
        raise RefusedError(403, f"the authorizer's role {known['role']!r} is not a role of Locaria")
    expires = known.get("expires")
    identity = Identity(
        str(known["role"]),
        str(known.get("subject") or known.get("principalId") or "unnamed"),
        float(expires) if expires not in (None, "") else None,
    )
    if identity.is_expired:
        raise RefusedError(401, "the token has expired")
    return identity


def as_json(identity: Identity) -> str:
    """Return the identity as `open_connection` takes it."""
    return json.dumps(
        {"role": identity.role, "subject": identity.subject, "expires": identity.expires}
    )
