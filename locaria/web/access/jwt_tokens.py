"""Bearer tokens of an identity provider: JSON Web Tokens, checked against its published keys.

Shared by the server and by the Lambda function `websocket_api` (API Gateway has no JWT authorizer
for WebSockets).
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
"""What may be allowed: signatures by a key that only the provider has."""
LEEWAY_S = 30
_FRESH_S, _STALE_S = 3600.0, 24 * 3600.0
_AGAIN_S = 30.0
_MAX_BYTES = 256 * 1024


class JwtSettingsError(Exception):
    """The settings of an identity provider are wrong; the message says which."""


@dataclass(frozen=True, kw_only=True)
class JwtSettings:
    """Which tokens are accepted.

    Parameters
        jwks_url    where the provider publishes its keys; https, unless on this machine.
        issuer      `iss` of its tokens.
        audience    one of `aud`; or `client_id` where there is no `aud` (access tokens of Cognito).
        algorithms  of the signatures.
        role_claim  the claim that names the role: a word, words, or a list (`cognito:groups`).
        roles       what its values mean, {"gis-admins": "operator"}; the roles' own names, too.
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
            raise JwtSettingsError("LOCARIA_JWKS_URL must begin with https://")
        if not set(self.algorithms) <= ALGORITHMS or not self.algorithms:
            raise JwtSettingsError(f"LOCARIA_JWT_ALGORITHMS: choose of {', '.join(ALGORITHMS)}")
        if not set(self.roles.values()) <= set(DATABASE_ROLES):
            raise JwtSettingsError(f"LOCARIA_JWT_ROLES: roles are {', '.join(DATABASE_ROLES)}")


def read_jwt_settings(environment: Mapping[str, str]) -> JwtSettings | None:
    """The settings from LOCARIA_JWKS_URL and LOCARIA_JWT_…; None when there is no provider.

    Raises JwtSettingsError.
    """
    given = {name: environment.get(f"LOCARIA_{name}", "").strip() for name in _VARIABLES}
    if not given["JWKS_URL"]:
        return None
    if not given["JWT_ISSUER"] or not given["JWT_AUDIENCE"]:
        raise JwtSettingsError(
            "LOCARIA_JWKS_URL needs LOCARIA_JWT_ISSUER and LOCARIA_JWT_AUDIENCE beside it: "
            "without them any token of that provider would do"
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
    """Checks tokens; may fetch keys, so it may take some seconds."""

    def __init__(self, settings: JwtSettings) -> None:
        self._settings = settings
        self._keys = KeySet(settings.jwks_url)

    def verify(self, token: str) -> Identity:
        """Whose token this is.

        Raises:
            RefusedError: it is not valid (401), names no role (403), or its key can't be looked up
                just now (503).
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
        """The greatest role that the claim names."""
        value = claims.get(self._settings.role_claim)
        names = value if isinstance(value, list) else str(value or "").split()
        roles = [self._settings.roles.get(str(name), str(name)) for name in names]
        for role in reversed(DATABASE_ROLES):
            if role in roles:
                return role
        raise RefusedError(
            403, f"the token names none of our roles in its claim {self._settings.role_claim}"
        )


class KeySet:
    """The provider's keys, kept for an hour; fetched again for a key that is not among them.

    While the provider does not answer, the keys known so far are good for a day.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = self._tried = float("-inf")

    def find(self, kid: str | None) -> jwt.PyJWK:
        """The key of this id; without an id, the only key.

        Raises:
            RefusedError: unknown (401), or it can't be looked up now (503).
        """
        with self._lock:
            now = time.monotonic()
            key = self._pick(kid)
            if (key is None or now - self._fetched > _FRESH_S) and now - self._tried > _AGAIN_S:
                self._fetch(now)
                key = self._pick(kid)
            if now - self._fetched > _STALE_S:
                raise RefusedError(503, "the keys of the identity provider can't be fetched")
        if key is None:
            raise RefusedError(401, "the token is not valid: unknown key")
        return key

    def _pick(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _fetch(self, now: float) -> None:
        self._tried = now
        asking = urllib.request.Request(self._url, headers={"Accept": "application/json"})  # noqa: S310 - checked
        try:
            with urllib.request.urlopen(asking, timeout=5) as answer:  # noqa: S310 - checked above
                entries = json.loads(answer.read(_MAX_BYTES))["keys"]
            self._keys = {
                entry.get("kid"): jwt.PyJWK.from_dict(entry) for entry in entries if _signs(entry)
            }
            self._fetched = now
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            log.error("can't fetch the keys of the identity provider: %s", error)


def _signs(entry: dict[str, Any]) -> bool:
    """Whether this is a public key for signatures, of a kind that we may allow."""
    return entry.get("kty") in ("RSA", "EC", "OKP") and entry.get("use", "sig") == "sig"
