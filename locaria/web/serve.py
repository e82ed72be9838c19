"""Run the application under uvicorn."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import sys

import uvicorn
from starlette.applications import Starlette

from locaria.web.app import Server, make_app
from locaria.web.settings import Settings
from locaria.web.sockets import url_of

log = logging.getLogger(__name__)

MAX_READ = 16 * 1024 * 1024
"""The largest message that is read, in bytes; a larger one closes the connection with 1009."""
PING_S = 60.0


async def serve(settings: Settings, listening: socket.socket, *, until_eof: bool = False) -> None:
    """Serve on a listening socket until SIGTERM or SIGINT.

    Args:
        settings: The settings of the server.
        listening: The socket; closed at the end.
        until_eof: Also stop when standard input ends, that is, when the parent process has ended.
    """
    _allow_many_connections()
    stop = asyncio.Event()
    if until_eof:
        await asyncio.get_running_loop().connect_read_pipe(lambda: _StopAtEof(stop), sys.stdin)
    log.info("serving on %s", url_of(listening))
    await run_server(make_app(Server(settings)), listening, stop)


async def run_server(app: Starlette, listening: socket.socket, stop: asyncio.Event) -> None:
    """Run the application on a listening socket until `stop` is set or a signal arrives."""
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=MAX_READ,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # API Gateway has none, and it costs memory per connection
        access_log=False,  # it would contain the tickets of WebSocket connections
        log_config=None,
        log_level="warning",  # so would uvicorn's info messages
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    server = uvicorn.Server(config)
    logging.getLogger("uvicorn.error").addFilter(_is_relevant)

    async def end() -> None:
        await stop.wait()
        server.should_exit = True

    ending = asyncio.create_task(end())
    await server.serve(sockets=[listening])
    ending.cancel()


def _allow_many_connections() -> None:
    """Raise the soft limit of open files, often 1,024: each connection needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _is_relevant(record: logging.LogRecord) -> bool:
    """Drop uvicorn's error about a refused connection: the reason is logged already."""
    return record.msg != "ASGI callable returned without completing handshake."


class _StopAtEof(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._stop.set()
