"""Running the application under uvicorn."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys

import uvicorn

from locaria.web.app import make_app
from locaria.web.settings import Settings
from locaria.web.sockets import url_of

log = logging.getLogger(__name__)

MAX_FRAMES = 16 * 1024 * 1024
"""Bytes of one message that are read at all; a larger one closes the connection with 1009."""
PING_S = 60.0


async def serve(settings: Settings, listening: socket.socket, *, until_eof: bool = False) -> None:
    """Serve on a listening socket until SIGTERM or SIGINT.

    Parameters
        settings   of the server.
        listening  is closed at the end.
        until_eof  also stop when standard input ends: whoever started us has gone.
    """
    config = uvicorn.Config(
        make_app(settings),
        ws="websockets-sansio",
        ws_max_size=MAX_FRAMES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # API Gateway has none; it costs memory per connection
        access_log=False,  # it would write down the tickets of WebSocket connections
        log_config=None,
        log_level="warning",  # so would uvicorn's messages of level info
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    server = uvicorn.Server(config)
    if until_eof:
        await _watch_input(server)
    log.info("serving on %s", url_of(listening))
    await server.serve(sockets=[listening])


async def _watch_input(server: uvicorn.Server) -> None:
    class Ending(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(Ending, sys.stdin)
