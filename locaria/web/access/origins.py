"""Checks of the headers `Origin` and `Host`.

The server and the Lambda function `websocket_api` share this module.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def is_own_or_allowed(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Return whether a web page of `origin` may use this server.

    Args:
        origin: The header `Origin`. None: the client is not a browser.
        host: The header `Host`, the name under which the client knows this server.
        allowed: Other origins that may, such as `https://maps.example.org`.
    """
    if origin is None:
        return True
    if origin.lower().rstrip("/") in {each.lower().rstrip("/") for each in allowed}:
        return True
    try:
        page, own = urlsplit(origin), urlsplit(f"//{host}")
        default_port = _PORTS.get(page.scheme)
        return (
            default_port is not None
            and page.hostname is not None
            and (page.hostname, page.port or default_port)
            == (own.hostname, own.port or default_port)
        )
    except ValueError:
        return False


def is_known_host(host: str, known: Collection[str]) -> bool:
    """Return whether the header `Host` is a known name, with any port (against DNS rebinding)."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name in known
