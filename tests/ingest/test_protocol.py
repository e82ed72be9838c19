"""The protocol of the released service, and what an upload may meet on its way."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.ingest.bundles_for_tests import CTIME, document, entry, tar
from tests.ingest.conftest import Site, read_answer

FIELDS = {
    "job_id": int,
    "state": str,
    "task": str,
    "task_percent": str,
    "updated": str,
    "created": str,
    "exception": str,
    "complete": bool,
}
FILES = {"a/b/foo.txt": b"foo\n", "a/c/bar.txt": b"bar\n" * 1000, "empty": b""}


def check_shape(state: dict[str, object]) -> None:
    assert {name: type(value) for name, value in state.items()} == FIELDS
    assert re.fullmatch(r"\d+\.\d", str(state["task_percent"]))
    for name in ("updated", "created"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", str(state[name]))
    assert str(state["created"]) <= str(state["updated"])


@pytest.mark.parametrize("path", ["/ingest", "/upload"])
def test_a_bundle_is_ingested_and_every_answer_has_the_shape_of_the_source(
    site: Site, path: str
) -> None:
    assert site.request("GET", "/")[0] == 200
    status, answer = site.request("POST", path, tar({**FILES, "by": path.encode()}))
    assert status == 200
    check_shape(answer)
    assert (answer["state"], answer["task_percent"], answer["exception"]) == ("OK", "0.0", "")
    assert answer["task"] == "UPLOADING"
    job = answer["job_id"]
    seen = [answer]
    while not seen[-1]["complete"]:
        seen.append(site.state(job))
        check_shape(seen[-1])
    assert [one["updated"] for one in seen] == sorted(one["updated"] for one in seen)
    assert {one["created"] for one in seen} == {answer["created"]}
    last = seen[-1]
    assert (last["state"], last["task"], last["task_percent"]) == ("OK", "ingest metadata", "100.0")
    assert site.files(job) == {**FILES, "by": path.encode()}
    row = site.rows("select * from locaria.ingest_transactions where id = %s", job)[0]
    assert (row["submitter"], row["project"], row["instrument"]) == ("10", "1234a", "54")
    pairs = site.rows(
        "select key, value from locaria.ingest_key_values where transaction_id = %s", job
    )
    assert {(pair["key"], pair["value"]) for pair in pairs} == {("Tag", "foo"), ("Temp C", "27")}
    file = site.rows(
        "select * from locaria.archived_files where transaction_id = %s and name = 'foo.txt'", job
    )[0]
    assert (file["path"], file["subdir"], file["size"]) == ("a/b/foo.txt", "a/b", 4)
    assert file["mtime"].isoformat() == "2016-11-29T14:09:05+00:00"
    assert file["ctime"].isoformat() == "2016-11-29T22:09:05+00:00", CTIME
    assert site.settled(job) == {f"archive/0000/{job}/000/00{n}" for n in range(4)}


def test_a_chunked_body_is_received(site: Site) -> None:
    body = tar({"chunked": b"x" * 100_000})
    connection = site.connection()
    pieces = (body[at : at + 7001] for at in range(0, len(body), 7001))
    connection.request("POST", "/upload", pieces)
    answer = connection.getresponse()
    assert answer.status == 200
    answer.read()
    rows = site.rows("select max(job_id) as job from locaria.ingest_jobs")
    assert site.wait(rows[0]["job"])["state"] == "OK"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?job_id=999999999", 404),
        ("?job_id=99999999999999999999999", 404),
        ("?job_id=", 400),
        ("", 400),
        ("?job_id=-1", 400),
        ("?job_id=1e3", 400),
        ("?job_id=%D9%A1", 400),
        ("?job_id=1;drop", 400),
    ],
)
def test_a_job_that_is_not_there_is_told_in_json(site: Site, query: str, status: int) -> None:
    found, answer = site.request("GET", f"/get_state{query}")
    assert found == status
    assert answer["status"].startswith(str(status)) and answer["message"]


def test_other_paths_and_methods_are_answered_in_json(site: Site) -> None:
    assert site.request("GET", "/nowhere")[0] == 404
    status, answer = site.request("GET", "/upload")
    assert status == 405 and "GET /upload" in answer["message"]
    # The listener's own file is no job.
    listener = site.rows("select id from locaria.files where container = 'bundle_ingest'")[0]["id"]
    assert site.request("GET", f"/get_state?job_id={listener}")[0] == 404


def test_the_same_bundle_twice_is_one_job_unless_asked_otherwise(site: Site) -> None:
    body = tar({"once": b"only"})
    with ThreadPoolExecutor(8) as threads:
        jobs = set(threads.map(site.post, [body] * 8))
    assert len(jobs) == 1, "eight parallel posts are one job"
    (job,) = jobs
    assert site.wait(job)["state"] == "OK"
    assert site.post(body) == job, "also when it is done"
    again = site.post(body, "/upload?again=true")
    assert again != job
    assert site.wait(again)["state"] == "OK"
    assert site.post(body, Remote_User="somebody else") not in (job, again)
    failing = tar({"x": b"y"}, document({"x": b"z"}))
    first = site.ingest(failing)
    assert first["state"] == "FAILED"
    assert site.post(failing) != first["job_id"], "one that failed does not answer for a new one"


def test_the_user_comes_from_a_header_and_the_policy_decides(site: Site) -> None:
    site.db.execute(
        "insert into locaria.ingest_policy (ingest_user, project, instrument)"
        " values ('maria', '1234a', null), (null, 'open', null)"
    )
    refused = site.ingest(tar({"p": b"1"}), Remote_User="peter")
    assert (refused["state"], refused["task"], refused["task_percent"]) == (
        "FAILED",
        "Policy Validation",
        "0.0",
    )
    assert "peter" in refused["exception"] and "1234a" in refused["exception"]
    assert site.ingest(tar({"p": b"2"}), Remote_User="maria")["state"] == "OK"
    site.configure(default_user="maria", user_header="X-Login")
    assert site.ingest(tar({"p": b"3"}))["state"] == "OK"
    assert site.ingest(tar({"p": b"4"}), X_Login="peter")["task"] == "Policy Validation"
    site.db.execute(
        "create or replace function public.site_policy(p jsonb) returns text language sql as"
        " $$ select 'not on Sundays, ' || (p ->> 'user') $$"
    )
    site.configure(policy_function="public.site_policy")
    assert site.ingest(tar({"p": b"5"}))["exception"] == "not on Sundays, maria"


def send_part(
    site: Site, body: bytes, part: int, *, headers: str = "", length: bool = True
) -> socket.socket:
    """Send the beginning of a body, and keep the connection open."""
    parts = urlsplit(site.url)
    made = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)
    headers += f"Content-Length: {len(body)}\r\n" if length else ""
    made.sendall(f"POST /upload HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode() + body[:part])
    return made


def await_uploading(site: Site, bytes_: int = 1) -> int:
    """The job of the upload that is under way, when the database knows of bytes of it."""
    deadline = time.monotonic() + 20
    while True:
        rows = site.rows(
            "select job_id from locaria.ingest_jobs"
            " where phase = 'uploading' and bytes_received >= %s order by 1 desc",
            bytes_,
        )
        if rows:
            return int(rows[0]["job_id"])
        assert time.monotonic() < deadline
        time.sleep(0.02)


def await_failed(site: Site, job: int) -> dict[str, object]:
    """Its state, when it has failed."""
    state = site.wait(job)
    check_shape(state)
    assert (state["state"], state["task"], state["task_percent"]) == ("FAILED", "UPLOADING", "0.0")
    return state


def test_a_client_that_goes_away_leaves_a_failed_job_and_nothing_else(site: Site) -> None:
    body = tar({"big": os.urandom(2_000_000)})
    client = send_part(site, body, len(body) * 99 // 100)
    job = await_uploading(site)
    state = site.state(job)
    assert (state["state"], state["task"], state["complete"]) == ("OK", "UPLOADING", False)
    assert 0 < float(str(state["task_percent"])) < 100
    assert not site.rows("select from locaria.files where id = %s", job), "nothing is registered"
    client.close()
    assert "client went away" in str(await_failed(site, job)["exception"])
    assert site.settled(job) == set()
    row = site.rows("select state, why from locaria.status where file_id = %s", job)[0]
    assert row["state"] == "ERROR" and "client went away" in row["why"]
    assert site.ingest(body)["state"] == "OK", "and the same bundle can be sent again"


def test_a_listener_that_is_killed_leaves_its_uploads_failed(site: Site) -> None:
    body = tar({"big": os.urandom(1_500_000)})
    client = send_part(site, body, len(body) // 2)
    job = await_uploading(site)
    old = site.pid()
    os.kill(old, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while site.rows(
        "select from locaria.ingest_jobs where job_id = %s and phase = 'uploading'", job
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.close()
    while True:
        try:
            state = site.state(job)
            break
        except (OSError, ValueError):
            assert time.monotonic() < deadline, "no new listener"
            time.sleep(0.1)
    assert state["state"] == "FAILED" and "server" in state["exception"]
    assert site.settled(job, 60) == set()
    assert site.ingest(body)["state"] == "OK", "the next listener receives it"


def test_limits_are_refused_with_413_and_408(site: Site) -> None:
    site.configure(max_bytes=100_000)
    body = tar({"big": bytes(200_000)})
    status, answer = site.request("POST", "/upload", body)
    assert status == 413 and "100,000" in answer["message"]
    connection = site.connection()
    connection.request("POST", "/upload", iter([body]))
    response = connection.getresponse()
    assert response.status == 413
    site.configure(max_bytes=10**9, max_members=3)
    status, answer = site.request("POST", "/upload", tar({str(n): b"" for n in range(4)}))
    assert status == 413 and "members" in answer["message"]
    assert (answer["state"], answer["task"]) == ("FAILED", "UPLOADING")
    assert site.settled(answer["job_id"]) == set()
    site.configure(max_members=1000, idle_seconds=0.3)
    client = send_part(site, body, 1000)
    answer_bytes = read_answer(client)
    assert answer_bytes.startswith(b"HTTP/1.1 408 ") and b'"FAILED"' in answer_bytes
    client.close()
    site.configure(idle_seconds=60, max_seconds=0.3)
    client = send_part(site, body, 1000)
    assert read_answer(client).startswith(b"HTTP/1.1 408 ")
    client.close()


def test_no_number_is_given_twice(site: Site) -> None:
    bodies = [tar({"n": str(n).encode()}) for n in range(40)]
    with ThreadPoolExecutor(20) as threads:
        jobs = list(threads.map(site.post, bodies))
    assert len(set(jobs)) == 40
    assert {site.wait(job)["state"] for job in jobs} == {"OK"}


def test_metadata_in_the_shape_of_other_clients_is_accepted(site: Site) -> None:
    files = {"x/one": b"1", "x/two": b"22"}
    form = [
        {**field, "displayTitle": "Form", "queryFields": ["a", {"b": []}], "metaID": "m"}
        for field in document({})
    ]
    entries = [
        entry("x/one", b"1", subdir="data//x//", size="1", ctime=1480457345, extra={"a": [1]}),
        entry("x/two", b"22", "sha256", subdir="x"),
    ]
    entries[1]["hashsum"] = "sha256:" + entries[1]["hashsum"].upper()
    other = [{"destinationTable": "Somewhere.else", "value": 1}]
    state = site.ingest(tar(files, [*form, *other, *entries]))
    assert (state["state"], state["exception"]) == ("OK", "")
    assert site.files(state["job_id"]) == files
    row = site.rows("select * from locaria.ingest_transactions where id = %s", state["job_id"])[0]
    assert row["other"] == other
    bare = site.ingest(tar({"q/one": b"1"}, document({"q/one": b"1"}), prefix=""))
    assert (bare["state"], bare["exception"]) == ("OK", ""), "no data/ in the tar"
