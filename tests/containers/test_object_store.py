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
from object_store import (
    MissingError,
    Store,
    StoreError,
    check_key,
    get_object,
    open_store,
    put_object,
)

from tests.containers.conftest import MODULES, S3

MEGABYTE = 1 << 20


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of each kind."""
    if request.param == "folder":
        return open_store((tmp_path / "with space").as_uri())
    s3: S3 = request.getfixturevalue("s3")
    return open_store(s3.url)


def test_an_object_put_in_pieces_comes_out_whole_with_size_and_hash(store: Store) -> None:
    pieces = [b"a" * 3, b"", b"b" * (9 * MEGABYTE), b"c" * (2 * MEGABYTE), b"d"]
    data = b"".join(pieces)
    stored = put_object(store, "down loads/1/Zürich.csv", iter(pieces))
    assert (stored.size, stored.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert stored.url == store.url("down loads/1/Zürich.csv")
    assert b"".join(get_object(store, stored.key)) == data
    assert b"".join(get_object(store, stored.key, offset=len(data) - 3)) == data[-3:]
    assert list(store.list("down loads/1")) == [stored.key]


def test_nothing_is_stored_when_the_data_raises_an_exception(store: Store) -> None:
    put_object(store, "a/kept", b"before")

    def breaking() -> Iterator[bytes]:
        yield b"x" * (17 * MEGABYTE)
        raise SystemExit("cancelled")

    for key in ("a/kept", "a/new"):
        with pytest.raises(SystemExit, match="cancelled"):
            put_object(store, key, breaking())
    assert list(store.list()) == ["a/kept"]
    assert b"".join(get_object(store, "a/kept")) == b"before"


DIES = """
import os, signal, sys
from object_store import open_store, put_object

def pieces():
    for number in range(5):
        yield bytes(8 << 20)
    os.kill(os.getpid(), signal.SIGKILL)

put_object(open_store(sys.argv[1]), "a/new", pieces())
"""


def test_a_killed_process_leaves_no_object(store: Store, tmp_path: Path) -> None:
    put_object(store, "a/new", b"before")
    died = subprocess.run(
        [sys.executable, "-c", DIES, store.url("")],
        env={**os.environ, "PYTHONPATH": str(MODULES)},
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert list(store.list()) == ["a/new"]
    assert b"".join(get_object(store, "a/new")) == b"before"
    store.discard_parts("a")
    files = [path.name for path in (tmp_path / "with space").rglob("*") if path.is_file()]
    assert files == (["new"] if store.url("a").startswith("file:") else [])


def test_an_object_can_be_empty_replaced_and_deleted(store: Store, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"from a file")
    assert put_object(store, "k", b"").size == 0
    assert list(get_object(store, "k")) == []
    put_object(store, "k", tmp_path / "new")
    assert b"".join(get_object(store, "k")) == b"from a file"
    assert store.delete("k") == 1
    assert store.delete("k") == 0
    assert store.size("k") is None
    with pytest.raises(MissingError):
        list(get_object(store, "k"))


def test_a_link_needs_no_credentials(store: Store) -> None:
    put_object(
        store, "a b/ü.txt", b"hello", content_type="text/plain", download_name='Mine "ü".txt'
    )
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
        put_object(open_store(s3.url), "parts", breaking())
    client = boto3.client("s3", endpoint_url=s3.endpoint, region_name="eu-west-2")
    assert "Uploads" not in client.list_multipart_uploads(Bucket=s3.bucket)


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/../b", ".", "a/", "a\nb", "a\0", "x" * 300])
def test_keys_that_would_leave_the_store_are_refused(key: str) -> None:
    with pytest.raises(StoreError, match="key"):
        check_key(key)


@pytest.mark.parametrize(
    "url", ["", "ftp://x/y", "s3://", "file://host/x", "file:///", "relative/path"]
)
def test_a_url_that_names_no_store_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCARIA_OBJECT_STORE", raising=False)
    with pytest.raises(StoreError, match="LOCARIA_OBJECT_STORE"):
        open_store(url)
