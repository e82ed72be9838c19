"""Bundles through the real listener and loader, against `sha1sum` and a plain copy."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.database import BenchDatabase, Connection
from bench.measure import Result, seconds
from locaria.install import read_dockers
from locaria.resources import DOCKERS_JSON

SIZE, QUICK_SIZE = 2_000_000_000, 50_000_000
BUNDLES, QUICK_BUNDLES = 1_000, 20
CLIENTS = 8
FILES_A_BUNDLE = 2
MEGABYTE = 1_000_000
MEMORY_GOAL = 256.0
ROOT = DOCKERS_JSON.parent.parent
FIELDS = [
    {"destinationTable": f"Transactions.{name}", "value": 1}
    for name in ("submitter", "project", "instrument")
]


class Ingest:
    """Both containers as processes, without the runtime.

    Args:
        database: where they work.
        connection: to it.
        folder: for the object store.
    """

    def __init__(self, database: BenchDatabase, connection: Connection, folder: Path) -> None:
        self._database = database
        self._connection = connection
        self._folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        dockers = read_dockers()
        for name in ("bundle_ingest", "bundle_processor"):
            connection.execute(
                "select locaria.register_container(%s, %s::jsonb)",
                [name, json.dumps(dockers[name])],
            )
        connection.execute("update locaria.containers set idle_timeout = '1 hour'")
        connection.execute("insert into locaria.files (container) values ('bundle_ingest')")
        for name in ("bundle_ingest", "bundle_processor"):
            self.processes[name] = self._start(name)
        self.url = urlsplit(self._await_endpoint())

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        modules = DOCKERS_JSON.parent / "modules"
        return subprocess.Popen(
            [sys.executable, f"{name}.py"],
            cwd=DOCKERS_JSON.parent / name,
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT}:{modules}",
                "LOCARIA_DSN": self._database.dsn,
                "LOCARIA_CONTAINER": name,
                "LOCARIA_PORT": "0",
                "LOCARIA_OBJECT_STORE": self._folder.as_uri(),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

    def _await_endpoint(self) -> str:
        deadline = time.monotonic() + 60
        while True:
            row = self._connection.execute(
                "select endpoint from locaria.run_progress where endpoint is not null"
            ).fetchone()
            if row is not None:
                return str(row[0])
            assert time.monotonic() < deadline, "the listener does not listen"
            time.sleep(0.02)

    def post(self, body: bytes) -> int:
        """Send a bundle: its job."""
        connection = http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=600)
        try:
            connection.request("POST", "/upload", body)
            return int(json.loads(connection.getresponse().read())["job_id"])
        finally:
            connection.close()

    def send_file(self, path: Path) -> int:
        """Send a bundle from disk, at the least cost for this process."""
        address = (self.url.hostname or "", self.url.port or 0)
        size = path.stat().st_size
        with socket.create_connection(address, timeout=600) as client, path.open("rb") as file:
            head = "POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            head += f"Content-Length: {size}\r\n\r\n"
            client.sendall(head.encode())
            client.sendfile(file)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        return int(json.loads(answer.partition(b"\r\n\r\n")[2])["job_id"])

    def await_complete(self, count: int) -> None:
        """Wait until so many jobs are complete."""
        deadline = time.monotonic() + 600
        while True:
            row = self._connection.execute(
                "select count(*) filter (where status = 'FARGATE_PROCESSED'),"
                " max(last_error) from locaria.files where container = 'bundle_processor'"
            ).fetchone()
            assert row is not None and row[1] is None, row
            if row[0] == count:
                return
            assert time.monotonic() < deadline, row
            time.sleep(0.01)

    def memory(self, name: str) -> float:
        """The peak of a process, in MB."""
        text = Path(f"/proc/{self.processes[name].pid}/status").read_text(encoding="utf-8")
        line = next(line for line in text.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / MEGABYTE

    def close(self) -> None:
        """End the processes."""
        for process in self.processes.values():
            process.kill()
            process.wait()


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:
    """One large bundle, then many small ones."""
    size, count = (QUICK_SIZE, QUICK_BUNDLES) if quick else (SIZE, BUNDLES)
    with ExitStack() as stack:
        connection = stack.enter_context(database.connect())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="locaria_bench_")))
        ingest = Ingest(database, connection, folder / "objects")
        stack.callback(ingest.close)
        yield from _large(ingest, folder, size)
        yield from _small(ingest, folder, count)
        for name in ingest.processes:
            what = f"peak memory of {name}"
            yield Result(what, ingest.memory(name), None, "", MEMORY_GOAL, unit="MB")


def _large(ingest: Ingest, folder: Path, size: int) -> Iterator[Result]:
    path = folder / "large.tar"
    _write_large(path, size)
    copy = folder / "copy"
    sha1sum = seconds(lambda: subprocess.run(["sha1sum", path], check=True, capture_output=True))
    copied = seconds(lambda: _copy(path, copy))
    copy.unlink()
    upload = seconds(lambda: ingest.send_file(path))
    process = seconds(lambda: ingest.await_complete(1))
    path.unlink()
    name = f"bundle of {size / MEGABYTE:,.0f} MB"
    for what, ours in ((f"{name}, received", upload), (f"{name}, processed", process)):
        speed = f"{what} ({size / ours / MEGABYTE:.0f} MB/s)"
        yield Result(speed, ours, sha1sum, "sha1sum")
        yield Result(speed, ours, copied, "plain copy")


def _small(ingest: Ingest, folder: Path, count: int) -> Iterator[Result]:
    plain = folder / "plain"
    plain.mkdir()
    bodies = []
    for n in range(count):
        files = {f"{n} {k}": os.urandom(10_000) for k in range(FILES_A_BUNDLE)}
        for name, data in files.items():
            (plain / name).write_bytes(data)
        bodies.append(_bundle(files))
    paths = sorted(plain.iterdir())
    sha1sum = seconds(lambda: subprocess.run(["sha1sum", *paths], check=True, capture_output=True))
    copied = seconds(lambda: shutil.copytree(plain, folder / "plain copy"))

    def work() -> None:
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(ingest.post, bodies))
        ingest.await_complete(count + 1)

    ours = seconds(work)
    name = f"{count:,} small bundles ({count / ours:.0f} a second)"
    yield Result(name, ours, sha1sum, "sha1sum")
    yield Result(name, ours, copied, "plain copy")


def _entry(name: str, size: int, hashsum: str) -> dict[str, Any]:
    return {
        "destinationTable": "Files",
        "name": name,
        "subdir": "data",
        "size": size,
        "hashtype": "sha1",
        "hashsum": hashsum,
        "mimetype": "application/octet-stream",
        "ctime": "2020-01-01T00:00:00",
        "mtime": "2020-01-01T00:00:00",
    }


def _bundle(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, data in files.items():
            _add(made, f"data/{name}", io.BytesIO(data), len(data))
        hashed = {name: hashlib.sha1(data).hexdigest() for name, data in files.items()}
        _end(made, [_entry(name, len(data), hashed[name]) for name, data in files.items()])
    return buffer.getvalue()


def _write_large(path: Path, size: int) -> None:
    """A tar of eight files of random bytes."""
    entries = []
    with tarfile.open(path, mode="w") as made:
        for n in range(8):
            data = os.urandom(size // 8)
            _add(made, f"data/{n}", io.BytesIO(data), len(data))
            entries.append(_entry(str(n), len(data), hashlib.sha1(data).hexdigest()))
        _end(made, entries)


def _add(made: tarfile.TarFile, name: str, file: io.BytesIO, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    made.addfile(info, file)


def _end(made: tarfile.TarFile, entries: list[dict[str, Any]]) -> None:
    text = json.dumps([*FIELDS, *entries]).encode()
    _add(made, "metadata.txt", io.BytesIO(text), len(text))


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file)
