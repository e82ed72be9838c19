"""A CSV file through the real file_loader, against `psql \\copy` into the same table."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from bench.database import BenchDatabase, Connection
from bench.measure import Result
from locaria.local.postgres.binaries import find_binaries
from locaria.resources import DOCKERS_JSON

ROWS, QUICK_ROWS = 5_000_000, 50_000
ROUNDS, QUICK_ROUNDS = 3, 1
LARGER = 2
FOLDER = DOCKERS_JSON.parent / "file_loader"
ROOT = DOCKERS_JSON.parent.parent
MODULES = DOCKERS_JSON.parent / "modules"
LOOK_EVERY_S = 0.02
CONTAINER = "bench_csv"
COLUMNS = {
    "id": "integer",
    "name": "text",
    "amount": "numeric",
    "at": "timestamp without time zone",
    "valid": "boolean",
}
MEGABYTE = 1_000_000


@dataclass
class Times:
    """The best of each so far: seconds; and the loader's greatest memory, in bytes."""

    load: list[float] = field(default_factory=list)
    process: list[float] = field(default_factory=list)
    psql: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:
    """Files without quotes, and with some; then one twice as large, for its memory."""
    rows, rounds = (QUICK_ROWS, QUICK_ROUNDS) if quick else (ROWS, ROUNDS)
    with database.connect() as connection, tempfile.TemporaryDirectory() as folder:
        connection.execute(
            "select locaria.register_container(%s, %s::jsonb)",
            [CONTAINER, json.dumps({"limits": {"idle_timeout": "0 seconds"}})],
        )
        path = Path(folder) / "bench.csv"
        for kind, quoted in (("no quotes", 0.0), ("quotes in 1 of 10 rows", 0.1)):
            _write(path, rows, quoted)
            yield from _against_psql(database, connection, path, f"{rows:,} rows, {kind}", rounds)
        if not quick:
            _write(path, rows * LARGER, 0.0)
            memory = _load(database, connection, path, Times()).memory
            yield _memory(f"{rows * LARGER:,} rows ({_size(path)})", memory)


def _against_psql(
    database: BenchDatabase, connection: Connection, path: Path, what: str, rounds: int
) -> Iterator[Result]:
    times = Times()
    for _ in range(rounds):
        _copy(database, connection, path, times)
        _load(database, connection, path, times)
    psql, name = min(times.psql), f"CSV load, {what} ({_size(path)})"
    peer = "psql \\copy"
    yield Result(f"{name}, claim to finish", min(times.load), psql, peer, 1.0)
    yield Result(f"{name}, the whole process", min(times.process), psql, peer)
    yield _memory(what, times.memory)


def _memory(what: str, bytes_: list[int]) -> Result:
    name = f"peak memory of the loader, {what}"
    return Result(name, max(bytes_) / MEGABYTE, None, "", 100.0, unit="MB")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / MEGABYTE:.0f} MB"


def _write(path: Path, rows: int, quoted: float) -> None:
    """About 75 bytes a row; the same file in every run."""
    chance = random.Random(1)
    begin, words = datetime(2020, 1, 1), ("false", "true")
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for number in range(rows):
            name = f"{chance.getrandbits(128):032x}"
            if chance.random() < quoted:
                name = f'"{name[:12]}, ""{name[12:]}"""'
            at = begin + timedelta(seconds=number * 37 % 200_000_000)
            amount = chance.getrandbits(30) / 100
            file.write(f"{number},{name},{amount:.2f},{at},{words[number % 2]}\n")


def _even(database: BenchDatabase, connection: Connection) -> None:
    """Both begin with nothing to write back and without the other's table."""
    connection.execute("drop table if exists public.bench_ours, public.bench_psql")
    database.checkpoint()


def _copy(database: BenchDatabase, connection: Connection, path: Path, times: Times) -> None:
    _even(database, connection)
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    connection.execute(f"create table public.bench_psql ({columns})")
    psql = find_binaries().program("psql")
    statement = f"\\copy public.bench_psql from '{path}' with (format csv, header)"
    begin = perf_counter()
    subprocess.run([psql, "-X", "-q", "-d", database.dsn, "-c", statement], check=True)
    times.psql.append(perf_counter() - begin)


def _load(database: BenchDatabase, connection: Connection, path: Path, times: Times) -> Times:
    _even(database, connection)
    connection.execute(
        "insert into locaria.files (container, attributes) values (%s, %s::jsonb)",
        [CONTAINER, json.dumps({"path": str(path), "table": "public.bench_ours"})],
    )
    begin = perf_counter()
    times.memory.append(run_loader(database.dsn, CONTAINER))
    times.process.append(perf_counter() - begin)
    row = connection.execute(
        "select outcome, error, extract(epoch from ended - started)::float8 "
        "from locaria.runs order by id desc limit 1"
    ).fetchone()
    assert row is not None, "nothing was claimed"
    assert row[0] == "succeeded", row[1]
    times.load.append(row[2])
    found = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = 'public.bench_ours'::regclass and attnum > 0"
    ).fetchall()
    assert dict(found) == COLUMNS, f"the tables differ: {found}"
    return times


def run_loader(dsn: str, container: str) -> int:
    """Run a task until it leaves; the peak of its memory, in bytes."""
    names = {"LOCARIA_DSN": dsn, "LOCARIA_CONTAINER": container, "PYTHONPATH": f"{ROOT}:{MODULES}"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "file_loader.py"], cwd=FOLDER, env=os.environ | names, stderr=log
        )
        peaks: dict[int, int] = {}
        ended = os.pidfd_open(process.pid)
        # The mark only rises: looking now and then misses nothing but the last moment.
        while not select.select([ended], [], [], LOOK_EVERY_S)[0]:
            for pid in _family(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), _peak_memory(pid))
        os.close(ended)
        if process.wait():
            log.seek(0)
            raise RuntimeError(log.read().decode())
    return sum(peaks.values())


def _family(pid: int) -> list[int]:
    """A process and its descendants; none when it is gone."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                found += _family(int(child))
    return found


def _peak_memory(pid: int) -> int:
    """VmHWM: the most that was resident, in bytes; 0 when the process is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
