"""Bundle ingest on a bucket: moto's server is S3, everything else is real."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from locaria.local.runtime import Runtime
from tests.ingest.bundles_for_tests import document, tar
from tests.ingest.conftest import Site, faulty_environment, read_answer, write_containers
from tests.ingest.test_faults import command
from tests.ingest.test_protocol import await_failed, await_uploading, send_part
from tests.ingest.test_tus import call, create

BUCKET, PREFIX = "bundles", "some/where"
MEGABYTE = 1 << 20
PART = 16 * MEGABYTE  # The first parts of an upload to S3.


@dataclass(frozen=True)
class OnS3:
    """A site whose bundles and archive are in a bucket."""

    site: Site
    client: Any
    environment: dict[str, str]

    def objects(self) -> set[str]:
        """All objects of the bucket, below the prefix."""
        found = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        assert all(one["Key"].startswith(f"{PREFIX}/") for one in found)
        return {one["Key"].removeprefix(f"{PREFIX}/") for one in found}

    def uploads(self) -> list[dict[str, Any]]:
        """Multipart uploads that are not completed: they cost money until they are ended."""
        found: list[dict[str, Any]]
        found = self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return found

    def run(self, *words: str) -> Any:
        """`locaria …` where the archive is this one."""
        return command(self.site, *words, environment=self.environment)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnS3]:
    """Locaria with the bucket as its object store."""
    folder = tmp_path_factory.mktemp("ingest_s3")
    (folder / "inbox").mkdir()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "LOCARIA_OBJECT_STORE": f"s3://{BUCKET}/{PREFIX}",
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket=BUCKET)
    runtime = Runtime(
        folder / "state",
        bin_dir=os.environ.get("LOCARIA_TEST_PG_BIN"),
        durable=False,
        containers_dir=write_containers(folder / "containers"),
        task_environment=faulty_environment(folder) | environment,
        tick_every_s=0.2,
    )
    with runtime:
        site = Site(runtime, folder)
        yield OnS3(site, client, environment)
        site.db.close()
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def archived(job: int, count: int) -> set[str]:
    """The keys of the files of a job."""
    return {f"archive/0000/{job}/000/{n:03d}" for n in range(count)}


def await_keys(s3: OnS3, wanted: set[str], job: int) -> None:
    """Until the bucket holds these objects of a job and no unfinished upload."""
    deadline = time.monotonic() + 60
    while True:
        left = {key for key in s3.objects() if f"/{job}" in key}
        if left == wanted and not s3.uploads():
            return
        assert time.monotonic() < deadline, (left, wanted, s3.uploads())
        time.sleep(0.1)


def test_a_bundle_is_uploaded_in_parts_archived_fetched_and_verified(
    s3: OnS3, tmp_path: Path
) -> None:
    files = {"big": os.urandom(PART + MEGABYTE), "small": b"small", "empty": b""}
    job = s3.site.post(tar(files, document(files, hashtype="sha256")))
    state = s3.site.wait(job)
    assert (state["state"], state["exception"]) == ("OK", ""), s3.site.story(job)
    await_keys(s3, archived(job, 3), job)
    target = tmp_path / "big"
    done = s3.run("archive", "get", "big", "-o", str(target))
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == files["big"]
    report = s3.run("archive", "verify", "--json")
    assert report.returncode == 0, report.stderr
    assert json.loads(report.stdout)["problems"] == []
    small = sorted(archived(job, 3))[1]
    s3.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{small}", Body=b"SMALL")
    s3.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/archive/0000/stray", Body=b"?")
    report = s3.run("archive", "verify", "--json")
    problems = json.loads(report.stdout)["problems"]
    assert report.returncode == 1
    assert [one["path"] for one in problems] == ["small", "0000/stray"]
    s3.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{small}", Body=b"small")
    s3.client.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/archive/0000/stray")


def test_a_bundle_that_fails_leaves_nothing_in_the_archive(s3: OnS3) -> None:
    files = {"one": b"1", "two": b"2"}
    state = s3.site.ingest(tar(files, document({"one": b"1", "two": b"3"})))
    assert (state["state"], state["task"]) == ("FAILED", "ingest files")
    job = state["job_id"]
    await_keys(s3, {f"uploads/{job}.tar"}, job)


def test_a_client_gone_half_way_leaves_no_multipart_upload(s3: OnS3) -> None:
    body = tar({"half": os.urandom(2 * PART)})
    client = send_part(s3.site, body, PART + 4 * MEGABYTE)
    job = await_uploading(s3.site, PART)
    deadline = time.monotonic() + 30
    while not s3.uploads():
        assert time.monotonic() < deadline, "a part is in the bucket"
        time.sleep(0.05)
    client.close()
    assert "client went away" in str(await_failed(s3.site, job)["exception"])
    await_keys(s3, set(), job)


def test_a_store_that_fails_in_the_middle_fails_the_job_and_not_the_listener(s3: OnS3) -> None:
    body = tar({"half": os.urandom(2 * PART)})
    client = send_part(s3.site, body, PART + 4 * MEGABYTE)
    job = await_uploading(s3.site, PART)
    deadline = time.monotonic() + 30
    while not (begun := s3.uploads()):
        assert time.monotonic() < deadline, "a part is in the bucket"
        time.sleep(0.05)
    s3.client.abort_multipart_upload(
        Bucket=BUCKET, Key=begun[0]["Key"], UploadId=begun[0]["UploadId"]
    )
    pid = s3.site.pid()
    client.sendall(body[PART + 4 * MEGABYTE :])
    answer = read_answer(client)
    assert answer.startswith(b"HTTP/1.1 500 ") and b'"FAILED"' in answer
    client.close()
    assert "could not be stored" in str(await_failed(s3.site, job)["exception"])
    await_keys(s3, set(), job)
    assert s3.site.pid() == pid


def test_a_store_that_fails_refuses_the_rest_of_a_resumable_upload_until_it_is_ended(
    s3: OnS3,
) -> None:
    body = tar({"half": os.urandom(3 * PART)})
    path, job = create(s3.site, len(body))
    first = PART + MEGABYTE
    assert call(s3.site, "PATCH", path, body[:first], Upload_Offset="0").status == 204
    (begun,) = s3.uploads()
    s3.client.abort_multipart_upload(Bucket=BUCKET, Key=begun["Key"], UploadId=begun["UploadId"])
    answer = call(s3.site, "PATCH", path, body[first:], Upload_Offset=str(first))
    assert answer.status == 503
    safe = int(call(s3.site, "HEAD", path).headers["Upload-Offset"])
    assert PART <= safe < first, "what was stored surely"
    assert s3.site.state(job)["state"] == "OK", "its client may try again"
    assert call(s3.site, "DELETE", path).status == 204
    assert s3.site.wait(job)["state"] == "FAILED"
    await_keys(s3, set(), job)


def test_a_listener_that_is_killed_leaves_no_multipart_upload(s3: OnS3) -> None:
    body = tar({"half": os.urandom(2 * PART)})
    client = send_part(s3.site, body, PART + 4 * MEGABYTE)
    job = await_uploading(s3.site, PART)
    deadline = time.monotonic() + 30
    while not s3.uploads():
        assert time.monotonic() < deadline, "a part is in the bucket"
        time.sleep(0.05)
    os.kill(s3.site.pid(), signal.SIGKILL)
    client.close()
    await_keys(s3, set(), job)
    assert s3.site.rows("select phase from locaria.ingest_jobs where job_id = %s", job) == [
        {"phase": "failed"}
    ]


def test_a_resumable_upload_is_gone_on_with_by_another_listener(s3: OnS3, tmp_path: Path) -> None:
    files = {"resumed": os.urandom(PART + 3 * MEGABYTE)}
    body = tar(files)
    path, job = create(s3.site, len(body))
    first = PART + MEGABYTE
    assert call(s3.site, "PATCH", path, body[:first], Upload_Offset="0").status == 204
    old = s3.site.pid()
    os.kill(old, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        try:
            head = call(s3.site, "HEAD", path)
            if s3.site.pid() != old:
                break
        except (OSError, IndexError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # The part that was full is in the bucket; the rest was on the disk of the one that died.
    offset = int(head.headers["Upload-Offset"])
    assert PART <= offset < first
    answer = call(s3.site, "PATCH", path, body[offset:], Upload_Offset=str(offset))
    assert answer.status == 204
    state = s3.site.wait(job)
    assert (state["state"], state["exception"]) == ("OK", "")
    await_keys(s3, archived(job, 1), job)
    target = tmp_path / "resumed"
    done = s3.run("archive", "get", "resumed", "-o", str(target), "--job", str(job))
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == files["resumed"]
    assert s3.run("archive", "verify", "--job", str(job)).returncode == 0
