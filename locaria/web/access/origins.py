"""Which page's script may use a browser's connection, and under which name we are called.

Shared by the server and by the Lambda function `websocket_api`.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def is_own_or_allowed(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Whether a request may come from a page of `origin`.

    Parameters
        origin   header Origin; None from anything that is no browser.
        host     header Host: our name as the client knows it.
        allowed  other origins, as `https://maps.example.org`.
    """
    if origin is None:
        return True
    if origin.lower().rstrip("/") in {each.lower().rstrip("/") for each in allowed}:
        return True
    try:
        page, ours = urlsplit(origin), urlsplit(f"//{host}")
        usual = _PORTS.get(page.scheme)
        return (
            usual is not None
            and page.hostname is not None
            and (page.hostname, page.port or usual) == (ours.hostname, ours.port or usual)
        )
    except ValueError:
        return False


def is_known_host(host: str, known: Collection[str]) -> bool:
    """Whether the header Host names us, whatever the port; else DNS was rebound to reach us."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name in known
