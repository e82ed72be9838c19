"""Resumable uploads, with the tuspy client, and the corners of the protocol by hand."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import os
import signal
import time
from typing import Any

import pytest
from tusclient.client import TusClient

from tests.ingest.bundles_for_tests import tar
from tests.ingest.conftest import Site

VERSION = {"Tus-Resumable": "1.0.0"}
PATCH = VERSION | {"Content-Type": "application/offset+octet-stream"}


def call(
    site: Site, method: str, path: str, body: Any = b"", **headers: str
) -> http.client.HTTPResponse:
    """One request, with the headers of tus unless others are given."""
    connection = site.connection()
    named = (PATCH if method == "PATCH" else VERSION) | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    answer.read()
    return answer


def create(site: Site, length: int, **headers: str) -> tuple[str, int]:
    """A new upload: its path and job."""
    answer = call(site, "POST", "/files", Upload_Length=str(length), **headers)
    assert answer.status == 201, answer.status
    location = answer.headers["Location"]
    assert answer.headers["Upload-Expires"].endswith("GMT")
    return location[location.index("/files/") :], int(answer.headers["Locaria-Job-Id"])


@pytest.mark.parametrize("checksum", [False, True])
def test_tuspy_uploads_a_bundle_in_chunks(site: Site, checksum: bool) -> None:
    files = {"by tus": os.urandom(300_000), "sum": str(checksum).encode()}
    body = tar(files)
    client = TusClient(f"{site.url}/files")
    uploader = client.uploader(
        file_stream=io.BytesIO(body), chunk_size=100_000, upload_checksum=checksum
    )
    uploader.upload_chunk()
    assert uploader.offset == 100_000
    path = str(uploader.url)
    job = int(path.rpartition("/")[2].partition("-")[0])
    state = site.state(job)
    assert (state["state"], state["task"], state["complete"]) == ("OK", "UPLOADING", False)
    assert 0 < float(state["task_percent"]) < 100
    again = client.uploader(
        file_stream=io.BytesIO(body), url=path, chunk_size=100_000, upload_checksum=checksum
    )
    assert again.offset == 100_000, "another client object goes on"
    again.upload()
    assert site.wait(job)["state"] == "OK"
    assert site.files(job) == files
    head = call(site, "HEAD", path[path.index("/files/") :])
    assert head.headers["Upload-Offset"] == head.headers["Upload-Length"] == str(len(body))


def test_another_listener_goes_on_with_an_upload(site: Site) -> None:
    files = {"over a crash": os.urandom(50_000)}
    body = tar(files)
    path, job = create(site, len(body))
    assert call(site, "PATCH", path, body[:20_000], Upload_Offset="0").status == 204
    old = site.url, site.pid()
    os.kill(old[1], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        try:
            head = call(site, "HEAD", path)
            if site.pid() != old[1]:
                break
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert head.headers["Upload-Offset"] == "20000"
    assert site.state(job)["state"] == "OK", "it waits for its client"
    answer = call(site, "PATCH", path, body[20_000:], Upload_Offset="20000")
    assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(len(body)))
    assert site.wait(job)["state"] == "OK"
    assert site.files(job) == files
    assert site.settled(job) == {f"archive/0000/{job}/000/000"}


def test_a_wrong_checksum_is_refused_and_nothing_of_it_kept(site: Site) -> None:
    body = tar({"sum": b"checked"})
    path, job = create(site, len(body))
    wrong = "sha1 " + base64.b64encode(hashlib.sha1(b"other").digest()).decode()
    answer = call(site, "PATCH", path, body, Upload_Offset="0", Upload_Checksum=wrong)
    assert answer.status == 460
    assert call(site, "HEAD", path).headers["Upload-Offset"] == "0"
    odd = call(site, "PATCH", path, body, Upload_Offset="0", Upload_Checksum="crc32 AAAA")
    assert odd.status == 400
    right = "sha256 " + base64.b64encode(hashlib.sha256(body).digest()).decode()
    answer = call(site, "PATCH", path, body, Upload_Offset="0", Upload_Checksum=right)
    assert answer.status == 204
    assert site.wait(job)["state"] == "OK"


def test_a_connection_that_breaks_keeps_what_came(site: Site) -> None:
    body = tar({"cut": os.urandom(40_000)})
    path, job = create(site, len(body))
    connection = site.connection()
    connection.putrequest("PATCH", path)
    for name, value in (PATCH | {"Upload-Offset": "0", "Content-Length": str(len(body))}).items():
        connection.putheader(name, value)
    connection.endheaders(body[:30_000])
    deadline = time.monotonic() + 20
    while (offset := int(call(site, "HEAD", path).headers["Upload-Offset"])) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert offset <= 30_000
    connection.close()
    answer = call(site, "PATCH", path, body[offset:], Upload_Offset=str(offset))
    if answer.status == 409:  # The first request's last bytes were still on their way.
        offset = int(call(site, "HEAD", path).headers["Upload-Offset"])
        answer = call(site, "PATCH", path, body[offset:], Upload_Offset=str(offset))
    assert answer.status == 204
    assert site.wait(job)["state"] == "OK"


def test_mistakes_of_clients_are_refused(site: Site) -> None:
    assert call(site, "POST", "/files", Upload_Length="5", Tus_Resumable="0.2").status == 412
    assert call(site, "POST", "/files").status == 400
    assert call(site, "POST", "/files", Upload_Length="999999999999999").status == 413
    path, job = create(site, 10)
    assert call(site, "HEAD", path[:-1]).status == 404, "the token has to be right"
    assert call(site, "HEAD", "/files/nothing").status == 404
    assert call(site, "PATCH", path, b"abc", Upload_Offset="3").status == 409
    assert call(site, "PATCH", path, b"abc", Upload_Offset="x").status == 400
    assert call(site, "PATCH", path, b"a" * 11, Upload_Offset="0").status == 413
    answer = call(site, "PATCH", path, b"abc", Upload_Offset="0", Content_Type="text/plain")
    assert answer.status == 415
    options = call(site, "OPTIONS", "/files")
    assert set(options.headers["Tus-Extension"].split(",")) >= {
        "creation",
        "checksum",
        "expiration",
    }
    assert call(site, "DELETE", path).status == 204
    assert site.wait(job)["state"] == "FAILED"
    assert call(site, "HEAD", path).status == 410
    assert site.settled(job) == set()


def test_an_upload_that_nobody_goes_on_with_expires(site: Site) -> None:
    site.configure(resumable_seconds=0.5)
    path, job = create(site, 100)
    state = site.wait(job)
    assert (state["state"], state["task"]) == ("FAILED", "UPLOADING")
    assert "in time" in state["exception"]
    assert call(site, "HEAD", path).status == 410
    assert site.settled(job) == set()


def test_the_same_bundle_by_tus_and_by_post_is_one_job(site: Site) -> None:
    body = tar({"both": b"ways"})
    job = site.post(body)
    path, _ = create(site, len(body))
    answer = call(site, "PATCH", path, body, Upload_Offset="0")
    assert int(answer.headers["Locaria-Job-Id"]) == job
    other, _ = create(site, len(body), Remote_User="other")
    answer = call(site, "PATCH", other, body, Upload_Offset="0")
    assert int(answer.headers["Locaria-Job-Id"]) != job
