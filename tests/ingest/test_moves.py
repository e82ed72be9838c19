"""/move: files that lie on the server's disk, only below configured folders, never by a link."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.bundles_for_tests import FIELDS, entry
from tests.ingest.conftest import Site, State


def place(site: Site, test: str, files: dict[str, bytes]) -> dict[str, Path]:
    """Put files into the inbox."""
    made = {}
    for name, data in files.items():
        made[name] = site.inbox / test / name
        made[name].parent.mkdir(parents=True, exist_ok=True)
        made[name].write_bytes(data)
    return made


def move(site: Site, entries: list[dict[str, Any]]) -> State:
    """POST /move, and wait for the end."""
    body = json.dumps([*FIELDS, *entries]).encode()
    status, answer = site.request("POST", "/move", body, Content_Type="application/json")
    assert status == 200, answer
    assert (answer["state"], answer["task"], answer["task_percent"]) == ("OK", "UPLOADING", "0.0")
    return site.wait(answer["job_id"])


def test_files_are_moved_into_the_archive_by_a_link(site: Site) -> None:
    files = {"one.txt": b"1", "deep/er/two.txt": b"22" * 1000}
    paths = place(site, "good", files)
    inode = paths["one.txt"].stat().st_ino
    entries = [entry(name, data, source=str(paths[name])) for name, data in files.items()]
    state = move(site, entries)
    assert (state["state"], state["task"], state["exception"]) == ("OK", "ingest metadata", "")
    job = state["job_id"]
    assert site.files(job) == files
    assert site.settled(job) == {f"archive/0000/{job}/000/00{n}" for n in range(2)}
    assert (site.objects / f"archive/0000/{job}/000/000").stat().st_ino == inode
    assert not any(path.exists() for path in paths.values()), "moved, not copied"
    sources = site.rows("select source from locaria.archived_files where transaction_id = %s", job)
    assert {row["source"] for row in sources} == {str(path) for path in paths.values()}


@pytest.mark.parametrize(
    "case",
    ["hash", "missing", "outside", "dots", "link", "linked folder", "folder", "pipe", "relative",
     "no source", "twice"],
)  # fmt: skip
def test_what_must_not_be_moved_fails_at_move_files_and_stays_where_it_is(
    site: Site, tmp_path: Path, case: str
) -> None:
    paths = place(site, f"bad {case}", {"fine": b"fine", "bad": b"bad"})
    outside = tmp_path / "secret"
    outside.write_bytes(b"bad")
    bad: Path | str = paths["bad"]
    changes: dict[str, Any] = {}
    if case == "hash":
        changes = {"hashsum": "0" * 40}
    elif case == "missing":
        paths.pop("bad").unlink()
    elif case == "outside":
        bad = outside
    elif case == "dots":
        bad = f"{site.inbox}/x/../../{outside.name}"
    elif case in ("link", "linked folder"):
        paths.pop("bad").unlink()
        target = outside if case == "link" else tmp_path
        Path(bad).symlink_to(target)
        bad = bad if case == "link" else f"{bad}/secret"
    elif case in ("folder", "pipe"):
        paths.pop("bad").unlink()
        os.mkfifo(str(bad)) if case == "pipe" else Path(bad).mkdir()
    elif case == "relative":
        bad = "bad"
    elif case == "twice":
        bad = paths["fine"]
        changes = {"size": 4, "hashsum": entry("x", b"fine")["hashsum"]}
    source = None if case == "no source" else str(bad)
    state = move(
        site,
        [
            entry("fine", b"fine", source=str(paths["fine"])),
            entry("bad", b"bad", **{"source": source, **changes}),
        ],
    )
    assert (state["state"], state["task"], state["task_percent"]) == (
        "FAILED",
        "move files",
        "0.0",
    ), state
    assert state["exception"]
    assert all(path.exists() for path in paths.values()), "nothing was taken"
    assert outside.read_bytes() == b"bad"
    assert not [key for key in site.settled(state["job_id"]) if "archive" in key]


def test_without_configured_folders_nothing_is_moved(site: Site) -> None:
    site.configure(move_roots=[])
    path = place(site, "none", {"x": b"x"})["x"]
    state = move(site, [entry("x", b"x", source=str(path))])
    assert (state["state"], state["task"]) == ("FAILED", "move files")
    assert "move_roots" in state["exception"] and path.exists()


def test_a_document_that_is_no_metadata_fails_at_load_metadata(site: Site) -> None:
    status, answer = site.request("POST", "/move", b"not json")
    assert status == 200
    assert site.wait(answer["job_id"])["task"] == "load metadata"
    site.configure(max_metadata_bytes=10)
    assert site.request("POST", "/move", b"[" * 11)[0] == 413


def test_a_rule_that_is_broken_leaves_the_files_where_they_are(site: Site) -> None:
    path = place(site, "rule", {"x": b"x"})["x"]
    state = move(site, [entry("x", b"x", source=str(path), mimetype="x/y")])
    assert (state["state"], state["task"]) == ("FAILED", "ingest metadata")
    assert path.read_bytes() == b"x"
