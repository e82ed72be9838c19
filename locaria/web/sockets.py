"""The listening socket of the server."""

from __future__ import annotations

import errno
import socket

DEFAULT_PORT = 8787
NEXT_PORTS = 50


def bind(host: str, port: int, *, next_free: bool = False) -> socket.socket:
    """Return a listening TCP socket.

    Args:
        host: The address or name of the interface.
        port: The port. 0: any free one.
        next_free: If the port is in use, try the next ones, and then any free one.

    Raises:
        OSError: The port is in use, or the interface does not exist.
    """
    last = min(port + NEXT_PORTS, 65_535) if next_free and port else port
    for each in range(port, last + 1):
        try:
            return _bound(host, each)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not next_free:
                raise
    return _bound(host, 0)


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(1024)
    except OSError:
        made.close()
        raise
    return made


def url_of(listening: socket.socket, scheme: str = "http") -> str:
    """Return the URL under which clients on this machine reach the socket."""
    host, port = listening.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared only
    return f"{scheme}://{f'[{name}]' if ':' in name and '[' not in name else name}:{port}"
