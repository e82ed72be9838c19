"""The examples of Pacifica Ingest's documents, as its clients send them: tar, curl, requests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.ingest.bundles_for_tests import document, tar
from tests.ingest.conftest import Site, read_answer
from tests.ingest.test_protocol import send_part

POSTED = """
{
  "job_id": 1234,
  "state": "OK",
  "task": "UPLOADING",
  "task_percent": "0.0",
  "updated": "2018-01-25 16:54:50",
  "created": "2018-01-25 16:54:50",
  "exception": ""
}
"""
FAILED = """
{
  "job_id": 1234,
  "state": "FAILED",
  "task": "ingest files",
  "task_percent": "0.0",
  "updated": "2018-01-25 17:01:02",
  "created": "2018-01-25 16:54:50",
  "exception": "... some crazy python back trace ..."
}
"""
LISTED = """
data/mywork/project/project.doc
data/mywork/experiment/results.csv
data/mywork/experiment/results.doc
metadata.txt
"""
CURL = shutil.which("curl")


def bundle(folder: Path) -> Path:
    """mybundle.tar, made by tar itself."""
    names = LISTED.split()
    described: list[dict[str, Any]] = [
        {"destinationTable": "Transactions._id", "value": 67},
        {"destinationTable": "Transactions.submitter", "value": 34002},
        {"destinationTable": "Transactions.project", "value": "17"},
        {"destinationTable": "Transactions.instrument", "value": "54"},
        {"destinationTable": "TransactionKeyValue", "key": "Tag", "value": "Blah"},
    ]
    for n, name in enumerate(names[:-1]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(700_000))
        described.append(
            {
                "_id": n,
                "destinationTable": "Files",
                "name": path.name,
                "subdir": f"{Path(name).parent}/",
                "size": str(path.stat().st_size),
                "hashsum": f"sha1:{hashlib.sha1(path.read_bytes()).hexdigest()}",
                "hashtype": "sha1",
                "mimetype": "text/csv" if path.suffix == ".csv" else "application/msword",
                "ctime": "Tue Nov 29 14:09:05 PST 2016",
                "mtime": "Tue Nov 29 14:09:05 PST 2016",
            }
        )
    (folder / "metadata.txt").write_text(json.dumps(described))
    subprocess.run(["tar", "-cf", "mybundle.tar", *names], cwd=folder, check=True)
    return folder / "mybundle.tar"


def check(answer: dict[str, Any], example: str) -> None:
    """An answer is the example, but for the numbers and times that are its own."""
    wanted = json.loads(example)
    assert list(answer) == [*wanted, "complete"], "field for field, and in the same order"
    for name in ("state", "task", "task_percent"):
        assert answer[name] == wanted[name], answer
    for name in wanted:
        assert type(answer[name]) is type(wanted[name])
    assert bool(answer["exception"]) == bool(wanted["exception"])


def curl(*words: str) -> dict[str, Any]:
    """What curl prints."""
    assert CURL is not None
    done = subprocess.run(
        [CURL, "--silent", "--show-error", "--max-time", "60", *words],
        capture_output=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_bundle_of_the_documents_is_sent_by_tar_and_curl(site: Site, tmp_path: Path) -> None:
    if CURL is None:
        pytest.skip("needs curl")
    path = bundle(tmp_path)
    listed = subprocess.run(["tar", "-tf", path], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == LISTED.split()
    # Of more than 1 MB curl asks first whether it may: Expect: 100-continue.
    answer = curl("-X", "POST", "--data-binary", f"@{path}", f"{site.url}/ingest")
    check(answer, POSTED)
    job = answer["job_id"]
    last = site.wait(job)
    assert (last["state"], last["task"], last["exception"]) == ("OK", "ingest metadata", "")
    assert curl(f"{site.url}/get_state?job_id={job}") == last
    wanted = {
        name.removeprefix("data/"): (tmp_path / name).read_bytes() for name in LISTED.split()[:-1]
    }
    assert site.files(job) == wanted
    row = site.rows("select * from locaria.ingest_transactions where id = %s", job)[0]
    assert (row["submitter"], row["project"], row["instrument"]) == ("34002", "17", "54")
    chunked = curl(
        "-X", "POST", "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{path}",
        f"{site.url}/upload?again=true",
    )  # fmt: skip
    check(chunked, POSTED)
    assert site.wait(chunked["job_id"])["state"] == "OK"


def test_requests_sends_a_file_a_generator_and_asks_on_one_connection(
    site: Site, tmp_path: Path
) -> None:
    path = bundle(tmp_path)
    with requests.Session() as session, path.open("rb") as file:
        assert session.get(f"{site.url}/", timeout=30).json()["status"] == "OK"
        headers = {"Content-Type": "application/octet-stream"}
        answer = session.post(f"{site.url}/upload", data=file, headers=headers, timeout=60)
        assert answer.status_code == 200
        check(answer.json(), POSTED)
        pieces = (
            path.read_bytes()[at : at + 65_536] for at in range(0, path.stat().st_size, 65_536)
        )
        twice = session.post(f"{site.url}/upload", data=pieces, timeout=60).json()
        assert twice["job_id"] == answer.json()["job_id"], "chunked, but the same bundle"
        unknown = session.get(f"{site.url}/get_state", params={"job_id": "9" * 9}, timeout=30)
        assert unknown.status_code == 404 and unknown.json()["message"]
        assert site.wait(twice["job_id"])["state"] == "OK"


def test_a_failure_is_told_as_the_documents_tell_it(site: Site) -> None:
    state = site.ingest(tar({"x": b"1"}, document({"x": b"2"})))
    check(state, FAILED)


def test_one_connection_is_kept_for_many_requests(site: Site) -> None:
    connection = site.connection()
    body = tar({"kept": b"alive"})
    connection.request("POST", "/upload", body)
    job = json.loads(connection.getresponse().read())["job_id"]
    kept = connection.sock
    for _ in range(3):
        connection.request("GET", f"/get_state?job_id={job}")
        assert json.loads(connection.getresponse().read())["job_id"] == job
        assert connection.sock is kept
    connection.close()


def test_a_client_that_waits_for_100_continue_is_told_to_go_on_or_why_not(site: Site) -> None:
    body = tar({"expected": os.urandom(100)})
    client = send_part(site, body, 0, headers="Expect: 100-continue\r\n")
    assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
    client.sendall(body)
    assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    client.close()
    site.configure(max_bytes=10)
    client = send_part(site, body, 0, headers="Expect: 100-continue\r\n")
    assert client.recv(65536).startswith(b"HTTP/1.1 413 "), "before the body was sent"
    client.close()


def test_a_post_without_any_length_is_an_empty_bundle(site: Site) -> None:
    client = send_part(site, b"", 0, length=False)
    answer = read_answer(client)
    assert answer.startswith(b"HTTP/1.1 200 ")
    state = site.wait(json.loads(answer.partition(b"\r\n\r\n")[2])["job_id"])
    assert (state["state"], state["task"]) == ("FAILED", "open tar")
    client.close()


def test_times_are_utc_whatever_zone_the_database_is_in(site: Site) -> None:
    job = site.post(tar({"t": b"time"}))
    state = site.wait(job)
    now = datetime.now(UTC).replace(tzinfo=None)
    for name in ("created", "updated"):
        assert abs(now - datetime.fromisoformat(state[name])) < timedelta(minutes=10)
    for zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
        site.db.execute(f"set timezone to '{zone}'".encode())
        row = site.rows("select locaria.get_ingest_state(%s) as state", job)[0]
        assert row["state"] == state
    site.db.execute("reset timezone")


def test_percent_moves_within_a_stage(site: Site) -> None:
    files = {f"part {n}": os.urandom(10_000) for n in range(4)}
    site.hold_at.write_text("last of four files")
    job = site.post(tar(files))
    state = site.await_state(job, lambda found: found["task_percent"] not in ("0.0", "100.0"))
    assert (state["state"], state["task"], state["complete"]) == ("OK", "ingest files", False)
    assert 70 < float(state["task_percent"]) < 80, "three of four files, and the metadata"
    site.hold_at.unlink()
    assert site.wait(job)["state"] == "OK"
