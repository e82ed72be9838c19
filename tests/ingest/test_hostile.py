"""What must not be accepted: each case fails at its stage, in words, and leaves nothing behind."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.ingest.bundles_for_tests import FIELDS, add, document, entry, tar
from tests.ingest.conftest import Site

GOOD = {"good": b"good"}


def with_member(name: str, **facts: Any) -> Callable[[], bytes]:
    """A good bundle with one member more."""
    return lambda: tar(GOOD, also=lambda made: add(made, name, **facts))


def with_entry(**changes: Any) -> Callable[[], bytes]:
    """A bundle of one file, whose metadata is changed."""
    return lambda: tar(GOOD, [*FIELDS, entry("good", b"good", **changes)])


def without(table: str) -> Callable[[], bytes]:
    """A bundle whose metadata lacks a field."""
    kept = [field for field in document(GOOD) if field["destinationTable"] != table]
    return lambda: tar(GOOD, kept)


def metadata(text: bytes) -> Callable[[], bytes]:
    """A bundle with this text for metadata."""
    return lambda: tar(GOOD, text)


def sparse() -> bytes:
    """A GNU sparse member, by PAX headers."""
    return tar(
        GOOD,
        also=lambda made: add(
            made, "data/s", b"x", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.name": "s"}
        ),
    )


def damaged() -> bytes:
    """A tar whose second header has a wrong checksum."""
    body = bytearray(tar({"one": b"1", "two": b"2"}))
    body[1024 + 200] ^= 0xFF
    return bytes(body)


def long_header() -> bytes:
    """A PAX header of 2 MB."""
    return tar(
        GOOD, also=lambda made: add(made, "data/p", pax_headers={"comment": "x" * 2_000_000})
    )


def negative() -> bytes:
    """A member of negative size, as base-256 can say."""
    info = tarfile.TarInfo("data/minus")
    block = bytearray(info.tobuf())
    block[124:136] = b"\xff" * 12
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block[:512]) + tar(GOOD)


DEEP = b"[" * 100_000
LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
CASES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "no tar": ("open tar", lambda: b"this is no tar" * 100, "not a tar"),
    "nothing": ("open tar", lambda: b"", "empty"),
    "zeros": ("open tar", lambda: bytes(1 << 20), "Failed to open tarfile"),
    "compressed": ("open tar", lambda: gzip.compress(tar(GOOD)), "gzip"),
    "truncated": ("open tar", lambda: tar({"big": bytes(10_000)})[:5_000], "truncated"),
    "truncated header": ("open tar", lambda: tar(GOOD)[:1324], "truncated"),
    "damaged": ("open tar", damaged, "damaged"),
    "negative size": ("open tar", negative, "negative"),
    "traversal": ("open tar", with_member("data/../../../../tmp/evil"), ".."),
    "traversal by name": ("open tar", with_member(".."), ".."),
    "absolute": ("open tar", with_member("/tmp/evil"), "absolute"),
    "symlink": ("open tar", with_member("data/link", **LINK), "symbolic link"),
    "hard link": (
        "open tar",
        with_member("data/link", type=tarfile.LNKTYPE, linkname="data/good"),
        "hard link",
    ),
    "device": ("open tar", with_member("data/dev", type=tarfile.CHRTYPE, devmajor=1), "device"),
    "block device": ("open tar", with_member("data/dev", type=tarfile.BLKTYPE), "device"),
    "pipe": ("open tar", with_member("data/pipe", type=tarfile.FIFOTYPE), "pipe"),
    "sparse": ("open tar", sparse, "sparse"),
    "unknown type": ("open tar", with_member("data/odd", type=b"Z"), "unknown type"),
    "duplicate": ("open tar", with_member("data/good"), "twice"),
    "metadata twice": ("open tar", with_member("metadata.txt"), "twice"),
    "no UTF-8": ("open tar", lambda: tar(GOOD).replace(b"data/good\0", b"data/g\xff\xfed\0"), ""),
    "long PAX header": ("open tar", long_header, "2,000,"),
    "no metadata": ("load metadata", lambda: tar(GOOD, False), "metadata.txt"),
    "metadata no JSON": ("load metadata", metadata(b"{not json"), "metadata.txt"),
    "metadata cut": ("load metadata", metadata(json.dumps(document(GOOD)).encode()[:-20]), "JSON"),
    "metadata an object": ("load metadata", metadata(b'{"a": 1}'), "array"),
    "metadata of numbers": ("load metadata", metadata(b"[1, 2]"), "object"),
    "metadata empty": ("load metadata", metadata(b""), "array"),
    "metadata goes on": ("load metadata", metadata(b"[] []"), "end"),
    "metadata latin": ("load metadata", metadata('[{"a": "é"}]'.encode("latin-1")), "UTF-8"),
    "metadata with NaN": ("load metadata", metadata(b'[{"a": NaN}]'), "NaN"),
    "metadata deep": ("load metadata", metadata(DEEP), ""),
    "metadata deep inside": ("load metadata", metadata(b'[{"a": ' + DEEP), ""),
    "metadata 50 MB": ("load metadata", metadata(b'[{"a": "' + b"x" * 50_000_000), "longer"),
    "wrong hash": ("ingest files", with_entry(hashsum="0" * 40), "good has the sha1"),
    "wrong md5": ("ingest files", with_entry(hashtype="md5", hashsum="0" * 32), "md5"),
    "wrong size": ("ingest files", with_entry(size=5), "good has 4 bytes"),
    "named and absent": (
        "ingest files",
        lambda: tar(GOOD, document({**GOOD, "gone": b""})),
        "gone is named in the metadata",
    ),
    "present and not named": (
        "ingest files",
        lambda: tar({**GOOD, "more": b""}, document(GOOD)),
        "data/more is in the bundle",
    ),
    "named twice": (
        "ingest files",
        lambda: tar(GOOD, [*document(GOOD), entry("good", b"good")]),
        "good is named twice",
    ),
    "invalid MIME type": ("ingest metadata", with_entry(mimetype="badmime/x"), "top level"),
    "no MIME type": ("ingest metadata", with_entry(mimetype=None), "mimetype is missing"),
    "no hash": ("ingest metadata", with_entry(hashsum=None), "hashsum is missing"),
    "no size": ("ingest metadata", with_entry(size=None), "size is missing"),
    "no name": ("ingest metadata", with_entry(name=None), "name is missing"),
    "a size in words": ("ingest metadata", with_entry(size="four"), "whole number"),
    "hash too short": ("ingest metadata", with_entry(hashsum="abc"), "length"),
    "hash unknown": (
        "ingest metadata",
        lambda: tar(GOOD, [*FIELDS, entry("good", b"good") | {"hashtype": "crc32"}]),
        "hashtype",
    ),
    "no time": ("ingest metadata", with_entry(mtime="yesterday-ish"), "yesterday-ish"),
    "no submitter": ("ingest metadata", without("Transactions.submitter"), "submitter"),
    "no project": ("ingest metadata", without("Transactions.project"), "project"),
    "no instrument": ("ingest metadata", without("Transactions.instrument"), "instrument"),
    "NUL in a value": (
        "ingest metadata",
        lambda: tar(
            GOOD,
            [
                *document(GOOD),
                {"destinationTable": "TransactionKeyValue", "key": "a", "value": "\0"},
            ],
        ),
        "",
    ),
    "half a character": ("ingest metadata", with_entry(ctime="\ud800"), ""),
}


@pytest.mark.parametrize("case", CASES)
def test_it_fails_at_its_stage_and_leaves_nothing(site: Site, case: str) -> None:
    task, make, words = CASES[case]
    before = {key for key in site.stored("archive") if "incoming" not in key}
    state = site.ingest(make())
    assert (state["state"], state["task"], state["task_percent"]) == ("FAILED", task, "0.0"), state
    assert words in state["exception"], state["exception"]
    job = state["job_id"]
    assert not site.rows("select from locaria.ingest_transactions where id = %s", job)
    assert {key for key in site.settled(job) if not key.startswith("uploads/")} == set()
    assert {key for key in site.stored("archive") if "incoming" not in key} == before
    attempts = site.rows("select attempts from locaria.files where id = %s", job)[0]["attempts"]
    assert attempts == 1, "another attempt would not mend it"


NAMES = [
    "zürich/naïve.txt",
    "日本語/ファイル.txt",
    "ελληνικά",
    "رقم/ملف",
    "emoji 🚀",
    "a b\tc",
    "x" * 200,
]


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_names_in_any_script_and_of_any_length_are_kept(site: Site, format_: int) -> None:
    files = {name: name.encode() for name in [*NAMES, "/".join(["deep" * 20] * 10)]}
    state = site.ingest(tar(files, format_=format_))
    assert (state["state"], state["exception"]) == ("OK", "")
    assert site.files(state["job_id"]) == files


def test_metadata_may_come_first_and_folders_are_no_files(site: Site) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        add(made, "./metadata.txt", json.dumps(document({"d/f": b"1"})).encode())
        add(made, "data", type=tarfile.DIRTYPE)
        add(made, "data/d/", type=tarfile.DIRTYPE)
        add(made, "./data//d/f", b"1")
    state = site.ingest(buffer.getvalue())
    assert (state["state"], state["exception"]) == ("OK", "")
    assert site.files(state["job_id"]) == {"d/f": b"1"}


def test_a_bundle_without_files_is_a_transaction(site: Site) -> None:
    state = site.ingest(tar({}))
    assert (state["state"], state["task"]) == ("OK", "ingest metadata")
    assert (
        len(site.rows("select from locaria.ingest_transactions where id = %s", state["job_id"]))
        == 1
    )


def test_data_within_data_is_not_confused(site: Site) -> None:
    files = {"data/x": b"inner", "x": b"outer"}
    entries = [*FIELDS, entry("data/x", b"inner", subdir="data/data"), entry("x", b"outer")]
    state = site.ingest(tar(files, entries))
    assert (state["state"], state["exception"]) == ("OK", "")
    assert site.files(state["job_id"]) == files
