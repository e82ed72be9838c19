"""The parts by themselves: the tar reader against tarfile, the metadata reader against json."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from moto import mock_aws

from tests.ingest.bundles_for_tests import add, document

CONTAINERS = Path(__file__).parents[2] / "containers"
# The modules of a container lie flat beside its entry point.
sys.path[:0] = [str(CONTAINERS / "modules"), str(CONTAINERS / "bundle_processor")]

from bundles.archive import Archive  # noqa: E402
from bundles.tarstream import Member, TarStream, TooManyMembersError  # noqa: E402
from metadata import BadMetadataError, read_metadata  # noqa: E402
from object_store import MissingError, Store, StoreError, open_store  # noqa: E402
from object_store.folder import FolderStore  # noqa: E402
from object_store.s3 import S3Store  # noqa: E402

NAMES = some.text(
    some.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=150
).filter(lambda name: name not in (".", ".."))


def push(body: bytes, piece: int, most: int = 1000) -> tuple[list[Member], str | None]:
    """Feed a tar in pieces."""
    members: list[Member] = []
    stream = TarStream(members.append, most)
    for at in range(0, len(body), piece):
        stream.feed(body[at : at + piece])
    stream.close()
    return members, stream.error


@settings(max_examples=60, deadline=None)
@given(
    files=some.dictionaries(
        some.lists(NAMES, min_size=1, max_size=4).map("/".join),
        some.binary(max_size=3000),
        max_size=6,
    ),
    format_=some.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    piece=some.sampled_from([1, 7, 511, 512, 513, 4096, 1 << 20]),
)
def test_it_finds_what_tarfile_finds_however_the_bytes_arrive(
    files: dict[str, bytes], format_: int, piece: int
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format_) as made:
        for name, data in files.items():
            add(made, f"data/{name}", data)
        add(made, "metadata.txt", b"[]")
    body = buffer.getvalue()
    members, error = push(body, piece)
    assert error is None
    found = {member.name: body[member.offset : member.offset + member.size] for member in members}
    assert found == {
        **{f"data/{name}": data for name, data in files.items()},
        "metadata.txt": b"[]",
    }
    for member in members:
        assert member.sha1 == hashlib.sha1(found[member.name]).hexdigest()
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as read:
        assert [(one.name, one.offset_data, one.size) for one in read] == [
            (member.name, member.offset, member.size) for member in members
        ]


@settings(max_examples=150, deadline=None)
@given(noise=some.binary(max_size=2000), at=some.integers(0, 3000), piece=some.integers(1, 3000))
def test_noise_in_a_tar_is_an_error_or_other_bytes_and_never_an_exception(
    noise: bytes, at: int, piece: int
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        add(made, "data/" + "long" * 60, b"x" * 700)
        add(made, "metadata.txt", b"[]")
    body = bytearray(buffer.getvalue())
    body[at : at + len(noise)] = noise
    members, error = push(bytes(body), piece)
    for member in members:
        assert ".." not in member.name.split("/") and not member.name.startswith("/")
    assert error is None or isinstance(error, str)


def test_more_members_than_allowed_end_the_upload() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for n in range(4):
            add(made, str(n))
    with pytest.raises(TooManyMembersError):
        push(buffer.getvalue(), 512, most=3)


VALUES: some.SearchStrategy[Any] = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=30),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)


class Slow(io.BytesIO):
    """Gives a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 5))


@settings(max_examples=100, deadline=None)
@given(
    entries=some.lists(
        some.fixed_dictionaries({"destinationTable": some.just("Elsewhere"), "value": VALUES}),
        max_size=8,
    ),
    indent=some.sampled_from([None, 2]),
    ascii_=some.booleans(),
)
def test_metadata_is_read_piece_by_piece_as_json_reads_it(
    entries: list[dict[str, Any]], indent: int | None, ascii_: bool
) -> None:
    text = json.dumps(entries, indent=indent, ensure_ascii=ascii_).encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:
        return
    assert read_metadata(Slow(text), 10**9).other == json.loads(text)


@settings(max_examples=100, deadline=None)
@given(text=some.binary(max_size=60) | some.text(alphabet='[]{},:"0aeE-+.\\ \n').map(str.encode))
def test_whatever_metadata_holds_ends_in_words(text: bytes) -> None:
    try:
        read_metadata(Slow(text), 10**9)
    except BadMetadataError as error:
        assert "metadata.txt" in str(error)
    else:
        assert isinstance(json.loads(text.decode("utf-8-sig")), list)


def test_a_hundred_thousand_files_are_read_entry_by_entry() -> None:
    one = document({"a/b": b"x"})[-1]
    text = json.dumps([{**one, "name": f"file {n}"} for n in range(100_000)]).encode()
    found = read_metadata(io.BytesIO(text), 10**9)
    assert len(found.files) == 100_000
    assert found.files[-1].path == "data/a/file 99999"


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store of each kind."""
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
        return
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bundles")
        yield S3Store("bundles", "some/prefix", client)


def read(store: Store, key: str, offset: int = 0) -> bytes:
    """All of an object."""
    source = store.open(key, offset)
    try:
        return b"".join(iter(lambda: source.read(1 << 16), b""))
    finally:
        source.close()


def test_an_object_is_there_when_it_is_whole(store: Store) -> None:
    data = bytes(range(256)) * 150_000  # more than two parts of S3
    sink = store.create("uploads/1.tar")
    for at in range(0, len(data), 5_000_000):
        sink.write(data[at : at + 5_000_000])
        assert store.size("uploads/1.tar") is None
    sink.commit()
    sink.abort()
    assert store.size("uploads/1.tar") == len(data)
    assert read(store, "uploads/1.tar", len(data) - 300) == data[-300:]
    assert read(store, "uploads/1.tar", len(data)) == b""
    assert store.delete("uploads/1.tar") == 1
    with pytest.raises(MissingError):
        store.open("uploads/1.tar")


def test_an_aborted_or_forgotten_object_leaves_nothing(store: Store) -> None:
    big = bytes(20 << 20)
    aborted = store.create("uploads/2.tar")
    aborted.write(big)
    aborted.abort()
    forgotten = store.create("uploads/2.tar")
    forgotten.write(big)
    store.discard_parts("uploads/2.tar")
    assert list(store.list("uploads")) == []
    if isinstance(store, S3Store):
        left = store._client.list_multipart_uploads(Bucket="bundles")
        assert not left.get("Uploads")
    else:
        assert isinstance(store, FolderStore)
        assert not list(store.path("uploads").iterdir())


def test_an_object_is_gone_on_with_behind_what_is_safe(store: Store) -> None:
    data = bytes(range(256)) * 100_000
    first = store.resume("uploads/3.tar", {})
    first.write(data[: 17 << 20])
    first.write(data[17 << 20 : 18 << 20])
    state = json.loads(json.dumps(first.sync()))
    first.write(b"not safe")
    first.close()
    second = store.resume("uploads/3.tar", state)
    second.write(data[state["bytes"] :])
    second.commit()
    assert read(store, "uploads/3.tar") == data


def test_the_files_of_an_attempt_are_published_together_also_behind_a_crashed_one(
    store: Store,
) -> None:
    archive = Archive(store)
    for run in (1, 2):
        for n in range(3):
            sink = archive.create(7, run, n)
            sink.write(f"7 {n}".encode())
            sink.commit(sync=False)
        assert not list(archive.keys()) or run == 2
        archive.prepare(7, run)
        archive.publish(7, run)
    assert sorted(archive.keys()) == [archive.key(7, n) for n in range(3)]
    assert not list(store.list("incoming")), "nothing is left of the attempt"
    assert read(store, archive.key(7, 1)) == b"7 1"
    digest = hashlib.md5(b"7 1").hexdigest()
    assert archive.check(archive.key(7, 1), 3, "md5", digest) is None
    assert "rotten" in str(archive.check(archive.key(7, 1), 3, "md5", "0" * 32))
    assert "bytes" in str(archive.check(archive.key(7, 1), 4, "md5", digest))
    assert archive.check(archive.key(8, 1), 3, "md5", digest) == "missing"
    archive.discard(7)
    assert list(archive.keys()) == []


def test_a_store_is_named_by_its_url(tmp_path: Path) -> None:
    named = open_store((tmp_path / "with space").as_uri())
    assert isinstance(named, FolderStore)
    assert named.root == tmp_path / "with space"
    with pytest.raises(StoreError):
        open_store("ftp://x/y")
