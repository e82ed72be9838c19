"""/move: files that are on the server's disk already, linked into the archive where that works."""

from __future__ import annotations

import os

from bundles.archive import is_folder
from bundles.manifest import document_key, local_path
from bundles.taking import Found, TakeError, find
from job import Archived, Job, subpath
from metadata import FileEntry
from object_store import MissingError

import locaria_reporter as lr

_CHUNK = 1 << 20


def take_sources(job: Job) -> list[Archived]:
    """Stages `load metadata` to `move files`."""
    job.run.stage("load metadata", total=job.run.attributes.get("bytes"), unit="bytes")
    try:
        source = job.store.open(document_key(job.id))
    except MissingError:
        raise lr.Fatal("the document is not stored any more: send it again", kind="data") from None
    try:
        job.load_metadata(source)
    finally:
        source.close()
    job.validate_policy()
    return move_files(job)


def move_files(job: Job) -> list[Archived]:
    """Stage `move files`. The sources themselves go when the job has succeeded."""
    files = job.metadata.files
    job.begin_files("move files", sum(max(0, entry.size or 0) for entry in files))
    archived, paths = [], set()
    for n, entry in enumerate(files):
        if not entry.source:
            raise lr.Fatal(f"{entry.shown} names no source", kind="data")
        if entry.path is None:
            continue  # `ingest metadata` tells.
        if entry.source in paths:
            raise lr.Fatal(f"source {entry.source} is named twice", kind="data")
        paths.add(entry.source)
        try:
            with find(entry.source, job.config["move_roots"]) as found:
                _take(job, entry, found, n)
        except TakeError as error:
            raise lr.Fatal(str(error), kind="data") from None
        archived.append(Archived(entry, subpath(entry.path), n))
    return archived


def _take(job: Job, entry: FileEntry, found: Found, n: int) -> None:
    before = os.fstat(found.file)
    if _link(job, found, n):
        hashed = job.hasher(entry)
        while data := os.read(found.file, _CHUNK):
            hashed.update(data)
            job.count(len(data))
        job.verify(entry, before.st_size, hashed.hexdigest())
    else:
        sink = job.archive.create(job.id, job.run.id, n)
        job.copy(lambda size: os.read(found.file, size), sink, entry, before.st_size)
    after = os.fstat(found.file)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise lr.Fatal(f"{entry.source} was changed while it was moved", kind="data")


def _link(job: Job, found: Found, n: int) -> bool:
    """Give the file a second name in the archive; False where only a copy works."""
    if not is_folder(job.archive.store):
        return False
    target = local_path(job.archive.store, job.archive.incoming(job.id, job.run.id, n))
    assert target is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(found.name, target, src_dir_fd=found.folder, follow_symlinks=False)
    except FileNotFoundError:
        raise TakeError(f"{found.name} was removed while it was moved") from None
    except OSError:
        return False  # Another file system, or a kernel that guards other people's files.
    linked = target.lstat()
    if (linked.st_dev, linked.st_ino) != found.identity:
        raise TakeError(f"{found.name} was exchanged while it was moved")
    return True
