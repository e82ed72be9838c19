"""The web server as a process of its own, and the peers it is measured against.

python -m bench.web_server echo FD          # a bare websockets server that echoes
python -m bench.web_server broadcast FD     # … that sends each NOTIFY to all who are connected
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.database import BenchDatabase
from locaria.web.sockets import bind, url_of

LOGIN, PASSWORD = "bench_web", "only for this run"
CHANNEL = "bench_broadcast"


@contextmanager
def web_server(database: BenchDatabase) -> Iterator[tuple[str, int]]:
    """Ours; its WebSocket's URL and its process."""
    with psycopg.connect(database.server.dsn_for(database.name), autocommit=True) as superuser:
        superuser.execute(
            f"do $$ begin create role {LOGIN} login noinherit password '{PASSWORD}' in role "
            "locaria_reader, locaria_app, locaria_operator, locaria_web; "
            "exception when duplicate_object then null; end $$"
        )
    dsn = database.server.dsn_for(database.name, LOGIN, PASSWORD)
    with _process(["-m", "locaria.web", "--fd"], {"LOCARIA_WEB_DSN": dsn}) as (listening, pid):
        yield f"{url_of(listening, 'ws')}/ws", pid


@contextmanager
def peer_server(kind: str, database: BenchDatabase) -> Iterator[str]:
    """A peer; its URL."""
    command = ["-m", "bench.web_server", kind]
    with _process(command, {"LOCARIA_DSN": database.dsn}) as (listening, _):
        yield url_of(listening, "ws")


@contextmanager
def _process(command: list[str], more: dict[str, str]) -> Iterator[tuple[socket.socket, int]]:
    listening = bind("127.0.0.1", 0)
    descriptor = listening.fileno()
    process = subprocess.Popen(
        [sys.executable, *command, str(descriptor)],
        pass_fds=[descriptor],
        env=os.environ | more,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_answer(listening)
        yield listening, process.pid
    finally:
        process.terminate()
        process.wait()
        listening.close()


def _await_answer(listening: socket.socket) -> None:
    """Any answer will do, that of a bare WebSocket server to a plain request, too."""
    try:
        urllib.request.urlopen(f"{url_of(listening)}/live", timeout=30).close()
    except OSError as error:
        if not hasattr(error, "code"):
            raise


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def _serve(kind: str, listening: socket.socket) -> None:
    connections: set[ServerConnection] = set()

    async def stay(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()
        connections.discard(connection)

    handler = _echo if kind == "echo" else stay
    async with serve(handler, sock=listening, compression=None, max_size=None):
        if kind == "echo":
            await asyncio.Future()
        listener = await psycopg.AsyncConnection.connect(os.environ["LOCARIA_DSN"], autocommit=True)
        await listener.execute(f"listen {CHANNEL}".encode())
        async for notice in listener.notifies():
            broadcast(connections, notice.payload)


def now() -> float:
    """Seconds of the clock that all processes of one machine share."""
    return time.monotonic()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))))
