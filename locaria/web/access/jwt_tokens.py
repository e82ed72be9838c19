"""Verification of JSON Web Tokens against the published keys of an identity provider.

The server and the Lambda function `websocket_api` share this module (API Gateway has no JWT
authorizer for WebSockets).
"""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from locaria.web.access.identity import DATABASE_ROLES, Identity
from locaria.web.messages import RefusedError

log = logging.getLogger(__name__)

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"})
"""The algorithms that a site may allow: all are asymmetric."""
LEEWAY_S = 30
_FRESH_S, _STALE_S = 3600.0, 24 * 3600.0
_RETRY_S = 30.0
_MAX_BYTES = 256 * 1024


class JwtSettingsError(Exception):
    """A setting of the identity provider is invalid; the message names it."""


@dataclass(frozen=True, kw_only=True)
class JwtSettings:
    """The tokens that are accepted.

    Args:
        jwks_url: Where the provider publishes its keys: an https URL, except on this machine.
        issuer: The required `iss` claim.
        audience: The required `aud` claim; `client_id` if `aud` is absent (Cognito access tokens).
        algorithms: The accepted signature algorithms.
        role_claim: The claim that names the role: a word, several words, or a list
            (`cognito:groups`).
        roles: Maps claim values to roles, as in `{"gis-admins": "operator"}`. The names of the
            roles themselves are always accepted.
    """

    jwks_url: str
    issuer: str
    audience: str
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    role_claim: str = "locaria_role"
    roles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.jwks_url)
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise JwtSettingsError(f"LOCARIA_JWKS_URL: {self.jwks_url} must start with https://")
        if not set(self.algorithms) <= ALGORITHMS or not self.algorithms:
            raise JwtSettingsError(
                f"LOCARIA_JWT_ALGORITHMS: {','.join(self.algorithms)} is not supported: use "
                f"{', '.join(sorted(ALGORITHMS))}"
            )
        if not set(self.roles.values()) <= set(DATABASE_ROLES):
            unknown = ", ".join(sorted(set(self.roles.values()) - set(DATABASE_ROLES)))
            raise JwtSettingsError(
                f"LOCARIA_JWT_ROLES: unknown role {unknown}: use {', '.join(DATABASE_ROLES)}"
            )


def read_jwt_settings(environment: Mapping[str, str]) -> JwtSettings | None:
    """Read the settings from `LOCARIA_JWKS_URL` and `LOCARIA_JWT_…`.

    Returns:
        The settings; None if no identity provider is configured.

    Raises:
        JwtSettingsError: A setting is missing or invalid.
    """
    given = {name: environment.get(f"LOCARIA_{name}", "").strip() for name in _VARIABLES}
    if not given["JWKS_URL"]:
        return None
    if not given["JWT_ISSUER"] or not given["JWT_AUDIENCE"]:
        raise JwtSettingsError(
            "LOCARIA_JWKS_URL is set, but LOCARIA_JWT_ISSUER or LOCARIA_JWT_AUDIENCE is not: set "
            "both, because without them every token of that provider would be accepted"
        )
    pairs = [each.partition("=") for each in given["JWT_ROLES"].split(",") if each.strip()]
    defaults = JwtSettings(jwks_url="https://localhost", issuer="", audience="")
    algorithms = tuple(x.strip() for x in given["JWT_ALGORITHMS"].split(",") if x.strip())
    return JwtSettings(
        jwks_url=given["JWKS_URL"],
        issuer=given["JWT_ISSUER"],
        audience=given["JWT_AUDIENCE"],
        algorithms=algorithms or defaults.algorithms,
        role_claim=given["JWT_ROLE_CLAIM"] or defaults.role_claim,
        roles={name.strip(): role.strip() for name, _, role in pairs},
    )


_VARIABLES = (
    "JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE", "JWT_ALGORITHMS", "JWT_ROLE_CLAIM", "JWT_ROLES"
)  # fmt: skip


class JwtVerifier:
    """Verifies tokens. It may have to fetch keys, which can take seconds."""

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._keys = KeySet(settings.jwks_url)

    def verify(self, token: str) -> Identity:
        """Return the identity that a token stands for.

        Raises:
            RefusedError: The token is not valid (401) or names no role (403), or its key can't be
                fetched at the moment (503).
        """
        settings = self._settings
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            claims = jwt.decode(
                token,
                self._keys.find(kid),
                algorithms=list(settings.algorithms),
                issuer=settings.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "sub"], "verify_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise RefusedError(401, f"the token is not valid: {type(error).__name__}") from None
        self._check_audience(claims)
        return Identity(self._role(claims), str(claims["sub"])[:200], float(claims["exp"]))

    def _check_audience(self, claims: dict[str, Any]) -> None:
        given = claims.get("aud", claims.get("client_id"))
        if self._settings.audience not in (given if isinstance(given, list) else [given]):
            raise RefusedError(401, "the token is not valid: InvalidAudienceError")

    def _role(self, claims: dict[str, Any]) -> str:
        """Return the most privileged role that the claim names."""
        value = claims.get(self._settings.role_claim)
        names = value if isinstance(value, list) else str(value or "").split()
        roles = [self._settings.roles.get(str(name), str(name)) for name in names]
        for role in reversed(DATABASE_ROLES):
            if role in roles:
                return role
        raise RefusedError(
            403, f"the claim {self._settings.role_claim} of the token names no role of Locaria"
        )


class KeySet:
    """The provider's keys, cached for an hour and fetched again when an unknown key is asked for.

    While the provider does not answer, the cached keys stay valid for a day.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = self._tried = float("-inf")

    def find(self, kid: str | None) -> jwt.PyJWK:
        """Return the key with this id; without an id, the only key.

        Raises:
            RefusedError: The key is unknown (401), or can't be fetched at the moment (503).
        """
        with self._lock:
            now = time.monotonic()
            key = self._pick(kid)
            if (key is None or now - self._fetched > _FRESH_S) and now - self._tried > _RETRY_S:
                self._fetch(now)
                key = self._pick(kid)
            if now - self._fetched > _STALE_S:
                raise RefusedError(
                    503, "can't fetch the keys of the identity provider: try again later"
                )
        if key is None:
            raise RefusedError(401, f"the token is not valid: unknown key {kid!r}")
        return key

    def _pick(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _fetch(self, now: float) -> None:
        self._tried = now
        request = urllib.request.Request(self._url, headers={"Accept": "application/json"})  # noqa: S310 - checked
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - checked above
                entries = json.loads(answer.read(_MAX_BYTES))["keys"]
            self._keys = {
                entry.get("kid"): jwt.PyJWK.from_dict(entry) for entry in entries if _signs(entry)
            }
            self._fetched = now
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            log.error("can't fetch the keys of the identity provider, %s: %s", self._url, error)


def _signs(entry: dict[str, Any]) -> bool:
    """Return whether this is a public key for signatures of a supported type."""
    return entry.get("kty") in ("RSA", "EC", "OKP") and entry.get("use", "sig") == "sig"
