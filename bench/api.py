"""Requests over the WebSocket with 1,000,000 files in the table: how many, how late the slowest."""

from __future__ import annotations

import asyncio
import json
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import psycopg
from websockets.asyncio.client import ClientConnection, connect

from bench.database import BenchDatabase
from bench.lookups import FINISHED, QUICK_FINISHED, fill
from bench.measure import Result
from bench.web_server import peer_server, web_server

CLIENTS = 16
REQUESTS, QUICK_REQUESTS = 6_000, 200
ROUNDS = 3
Ask = Callable[[int], Awaitable[None]]


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:
    """get_container_status by 16 clients at once, and by one alone."""
    finished = QUICK_FINISHED if quick else FINISHED
    count = QUICK_REQUESTS if quick else REQUESTS
    with database.connect() as connection:
        fill(database, connection, finished)
        row = connection.execute("select min(id), max(id) from locaria.files").fetchone()
    assert row is not None
    ids = range(row[0], row[1])
    table = f"{finished:,} files"
    with web_server(database) as (url, _), peer_server("echo", database) as echo:
        for clients in (CLIENTS, 1):
            each = count if clients > 1 else count // 6
            ours: list[list[float]] = []
            bare: list[list[float]] = []
            echoes: list[list[float]] = []
            for _ in range(ROUNDS):
                bare.append(_select(database, ids, clients, each))
                echoes.append(asyncio.run(_sockets(echo, ids, clients, each)))
                ours.append(asyncio.run(_sockets(url, ids, clients, each)))
            words = f"get_container_status, {clients} clients, {table}"
            for peer, name in ((bare, "the same select by psycopg"), (echoes, "bare echo server")):
                yield Result(
                    f"{words}: messages a second",
                    max(map(_rate, ours)),
                    max(map(_rate, peer)),
                    name,
                    unit="/s",
                )
                yield Result(
                    f"{words}: p99", min(map(_p99, ours)), min(map(_p99, peer)), name, unit="ms"
                )


def _rate(times: list[float]) -> float:
    """The first entry is how long all took."""
    return (len(times) - 1) / times[0]


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times[1:], n=100)[98] * 1000


async def _sockets(url: str, ids: range, clients: int, count: int) -> list[float]:
    """All requests through `clients` connections; the whole time, then each one's."""
    sockets = [
        await connect(url, compression=None, max_size=None, proxy=None) for _ in range(clients)
    ]
    times: list[float] = []

    async def run(socket: ClientConnection, number: int) -> None:
        for step in range(number, count, clients):
            file = ids[step * 7919 % len(ids)]
            request = json.dumps({"method": "get_container_status", "container_id": file})
            begin = time.perf_counter()
            await socket.send(request)
            await socket.recv()
            times.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    await asyncio.gather(*(run(socket, n) for n, socket in enumerate(sockets)))
    whole = time.perf_counter() - begin
    for socket in sockets:
        await socket.close()
    return [whole, *times]


def _select(database: BenchDatabase, ids: range, clients: int, count: int) -> list[float]:
    """The same by plain connections, each with a thread of its own."""
    times: list[float] = []

    def run(number: int) -> None:
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            for step in range(number, count, clients):
                file = ids[step * 7919 % len(ids)]
                request = json.dumps({"method": "get_container_status", "container_id": file})
                begin = time.perf_counter()
                connection.execute(
                    """select locaria.api(%s, '{"role": "operator"}')::text""", [request]
                ).fetchone()
                times.append(time.perf_counter() - begin)

    threads = [threading.Thread(target=run, args=[number]) for number in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [time.perf_counter() - begin, *times]
