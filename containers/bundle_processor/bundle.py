"""A tar that was received: its files, checked against its metadata, into the archive."""

from __future__ import annotations

from bundles.manifest import bundle_key, read_manifest
from bundles.tarstream import METADATA, Member
from job import FEW, Archived, Job, subpath
from metadata import FileEntry
from object_store import MissingError, Source

import locaria_reporter as lr

_SKIP = 1 << 20


def take_bundle(job: Job) -> list[Archived]:
    """Stages `open tar` to `ingest files`."""
    members = open_tar(job)
    load_metadata(job, members.pop(METADATA, None))
    job.validate_policy()
    return ingest_files(job, members)


def open_tar(job: Job) -> dict[str, Member]:
    """The members, by name, as the listener found them while they arrived."""
    attributes = job.run.attributes
    job.run.stage("open tar", total=attributes.get("members"), unit="members")
    if attributes.get("error"):
        raise lr.Fatal(str(attributes["error"]), kind="data")
    members: dict[str, Member] = {}
    try:
        found = read_manifest(job.store, job.id, attributes.get("manifest"))
        for member in job.run.track(found, unit="members"):
            if member.name in members:
                raise lr.Fatal(f"member {member.name} is in the bundle twice", kind="data")
            members[member.name] = member
    except MissingError:
        raise lr.Fatal("the bundle is not stored any more: send it again", kind="data") from None
    return members


def load_metadata(job: Job, member: Member | None) -> None:
    """Stage `load metadata`."""
    job.run.stage("load metadata", total=member.size if member else None, unit="bytes")
    if member is None:
        raise lr.Fatal(f"the bundle has no {METADATA}", kind="data")
    source = job.store.open(bundle_key(job.id), member.offset)
    try:
        job.load_metadata(_Part(job, source, member.size))
    finally:
        source.close()


def ingest_files(job: Job, members: dict[str, Member]) -> list[Archived]:
    """Stage `ingest files`: one pass through the tar."""
    job.begin_files("ingest files", sum(member.size for member in members.values()))
    named = match(job, members)
    archived = []
    source = job.store.open(bundle_key(job.id))
    position = 0
    job.sync_each = len(members) <= FEW
    try:
        for n, member in enumerate(members.values()):
            entry = named.get(member.name)
            if entry is None:
                continue
            _skip(source, member.offset - position)
            sink = job.archive.create(job.id, job.run.id, n)
            job.copy(source.read, sink, entry, member.size)
            position = member.offset + member.size
            archived.append(Archived(entry, subpath(member.name), n))
    finally:
        source.close()
    return archived


def match(job: Job, members: dict[str, Member]) -> dict[str, FileEntry]:
    """Which entry of the metadata describes which member.

    A path may stand in the tar below data/ or not, and so it may in the metadata.

    Raises:
        Fatal: a file is named and absent, or present and not named.
    """
    named: dict[str, FileEntry] = {}
    unnamed = False
    for entry in job.metadata.files:
        if entry.path is None:
            unnamed = True  # `ingest metadata` tells.
            continue
        candidates = (f"data/{entry.path}", entry.path, subpath(entry.path))
        found = next((name for name in candidates if name in members and name not in named), None)
        if found is None:
            twice = any(name in named for name in candidates)
            why = "is named twice" if twice else "is named in the metadata, but not in the bundle"
            raise lr.Fatal(f"{entry.shown} {why}", kind="data")
        named[found] = entry
    if not unnamed:
        for name in members:
            if name not in named:
                raise lr.Fatal(f"{name} is in the bundle, but not in its metadata", kind="data")
    return named


class _Part:
    """The bytes of one member, counted."""

    def __init__(self, job: Job, source: Source, size: int) -> None:
        self._job = job
        self._source = source
        self._size = self._left = size

    def read(self, size: int) -> bytes:
        data = self._source.read(min(size, self._left))
        self._left -= len(data)
        self._job.run.progress(self._size - self._left)
        return data

    def close(self) -> None:
        """It is the caller's."""


def _skip(source: Source, size: int) -> None:
    """Headers and padding; a folder's file could seek, S3 can't."""
    while size:
        size -= len(source.read(min(size, _SKIP)))
