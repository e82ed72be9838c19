"""The files of ingested bundles: written under a temporary name, published together, taken back.

incoming/<job>/<run>/<n>      while an attempt is at work
<job / 1000>/<job>/<n>        published; `n` is the file's place in the bundle
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator

from object_store import VARIABLE, MissingError, Sink, Store, open_store
from object_store.folder import FolderStore

HASH_TYPES = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_CHUNK = 1 << 20


class Archive:
    """The archive in a store of its own.

    Args:
        store: its root holds nothing else.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def key(self, job: int, n: int) -> str:
        """The place of a published file, kept as archived_files.archive_key."""
        return f"{_home(job)}/{_place(n)}"

    def incoming(self, job: int, run: int, n: int) -> str:
        """The temporary place of a file of one attempt."""
        return f"incoming/{job}/{run}/{_place(n)}"

    def create(self, job: int, run: int, n: int) -> Sink:
        """Begin to write a file of an attempt."""
        return self.store.create(self.incoming(job, run, n))

    def prepare(self, job: int, run: int, *, settled: bool = False) -> None:
        """All that takes long before publish(): a sync, unless it was done; S3 copies.

        There the row in the database is what publishes; what was copied for an attempt that then
        fails is removed by discard().
        """
        if not self.store.renames_at_once:
            self._publish(job, run)
        if not settled:
            self.store.settle()

    def publish(self, job: int, run: int) -> None:
        """The files of an attempt get their final names in one step; call it behind the fence."""
        if self.store.renames_at_once:
            self._publish(job, run)

    def _publish(self, job: int, run: int) -> None:
        """What an attempt that crashed before its commit has published is kept.

        It was published in one step, verified against the same metadata, under the same names.
        Replacing it would let a process that was frozen right here, and wakes up when another has
        long succeeded, take away what that one has published.
        """
        source = f"incoming/{job}/{run}"
        try:
            self.store.rename(source, _home(job))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            self.discard_attempt(job, run)

    def discard_attempt(self, job: int, run: int) -> None:
        """What an attempt that failed has written."""
        self.store.delete(f"incoming/{job}/{run}")

    def discard_incoming(self, job: int) -> None:
        """What attempts of a job that is complete have left. Never while one is at work."""
        if not self.store.renames_at_once:
            self.store.discard_parts(f"incoming/{job}")
            self.store.discard_parts(_home(job))
        self.store.delete(f"incoming/{job}")

    def discard(self, job: int) -> None:
        """All of a job that has no transaction: published by a crashed attempt, or incoming."""
        self.discard_incoming(job)
        self.store.delete(_home(job))

    def keys(self) -> Iterator[str]:
        """The keys of all published files, also of those that are in no transaction."""
        for key in self.store.list(""):
            if not key.startswith(("incoming/", "trash/")):
                yield key

    def check(self, key: str, size: int, hashtype: str, hashsum: str) -> str | None:
        """Read a file again: None when it is as it was, else what is wrong with it."""
        hashed = hashlib.new(hashtype, usedforsecurity=False)
        read = 0
        try:
            source = self.store.open(key)
        except MissingError:
            return "missing"
        try:
            while data := source.read(_CHUNK):
                read += len(data)
                hashed.update(data)
        except OSError as error:
            return f"unreadable: {error.strerror or error}"
        finally:
            source.close()
        if read != size:
            return f"has {read:,} bytes instead of {size:,}"
        if hashed.hexdigest() != hashsum:
            return f"rotten: its {hashtype} is {hashed.hexdigest()} instead of {hashsum}"
        return None


def open_stores(object_store: str | None = None) -> tuple[Store, Archive]:
    """The stores of this process: LOCARIA_OBJECT_STORE and LOCARIA_ARCHIVE (default: below it).

    Args:
        object_store: instead of the environment's.

    Raises:
        StoreError: neither is set, or of an unknown kind.
    """
    url = object_store or os.environ.get(VARIABLE, "")
    store = open_store(url, private=True)
    archive = os.environ.get("LOCARIA_ARCHIVE") or f"{url.rstrip('/')}/archive"
    return store, Archive(open_store(archive, private=True))


def is_folder(store: Store) -> bool:
    """Whether files on this disk can be renamed or linked into the store."""
    return isinstance(store, FolderStore)


def _home(job: int) -> str:
    return f"{job // 1000:04d}/{job}"


def _place(n: int) -> str:
    return f"{n // 1000:03d}/{n % 1000:03d}"
