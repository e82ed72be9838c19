"""How the server is configured: environment for what is secret, arguments for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from locaria.web.messages import MAX_MESSAGE

DEFAULT_PORT = 8787
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SettingsError(Exception):
    """The server can't be started like this; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one server.

    Parameters
        dsn      of a login that is a member of locaria_reader, locaria_app and locaria_operator.
        host     the interface to listen on.
        limit    bytes of a request.
    """

    dsn: str
    host: str = "127.0.0.1"
    limit: int = MAX_MESSAGE
    connections: int = 8


def read_settings(dsn: str, host: str, environment: Mapping[str, str]) -> Settings:
    """The settings from arguments and environment variables.

    Raises SettingsError.
    """
    del environment
    return Settings(dsn=dsn, host=host)
