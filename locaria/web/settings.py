"""The settings of the server, from arguments and environment variables."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from locaria.web.access.jwt_tokens import JwtSettings, JwtSettingsError, read_jwt_settings
from locaria.web.messages import MAX_MESSAGE


class SettingsError(Exception):
    """The server can't start with these settings; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one server.

    Args:
        dsn: The DSN of a login that is a member of locaria_reader, locaria_app, locaria_operator
            and locaria_web.
        host: The interface to listen on.
        tokens: The token file; see `TokenFile`.
        jwt: The identity provider.
        origins: Other origins whose web pages may connect.
        hosts: The accepted values of the header `Host`. Empty: any, if identity is configured.
        limit: The maximum size of a request in bytes.
        connections: The maximum number of connections to the database.

    Raises:
        SettingsError: Other machines could reach the server without authentication.
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
                f"refusing to listen on {self.host} without authentication: set LOCARIA_WEB_TOKENS "
                "to a token file, or LOCARIA_JWKS_URL, LOCARIA_JWT_ISSUER and LOCARIA_JWT_AUDIENCE "
                "for an identity provider; or listen on 127.0.0.1"
            )

    @property
    def is_open(self) -> bool:
        """Whether no identity is configured, so that every local client is an operator."""
        return self.tokens is None and self.jwt is None


def read_settings(dsn: str, host: str, environment: Mapping[str, str]) -> Settings:
    """Read the settings from arguments and environment variables.

    Raises:
        SettingsError: A setting is invalid.
    """
    tokens = environment.get("LOCARIA_WEB_TOKENS")
    limit = environment.get("LOCARIA_WEB_MAX_MESSAGE", str(MAX_MESSAGE))
    if not limit.isdecimal() or not 1024 <= int(limit) <= 16_000_000:
        raise SettingsError(
            f"LOCARIA_WEB_MAX_MESSAGE is {limit!r}: it must be from 1024 to 16000000 (bytes)"
        )
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
