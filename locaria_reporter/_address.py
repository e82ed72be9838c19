"""Where a listener listens: which address, which port, and what it is called from outside."""

from __future__ import annotations

import json
import logging
import os
import socket
import urllib.request

_LOG = logging.getLogger("locaria_reporter")
_LOOPBACK = "127.0.0.1"


def bind_port(port: int | None = None, host: str | None = None) -> tuple[socket.socket, str]:
    """A listening socket, and the endpoint to announce: `http://127.0.0.1:8123`.

    In a task of ECS it listens on all addresses and is called by the task's own; elsewhere on
    loopback only.

    Args:
        port: by default that of LOCARIA_PORT; if it is taken, or 0, any free one.
        host: an address to listen on instead; LOCARIA_HOST by default.
    """
    wanted = int(os.environ.get("LOCARIA_PORT") or 0) if port is None else port
    host = host or os.environ.get("LOCARIA_HOST")
    announced = host
    if host is None:
        announced = _task_address()
        host = _LOOPBACK if announced is None else "0.0.0.0"  # noqa: S104 - the task's own network
    try:
        made = _listen(host, wanted)
    except OSError as error:
        if wanted == 0:
            raise
        _LOG.warning("port %s can't be had (%s): taking a free one", wanted, error.strerror)
        made = _listen(host, 0)
    if announced is None or announced in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        announced = _LOOPBACK if announced is None else socket.gethostname()
    name = f"[{announced}]" if ":" in announced else announced
    return made, f"http://{name}:{made.getsockname()[1]}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
    except BaseException:
        made.close()
        raise
    return made


def _task_address() -> str | None:
    """The task's IPv4 address, from the metadata endpoint of ECS; None where there is none."""
    endpoint = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if not endpoint:
        return None
    try:
        with urllib.request.urlopen(f"{endpoint}/task", timeout=2) as answer:  # noqa: S310
            containers = json.load(answer).get("Containers", [])
    except (OSError, ValueError) as error:
        _LOG.warning("the task's metadata endpoint did not answer: %s", error)
        return None
    addresses = [
        address
        for container in containers
        for network in container.get("Networks") or []
        for address in network.get("IPv4Addresses") or []
    ]
    return addresses[0] if addresses else None
