"""The object store, on a folder and on S3 (moto's server)."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from object_store import ObjectStore, ObjectStoreError, check_key, open_store

from tests.containers.conftest import MODULES, S3

MEGABYTE = 1 << 20


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A store of each kind."""
    if request.param == "folder":
        return ObjectStore((tmp_path / "with space").as_uri())
    s3: S3 = request.getfixturevalue("s3")
    return ObjectStore(s3.url)


def test_what_is_put_in_pieces_comes_out_whole_with_size_and_hash(store: ObjectStore) -> None:
    pieces = [b"a" * 3, b"", b"b" * (9 * MEGABYTE), b"c" * (2 * MEGABYTE), b"d"]
    data = b"".join(pieces)
    stored = store.put("down loads/1/Zürich.csv", iter(pieces))
    assert (stored.size, stored.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert stored.url == store.url_of("down loads/1/Zürich.csv")
    assert b"".join(store.get(stored.key)) == data
    assert b"".join(store.get(stored.key, start=len(data) - 3)) == data[-3:]
    assert list(store.list("down loads/1")) == [stored.key]


def test_nothing_is_stored_when_the_data_breaks_off(store: ObjectStore) -> None:
    store.put("a/kept", b"before")

    def breaking() -> Iterator[bytes]:
        yield b"x" * (17 * MEGABYTE)
        raise SystemExit("cancelled")

    for key in ("a/kept", "a/new"):
        with pytest.raises(SystemExit, match="cancelled"):
            store.put(key, breaking())
    assert list(store.list()) == ["a/kept"]
    assert b"".join(store.get("a/kept")) == b"before"


DIES = """
import os, signal, sys
from object_store import open_store

def pieces():
    for number in range(5):
        yield bytes(8 << 20)
    os.kill(os.getpid(), signal.SIGKILL)

open_store(sys.argv[1]).put("a/new", pieces())
"""


def test_an_object_of_a_process_that_was_killed_is_not_there(store: ObjectStore) -> None:
    store.put("a/new", b"before")
    died = subprocess.run(
        [sys.executable, "-c", DIES, store.url],
        env={**os.environ, "PYTHONPATH": str(MODULES)},
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert list(store.list()) == ["a/new"]
    assert b"".join(store.get("a/new")) == b"before"


def test_an_object_is_empty_replaced_renamed_and_deleted(
    store: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "new").write_bytes(b"from a file")
    assert store.put("k", b"").size == 0
    assert list(store.get("k")) == []
    store.put("k", tmp_path / "new")
    store.rename("k", "other/k")
    assert not store.exists("k")
    assert b"".join(store.get("other/k")) == b"from a file"
    store.delete("other/k")
    store.delete("other/k")
    with pytest.raises(FileNotFoundError):
        store.size("other/k")


def test_a_link_needs_no_credentials(store: ObjectStore) -> None:
    store.put("a b/ü.txt", b"hello", content_type="text/plain", download_name='Mine "ü".txt')
    link = store.link("a b/ü.txt", timedelta(minutes=5))
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == b"hello"
        if link.startswith("http"):
            assert "X-Amz-Expires=300" in link
            assert answer.headers["Content-Type"] == "text/plain"
            assert "Mine%20%22%C3%BC%22.txt" in answer.headers["Content-Disposition"]


def test_a_broken_upload_leaves_no_parts_on_s3(s3: S3) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"x" * (17 * MEGABYTE)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ObjectStore(s3.url).put("parts", breaking())
    client = boto3.client("s3", endpoint_url=s3.endpoint, region_name="eu-west-2")
    assert "Uploads" not in client.list_multipart_uploads(Bucket=s3.bucket)


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/../b", ".", "a/", "a\nb", "a\0", "x" * 300])
def test_keys_that_would_leave_the_store_are_refused(key: str) -> None:
    with pytest.raises(ObjectStoreError, match="key"):
        check_key(key)


@pytest.mark.parametrize("url", ["", "ftp://x/y", "s3://", "file://host/x", "file:///", "/tmp/x"])
def test_a_store_that_is_none_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCARIA_OBJECT_STORE", raising=False)
    with pytest.raises(ObjectStoreError, match="LOCARIA_OBJECT_STORE"):
        open_store(url)
