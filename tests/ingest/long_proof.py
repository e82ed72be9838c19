"""`make test-ingest-long`: 1,000 mixed bundles with processes that are killed, one bundle of
100,000 files and one of none, and 10 GB in one file.

Prints what it has seen; ends with an error when anything is half archived, rotten or stuck.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from locaria.local.runtime import Runtime
from tests.ingest.bundles_for_tests import FIELDS, document, entry, tar
from tests.ingest.conftest import Site, faulty_environment, read_answer, write_containers
from tests.ingest.test_faults import PLACES, command
from tests.ingest.test_hostile import CASES
from tests.ingest.test_memory import peak_mb

BLOCK = 1 << 20
PLACES_OF_SECONDS = (1.0, 4.0)


def main() -> None:
    """Run all proofs, or some."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=int, default=1000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="locaria_ingest_") as name:
        folder = Path(name)
        (folder / "inbox").mkdir()
        runtime = Runtime(
            folder / "state",
            durable=False,
            containers_dir=write_containers(folder / "containers"),
            task_environment=faulty_environment(folder),
        )
        with runtime:
            site = Site(runtime, folder)
            if options.bundles:
                mixed_bundles(site, options.bundles)
            if options.files:
                many_files(site, options.files)
            if options.gigabytes:
                one_large_bundle(site, int(options.gigabytes * 1e9))
            site.db.close()


def mixed_bundles(site: Site, count: int) -> None:
    """Good and hostile bundles from eight clients, while loaders and the listener are killed."""
    chance = random.Random(1)
    plans = [(n, None if n % 4 else chance.choice(list(CASES))) for n in range(count)]
    seeds = [chance.random() for _ in plans]
    begun, killed = time.monotonic(), Counter[str]()
    stop = threading.Event()
    killer = threading.Thread(target=kill_now_and_then, args=(site, chance, stop, killed))
    killer.start()
    with ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(lambda plan, seed: send(site, *plan, seed), plans, seeds))
    stop.set()
    killer.join()
    ends: Counter[str] = Counter()
    for (n, case), (job, files) in zip(plans, jobs, strict=True):
        state = site.wait(job, 300)
        wanted = ("OK", "ingest metadata") if case is None else ("FAILED", CASES[case][0])
        lost = "signal 9" in state["exception"]
        assert (state["state"], state["task"]) == wanted or lost, (n, case, state)
        ends[state["state"] + (" by kills alone" if lost else "")] += 1
        assert site.files(job) == (files if state["state"] == "OK" else {}), n
    seconds = time.monotonic() - begun
    left = [job for job, _ in jobs if any("incoming" in key for key in site.settled(job))]
    assert not left, left
    done = command_json(site)
    print(f"{count:,} bundles in {seconds:.0f} s: {dict(ends)}; killed: {dict(killed)}")
    print(
        f"archive verify: {done['files']:,} files, {done['bytes']:,} bytes, "
        f"problems: {done['problems']}"
    )
    assert not done["problems"]


def send(site: Site, n: int, case: str | None, seed: float) -> tuple[int, dict[str, bytes]]:
    """Post one bundle, as often as it takes while the listener is killed now and then."""
    chance = random.Random(seed)
    if case is None:
        names = [
            f"{'d/' * chance.randrange(4)}file {k} {n}" for k in range(chance.randrange(1, 20))
        ]
        files = {name: chance.randbytes(chance.choice((0, 10, 5_000, 300_000))) for name in names}
        kind = chance.choice(("md5", "sha1", "sha256", "sha512"))
        body = tar(
            files, document(files, hashtype=kind), prefix=chance.choice(("data/", "", "./data//"))
        )
    else:
        files, body = {}, CASES[case][1]()
    deadline = time.monotonic() + 120
    while True:
        try:
            # A hostile bundle comes more than once: ask for a job of its own.
            return site.post(body, "/upload" if case is None else "/upload?again=true"), files
        except (OSError, ValueError, AssertionError) as error:
            assert time.monotonic() < deadline, error
            time.sleep(0.2)


def kill_now_and_then(
    site: Site, chance: random.Random, stop: threading.Event, killed: Counter[str]
) -> None:
    """SIGKILL at a place of the loader, or for the listener."""
    beside = Site(site.runtime, site.inbox.parent)
    while not stop.wait(chance.uniform(*PLACES_OF_SECONDS)):
        if chance.random() < 0.2:
            try:
                os.kill(beside.pid(), signal.SIGKILL)
                killed["listener"] += 1
            except (IndexError, ProcessLookupError):
                continue
        elif not site.die_at.exists():
            place = chance.choice(PLACES)
            site.die_at.write_text(place)
            killed[f"loader, {place}"] += 1
    site.die_at.unlink(missing_ok=True)
    beside.db.close()


def command_json(site: Site) -> dict[str, object]:
    """`locaria archive verify --json`."""
    done = command(site, "archive", "verify", "--json")
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


def many_files(site: Site, count: int) -> None:
    """A bundle of so many tiny files, and one of none: every byte of them is archived."""
    files = {f"{n // 1000:03d}/{n:06d}": b"%d" % n for n in range(count)}
    body = tar(files)
    begun = time.monotonic()
    job = site.post(body)
    received = time.monotonic() - begun
    state = site.wait(job, 1200)
    seconds = time.monotonic() - begun
    assert (state["state"], state["exception"]) == ("OK", ""), state
    assert site.files(job) == files
    none = site.ingest(tar({}))
    assert (none["state"], none["task"]) == ("OK", "ingest metadata"), none
    assert site.files(none["job_id"]) == {}
    assert len(site.settled(job, 120)) == count
    done = command_json(site)
    assert not done["problems"], done["problems"]
    memory = {name: peak_mb(site.pid(name)) for name in ("bundle_ingest", "bundle_processor")}
    print(
        f"{count:,} files in one bundle: received in {received:.0f} s, complete after "
        f"{seconds:.0f} s; none in another: {none['state']}; "
        f"archive verify: {done['files']:,} files, no problems; "
        f"peak memory: listener {memory['bundle_ingest']:.0f} MB, "
        f"loader {memory['bundle_processor']:.0f} MB"
    )
    assert max(memory.values()) < 256


def one_large_bundle(site: Site, size: int) -> None:
    """Bytes that no memory holds, as one file of one bundle."""
    blocks = size // BLOCK
    block = os.urandom(BLOCK)
    hashed = hashlib.sha1()
    for _ in range(blocks):
        hashed.update(block)
    described = entry("large", b"") | {"size": blocks * BLOCK, "hashsum": hashed.hexdigest()}
    # The tar around one member: what stands before its bytes, and what behind.
    frame = tar([("large", bytes(BLOCK))], [*FIELDS, described])
    head = bytearray(frame[:512])
    head[124:136] = (0x80).to_bytes(1, "big") + (blocks * BLOCK).to_bytes(11, "big")
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    tail = frame[512 + BLOCK :]
    length = 512 + blocks * BLOCK + len(tail)
    parts = urlsplit(site.url)
    begun = time.monotonic()
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=600) as client:
        request = f"POST /ingest HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        client.sendall(request.encode() + head)
        for _ in range(blocks):
            client.sendall(block)
        client.sendall(tail)
        answer = read_answer(client)
    received = time.monotonic() - begun
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    job = int(json.loads(answer.partition(b"\r\n\r\n")[2])["job_id"])
    state = site.wait(job, 1200)
    assert state["state"] == "OK", state
    processed = time.monotonic() - begun - received
    memory = {name: peak_mb(site.pid(name)) for name in ("bundle_ingest", "bundle_processor")}
    print(
        f"{length / 1e9:.2f} GB: received in {received:.0f} s "
        f"({length / received / 1e6:.0f} MB/s), processed in {processed:.0f} s; peak memory: "
        f"listener {memory['bundle_ingest']:.0f} MB, loader {memory['bundle_processor']:.0f} MB"
    )
    assert max(memory.values()) < 256


if __name__ == "__main__":
    sys.exit(main())
