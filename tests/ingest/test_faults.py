"""Killed at every stage: everything ends complete or FAILED, and nothing half archived."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.ingest.bundles_for_tests import FIELDS, document, entry, tar
from tests.ingest.conftest import Site

ROOT = Path(__file__).parents[2]
PLACES = [
    "open tar",
    "load metadata",
    "Policy Validation",
    "ingest files",
    "first file",
    "ingest metadata",
    "before publish",
    "after publish",
    "before cleaning",
    "after cleaning",
]


def whole(site: Site, job: int, files: dict[str, bytes]) -> None:
    """Archived once, and nothing else."""
    assert site.files(job) == files
    keys = {f"archive/0000/{job}/000/00{n}" for n in range(len(files))}
    assert site.settled(job) == keys
    assert len(site.rows("select from locaria.ingest_transactions where id = %s", job)) == 1


@pytest.mark.parametrize("place", PLACES)
def test_a_loader_that_is_killed_is_followed_by_one_that_completes(site: Site, place: str) -> None:
    files = {"one": place.encode(), "two": b"2" * 5000}
    site.die_at.write_text(place)
    state = site.ingest(tar(files))
    assert (state["state"], state["task"], state["exception"]) == ("OK", "ingest metadata", "")
    deadline = time.monotonic() + 30
    while site.die_at.exists():
        assert time.monotonic() < deadline, "it was killed"
        time.sleep(0.02)
    whole(site, state["job_id"], files)
    runs = site.rows("select outcome from locaria.runs where file_id = %s", state["job_id"])
    expected = ["succeeded"] if "cleaning" in place else ["lost", "succeeded"]
    assert sorted(row["outcome"] for row in runs) == expected


@pytest.mark.parametrize("place", ["first file", "after publish"])
def test_a_job_whose_last_attempt_is_killed_has_failed_and_left_nothing(
    site: Site, place: str
) -> None:
    site.db.execute(
        "update locaria.containers set max_attempts = 1 where name = 'bundle_processor'"
    )
    try:
        site.die_at.write_text(place)
        state = site.ingest(tar({"only": place.encode()}))
    finally:
        site.db.execute(
            "update locaria.containers set max_attempts = 3 where name = 'bundle_processor'"
        )
    job = state["job_id"]
    assert state["state"] == "FAILED" and "signal 9" in state["exception"]
    site.ingest(tar({"the next": place.encode()}))
    assert {key for key in site.settled(job) if "archive" in key} == set()
    site.db.execute("select locaria.retry(%s)", [job])
    deadline = time.monotonic() + 30
    while not (state := site.state(job))["complete"] or state["state"] == "FAILED":
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    whole(site, job, {"only": place.encode()})


def test_a_move_that_is_killed_before_its_sources_go_is_tidied_up(site: Site) -> None:
    source = site.inbox / "killed"
    source.write_bytes(b"move me")
    site.die_at.write_text("before cleaning")
    body = json.dumps([*FIELDS, entry("m", b"move me", source=str(source))]).encode()
    status, answer = site.request("POST", "/move", body)
    assert status == 200
    assert site.wait(answer["job_id"])["state"] == "OK"
    whole(site, answer["job_id"], {"m": b"move me"})
    assert not source.exists()


def test_a_frozen_loader_that_wakes_up_changes_nothing(site: Site) -> None:
    files = {"cold": b"snow"}
    site.hold_at.write_text("before publish")
    job = site.post(tar(files))
    deadline = time.monotonic() + 30
    while site.state(job)["task"] != "ingest metadata":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pid = site.pid_at_work(job)
    os.kill(pid, signal.SIGSTOP)
    site.hold_at.unlink()
    try:
        state = site.wait(job)
        assert state["state"] == "OK", state
    finally:
        os.kill(pid, signal.SIGCONT)
    whole(site, job, files)
    outcomes = site.rows("select outcome from locaria.runs where file_id = %s order by id", job)
    assert [row["outcome"] for row in outcomes] == ["lost", "succeeded"]


def test_a_cancelled_job_has_failed_and_left_nothing(site: Site) -> None:
    site.hold_at.write_text("first file")
    job = site.post(tar({"c": b"cancel"}))
    deadline = time.monotonic() + 30
    while site.state(job)["task"] != "ingest files":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    site.db.execute("select locaria.cancel(%s, 'wrong bundle')", [job])
    site.hold_at.unlink()
    state = site.wait(job)
    assert (state["state"], state["task_percent"]) == ("FAILED", "0.0")
    assert state["task"] in ("ingest files", "ingest metadata"), "wherever the order reached it"
    assert "wrong bundle" in state["exception"]
    assert not [key for key in site.settled(job) if "archive" in key]


def command(
    site: Site,
    *words: str,
    program: str = "locaria",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command on the site."""
    call = "locaria.cli.bundles.ingest:ingest_cmd" if program == "IngestCMD" else "locaria.cli:main"
    module, _, function = call.partition(":")
    return subprocess.run(
        [sys.executable, "-c", f"from {module} import {function}; {function}()", *words],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LOCARIA_DSN": site.runtime.dsn,
            "LOCARIA_OBJECT_STORE": site.objects.as_uri(),
            **(environment or {}),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def stuck(site: Site) -> Iterator[int]:
    """A job that is at work and gets nowhere."""
    site.hold_at.write_text("first file")
    job = site.post(tar({"stuck": str(time.time()).encode()}))
    deadline = time.monotonic() + 30
    while site.state(job)["task"] != "ingest files":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield job
    site.hold_at.unlink(missing_ok=True)


def test_an_administrator_fails_a_stuck_job_and_runs_it_again(site: Site, stuck: int) -> None:
    done = command(
        site, "job", "--job-id", str(stuck), "--state", "FAILED", "--task", "ingest files",
        "--task-percent", "0.0", "--exception", "Failed by adminstrator", program="IngestCMD",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    state = site.state(stuck)
    assert (state["state"], state["task"], state["task_percent"]) == (
        "FAILED",
        "ingest files",
        "0.0",
    )
    assert (state["exception"], state["complete"]) == ("Failed by adminstrator", True)
    assert json.loads(done.stdout)["exception"] == state["exception"]
    site.hold_at.unlink()
    again = command(site, "retry", "--job_id", str(stuck), program="IngestCMD")
    assert again.returncode == 0, again.stderr
    deadline = time.monotonic() + 30
    while site.state(stuck)["task"] != "ingest metadata":
        assert time.monotonic() < deadline, site.story(stuck)
        time.sleep(0.05)
    assert site.wait(stuck)["state"] == "OK"
    refused = command(site, "ingest", "job", "--job-id", str(stuck), "--state", "FAILED")
    assert refused.returncode == 5 and "complete" in refused.stderr
    assert command(site, "ingest", "job", "--job-id", "99999", "--state", "FAILED").returncode == 5
    shown = command(site, "ingest", "state", "--job-id", str(stuck))
    assert json.loads(shown.stdout)["complete"] is True


def test_the_archive_gives_files_back_and_tells_rot(site: Site, tmp_path: Path) -> None:
    files = {"get/me.txt": b"got me", "get/other": os.urandom(3000)}
    job = site.ingest(tar(files, document(files, hashtype="sha512")))["job_id"]
    site.settled(job)
    target = tmp_path / "copy"
    done = command(site, "archive", "get", "data/get/me.txt", "-o", str(target))
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == b"got me"
    row = site.rows(
        "select id, archive_key from locaria.archived_files"
        " where transaction_id = %s and name = 'other'",
        job,
    )[0]
    number = str(row["id"])
    assert command(site, "archive", "get", number, "-o", str(target)).returncode == 0
    assert target.read_bytes() == files["get/other"]
    assert command(site, "archive", "get", "no/such").returncode == 5
    good = command(site, "archive", "verify", "--json")
    report = json.loads(good.stdout)
    assert (good.returncode, report["problems"]) == (0, []), report
    assert report["files"] == site.rows("select count(*) as n from locaria.archived_files")[0]["n"]

    place = site.objects / "archive" / row["archive_key"]
    data = bytearray(place.read_bytes())
    data[100] ^= 1
    place.write_bytes(data)
    stray = site.objects / "archive" / "0000" / "stray"
    stray.write_bytes(b"?")
    bad = command(site, "archive", "verify", "--json")
    problems = json.loads(bad.stdout)["problems"]
    assert bad.returncode == 1
    assert {(one["id"], one["path"]) for one in problems} == {
        (row["id"], "get/other"),
        (None, "0000/stray"),
    }
    target.unlink()
    assert command(site, "archive", "get", number, "-o", str(target)).returncode == 1
    assert not target.exists(), "rot is not handed out"
    place.unlink()
    assert "missing" in command(site, "archive", "verify", "--job", str(job)).stdout
    data[100] ^= 1
    place.write_bytes(data)
    stray.unlink()
