"""From the commit of a log message to the last of all subscribers, and what idle ones cost."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator

from websockets.asyncio.client import ClientConnection, connect

from bench.database import BenchDatabase, Connection
from bench.measure import Result
from bench.web_server import CHANNEL, cpu_seconds, peer_server, web_server

SUBSCRIBERS = (1, 100, 1_000)
ROUNDS, QUICK_ROUNDS = 30, 3
PAUSE_S = 0.25
IDLE_S, QUICK_IDLE_S = 20.0, 2.0


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:
    """Median of many; the peer LISTENs and sends the payload of NOTIFY to all, no more."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with database.connect() as connection:
        run, file = _begin(database, connection)

        def log() -> None:
            message = '[{"level": "info", "message": "a message of a run"}]'
            connection.execute("select locaria.log_run(%s, %s::jsonb)", [run, message])

        def notify() -> None:
            payload = json.dumps({"container_id": file, "log": "a message of a run" * 20})
            connection.execute("select pg_notify(%s, %s)", [CHANNEL, payload])

        with web_server(database) as (url, pid), peer_server("broadcast", database) as bare:
            for count in SUBSCRIBERS:
                if quick and count > 100:
                    continue
                peer = asyncio.run(_push(bare, count, rounds, notify, None))
                ours = asyncio.run(_push(url, count, rounds, log, file))
                name = f"commit to {count:,} subscribers"
                for words, at in (("the first", 0), ("the last", 1)):
                    yield Result(
                        f"{name}, {words}",
                        statistics.median(each[at] for each in ours) * 1000,
                        statistics.median(each[at] for each in peer) * 1000,
                        "bare LISTEN, broadcast",
                        unit="ms",
                    )
            seconds = QUICK_IDLE_S if quick else IDLE_S
            for count in (0, 100 if quick else 1_000):
                yield Result(
                    f"processor time of the server, {count:,} idle subscribers",
                    asyncio.run(_idle(url, pid, count, file, seconds)) * 1000,
                    None,
                    "",
                    unit="ms/s",
                )


def _begin(database: BenchDatabase, connection: Connection) -> tuple[int, int]:
    """A file that is being worked on: its run, its number."""
    database.empty(connection)
    connection.execute("update locaria.containers set log_limit = 1000000, lease = '1 hour'")
    connection.execute("insert into locaria.files (container) values ('file_loader')")
    task = connection.execute("select task_id from locaria.start_task('file_loader')").fetchone()
    assert task is not None
    row = connection.execute(
        "select run_id, file_id from locaria.claim_files(%s)", [task[0]]
    ).fetchone()
    assert row is not None
    return row[0], row[1]


async def _connect(url: str, count: int, file: int | None) -> list[ClientConnection]:
    sockets = []
    for _ in range(count):
        socket = await connect(
            url, compression=None, max_size=None, proxy=None, ping_interval=None, open_timeout=60
        )
        if file is not None:
            await socket.send(json.dumps({"method": "subscribe", "container_id": file}))
        sockets.append(socket)
    if file is not None:
        for socket in sockets:
            await socket.recv()
            await socket.recv()
    return sockets


async def _push(
    url: str, count: int, rounds: int, change: Callable[[], None], file: int | None
) -> list[tuple[float, float]]:
    """Seconds from the commit until the first and the last of all have the message."""
    sockets = await _connect(url, count, file)
    times = []
    try:
        for _ in range(rounds):
            await asyncio.sleep(PAUSE_S)
            arrivals: list[float] = []
            waiting = [asyncio.create_task(_arrival(socket, arrivals)) for socket in sockets]
            await asyncio.sleep(0)
            await asyncio.to_thread(change)
            committed = time.perf_counter()
            await asyncio.gather(*waiting)
            times.append((min(arrivals) - committed, max(arrivals) - committed))
    finally:
        for socket in sockets:
            await socket.close()
    return times


async def _arrival(socket: ClientConnection, arrivals: list[float]) -> None:
    await socket.recv()
    arrivals.append(time.perf_counter())


async def _idle(url: str, pid: int, count: int, file: int, seconds: float) -> float:
    """Processor seconds a second, while nothing changes."""
    sockets = await _connect(url, count, file)
    await asyncio.sleep(1)
    before, begin = cpu_seconds(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    used = (cpu_seconds(pid) - before) / (time.perf_counter() - begin)
    for socket in sockets:
        await socket.close()
    return used
