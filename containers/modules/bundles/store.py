"""Where bundles and archived files lie: a folder, or a bucket of S3, in one small interface.

Keys are relative paths with slashes, made by us: never from what a client has sent.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

PART = ".part"


class StoreError(Exception):
    """The store can't be used, or does not have what was asked for; the message says which."""


class MissingError(StoreError):
    """There is nothing under this key."""


class StoreFailedError(StoreError, OSError):
    """The store does not do it now: an outage, or a right that is missing."""


class Sink(Protocol):
    """An object that is being written; nobody sees it before commit()."""

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""

    def commit(self, *, sync: bool = True) -> None:
        """Make it visible, replacing what was there; durable now, or with settle()."""

    def abort(self) -> None:
        """Leave nothing behind; after commit() a no-op."""


class Source(Protocol):
    """An object that is being read from some offset on."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end."""

    def close(self) -> None:
        """Let go of it."""


class Store(Protocol):
    """What a folder and a bucket have in common.

    Attributes:
        renames_at_once: whether rename() is one step.
    """

    renames_at_once: bool

    def create(self, key: str) -> Sink:
        """Begin to write an object."""

    def open(self, key: str, offset: int = 0) -> Source:
        """Read an object. Raises MissingError."""

    def size(self, key: str) -> int | None:
        """Its size in bytes; None: there is no such object."""

    def delete(self, prefix: str) -> int:
        """Delete what has this key, or begins with it and a slash; how many objects went."""

    def discard_parts(self, key: str) -> None:
        """Delete what writers of this key, or (S3) below it, that died have left."""

    def rename(self, source: str, target: str) -> None:
        """Move all that begins with `source` and a slash to begin with `target` and a slash."""

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that begin with this prefix and a slash."""

    def settle(self) -> None:
        """Return when all that was committed survives a loss of power."""

    def resume(self, key: str, state: Mapping[str, Any]) -> Resumable:
        """Begin to write an object ({}), or go on from what sync() has said."""


class Resumable(Sink, Protocol):
    """An object that can be gone on with after a crash of its writer."""

    def sync(self) -> dict[str, Any]:
        """Make durable what was written, as far as the store can: where to go on, as JSON.

        Its "bytes" says how many bytes are safe; more may have been written.
        """

    def close(self) -> None:
        """Stop writing, to go on later."""


def open_store(url: str) -> Store:
    """The store of a URL: file:///path, a plain path, or s3://bucket/prefix.

    Raises:
        StoreError: of another kind.
    """
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        from bundles.s3 import S3Store  # noqa: PLC0415 - boto3 is slow to import

        return S3Store(parts.netloc, parts.path.strip("/"))
    raise StoreError(f"object store {parts.scheme}://: only file:// and s3:// are known")


class FolderStore:
    """A folder. Objects are written under a temporary name and renamed when they are whole."""

    renames_at_once = True

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """The file of a key."""
        return self.root / key

    def create(self, key: str) -> FileSink:
        """Begin to write an object."""
        target = self.path(key)
        return FileSink(target, target.with_name(f"{target.name}.{uuid.uuid4().hex}{PART}"))

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """Read an object."""
        try:
            file = self.path(key).open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise MissingError(f"{key} is not in the store") from None
        file.seek(offset)
        return file

    def size(self, key: str) -> int | None:
        """Its size, or None."""
        try:
            return self.path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def delete(self, prefix: str) -> int:
        """Delete a file, or a folder with all that is in it."""
        path = self.path(prefix)
        if path.is_dir():
            # Out of sight in one step; a crash in the middle leaves no half of it in its place.
            trash = self.root / "trash" / uuid.uuid4().hex
            trash.parent.mkdir(exist_ok=True)
            path.rename(trash)
            count = sum(len(files) for _, _, files in os.walk(trash))
            shutil.rmtree(trash)
            return count
        try:
            path.unlink()
        except FileNotFoundError:
            return 0
        return 1

    def discard_parts(self, key: str) -> None:
        """Delete temporary files of a key."""
        path = self.path(key)
        for part in path.parent.glob(f"{path.name}.*{PART}"):
            part.unlink(missing_ok=True)
        path.with_name(path.name + PART).unlink(missing_ok=True)

    def rename(self, source: str, target: str) -> None:
        """Move a folder in one step; an empty target is fine."""
        place = self.path(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        self.path(source).rename(place)
        _sync_folder(place.parent)

    def list(self, prefix: str) -> Iterator[str]:
        """All files below a folder."""
        for folder, _, files in os.walk(self.path(prefix)):
            for name in files:
                yield (Path(folder) / name).relative_to(self.root).as_posix()

    def settle(self) -> None:
        """One sync of the file system, instead of one of each file."""
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
            if syncfs is None or syncfs(descriptor) != 0:
                os.sync()
        finally:
            os.close(descriptor)

    def resume(self, key: str, state: Mapping[str, Any]) -> FileSink:
        """Go on with an unfinished object; what stands behind the safe bytes is cut off."""
        target = self.path(key)
        return FileSink(target, target.with_name(target.name + PART), int(state.get("bytes", 0)))


class FileSink:
    """A file under a temporary name.

    Args:
        target: its name when it is whole.
        temporary: its name until then.
        offset: where to go on in a temporary file that exists; None: it must not exist.
    """

    def __init__(self, target: Path, temporary: Path, offset: int | None = None) -> None:
        self._target = target
        self._temporary = temporary
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_EXCL if offset is None else 0)
        self._file = os.open(temporary, flags, 0o600)
        if offset is not None:
            if os.fstat(self._file).st_size < offset:
                os.close(self._file)
                raise MissingError(f"{target.name}: the bytes that were stored are gone")
            os.truncate(self._file, offset)
            os.lseek(self._file, offset, os.SEEK_SET)
        self._open = True

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def sync(self) -> dict[str, Any]:
        """What was written survives a loss of power."""
        os.fdatasync(self._file)
        return {"bytes": os.lseek(self._file, 0, os.SEEK_CUR)}

    def close(self) -> None:
        """Stop writing and keep the temporary file, to go on later."""
        if self._open:
            self._open = False
            os.close(self._file)

    def commit(self, *, sync: bool = True) -> None:
        """Sync, close, rename."""
        if sync:
            os.fsync(self._file)
        self.close()
        self._temporary.rename(self._target)
        if sync:
            _sync_folder(self._target.parent)

    def abort(self) -> None:
        """Remove it."""
        if self._open:
            self.close()
            self._temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
