"""How the server is configured: arguments, and the environment for the rest."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from locaria.web.access.jwt_tokens import JwtSettings, JwtSettingsError, read_jwt_settings
from locaria.web.messages import MAX_MESSAGE


class SettingsError(Exception):
    """The server can't be started like this; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one server.

    Parameters
        dsn          of a login that is a member of locaria_reader, locaria_app, locaria_operator
                     and locaria_web.
        host         the interface to listen on.
        tokens       file of bearer tokens; see `TokenFile`.
        jwt          an identity provider.
        origins      other origins whose pages may connect.
        hosts        names of this server in the header Host; none: any, where identity is proven.
        limit        bytes of a request.
        connections  to the database, at most.

    Raises SettingsError when others could reach it without proving who they are.
    """

    dsn: str
    host: str = "127.0.0.1"
    tokens: Path | None = None
    jwt: JwtSettings | None = None
    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    limit: int = MAX_MESSAGE
    connections: int = 8

    def __post_init__(self) -> None:
        if self.is_open and not _is_loopback(self.host):
            raise SettingsError(
                f"{self.host} can be reached by others, who would need no identity: set "
                "LOCARIA_WEB_TOKENS to a file of tokens, or LOCARIA_JWKS_URL, LOCARIA_JWT_ISSUER "
                "and LOCARIA_JWT_AUDIENCE to an identity provider; or listen on 127.0.0.1"
            )

    @property
    def is_open(self) -> bool:
        """Whether everybody on this machine is an operator."""
        return self.tokens is None and self.jwt is None


def read_settings(dsn: str, host: str, environment: Mapping[str, str]) -> Settings:
    """The settings from arguments and environment variables.

    Raises SettingsError.
    """
    tokens = environment.get("LOCARIA_WEB_TOKENS")
    limit = environment.get("LOCARIA_WEB_MAX_MESSAGE", str(MAX_MESSAGE))
    if not limit.isdecimal() or not 1024 <= int(limit) <= 16_000_000:
        raise SettingsError("LOCARIA_WEB_MAX_MESSAGE must be from 1024 to 16000000 (bytes)")
    try:
        return Settings(
            dsn=dsn,
            host=host,
            tokens=Path(tokens) if tokens else None,
            jwt=read_jwt_settings(environment),
            origins=_words(environment.get("LOCARIA_WEB_ORIGINS", "")),
            hosts=_words(environment.get("LOCARIA_WEB_HOSTS", "")),
            limit=int(limit),
        )
    except JwtSettingsError as error:
        raise SettingsError(str(error)) from None


def _words(text: str) -> frozenset[str]:
    return frozenset(each.strip() for each in text.split(",") if each.strip())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
