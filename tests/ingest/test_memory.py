"""Constant memory: many uploads at once, and one that is larger than the limit of memory."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from tests.ingest.bundles_for_tests import tar
from tests.ingest.conftest import Site, read_answer

LIMIT_MB = 256


def peak_mb(pid: int) -> float:
    """The greatest memory of a process (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def test_fifty_uploads_at_once_stay_within_the_memory(site: Site) -> None:
    body = tar({"many": os.urandom(3_000_000)})
    parts = urlsplit(site.url)
    head = f"POST /upload?again=true HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    clients = [
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60)
        for _ in range(50)
    ]
    with ThreadPoolExecutor(50) as threads:
        list(threads.map(lambda client: client.sendall(head.encode() + body[:-100]), clients))
        deadline = time.monotonic() + 60
        while (
            site.rows(
                "select count(*) as n from locaria.ingest_jobs where phase = 'uploading'"
                " and bytes_received > 2000000"
            )[0]["n"]
            < 50
        ):
            assert time.monotonic() < deadline, "all fifty are under way"
            time.sleep(0.05)
        list(threads.map(lambda client: client.sendall(body[-100:]), clients))
        answers = list(threads.map(read_answer, clients))
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    peak = peak_mb(site.pid())
    assert peak < LIMIT_MB, f"the listener took {peak:.0f} MB"
    for client in clients:
        client.close()


def test_a_large_upload_takes_no_more_memory_than_a_small_one(site: Site) -> None:
    piece = os.urandom(1 << 20)
    small = tar({"small": piece})
    site.ingest(small)
    before = peak_mb(site.pid())
    state = site.ingest(tar({"large": piece * 200}))
    assert state["state"] == "OK"
    assert peak_mb(site.pid()) < before + 30
    assert peak_mb(site.pid("bundle_processor")) < LIMIT_MB
