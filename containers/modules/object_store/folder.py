"""A folder as an object store. Objects are written under a temporary name and then renamed."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from object_store.interface import LONGEST_LINK, MissingError

PART = ".part"
_TRASH = "trash"
# The temporary name of create(); that of resume() has no random part.
_TEMPORARY = re.compile(rf".+\.[0-9a-f]{{32}}{re.escape(PART)}")


class FolderStore:
    """A folder.

    Args:
        root: The folder; created if it does not exist.
        private: Whether only this user may read its files.
    """

    renames_at_once = True

    def __init__(self, root: Path, *, private: bool = False) -> None:
        self.root = root
        self._folder_mode = 0o700 if private else 0o777
        self._file_mode = 0o600 if private else 0o666
        self._make_folder(root)

    def path(self, key: str) -> Path:
        """Return the file of a key."""
        return self.root / key

    def create(
        self, key: str, *, content_type: str | None = None, download_name: str | None = None
    ) -> FileSink:
        """Begin to write an object. Files have neither a media type nor a second name."""
        del content_type, download_name
        target = self._target(key)
        temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}{PART}")
        return FileSink(target, temporary, mode=self._file_mode)

    def resume(self, key: str, state: Mapping[str, Any]) -> FileSink:
        """Resume writing an object; bytes behind the safe ones are cut off."""
        target = self._target(key)
        temporary = target.with_name(target.name + PART)
        return FileSink(target, temporary, int(state.get("bytes", 0)), mode=self._file_mode)

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """Read an object."""
        try:
            file = self.path(key).open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise MissingError(f"{key} is not in the store") from None
        file.seek(offset)
        return file

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, or None."""
        try:
            return self.path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys below a folder."""
        for folder, folders, files in os.walk(self.path(prefix)):
            if not prefix and Path(folder) == self.root and _TRASH in folders:
                folders.remove(_TRASH)
            for name in files:
                if not _TEMPORARY.fullmatch(name):
                    yield (Path(folder) / name).relative_to(self.root).as_posix()

    def delete(self, prefix: str) -> int:
        """Delete a file, or a folder with everything in it."""
        path = self.path(prefix)
        if path.is_dir():
            # Moved away in one step, so that a crash does not leave half of it in its place.
            trash = self.root / _TRASH / uuid.uuid4().hex
            trash.parent.mkdir(exist_ok=True)
            path.rename(trash)
            count = sum(len(files) for _, _, files in os.walk(trash))
            shutil.rmtree(trash)
            return count
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return 0
        return 1

    def discard_parts(self, prefix: str) -> None:
        """Delete the temporary files of a key, and below it."""
        path = self.path(prefix)
        for part in (*path.parent.glob(f"{path.name}.*{PART}"), *path.rglob(f"*{PART}")):
            if _TEMPORARY.fullmatch(part.name):
                part.unlink(missing_ok=True)
        path.with_name(path.name + PART).unlink(missing_ok=True)

    def rename(self, source: str, target: str) -> None:
        """Move a folder in one step; the target may exist if it is empty."""
        place = self._target(target)
        self.path(source).rename(place)
        _sync_folder(place.parent)

    def settle(self) -> None:
        """Sync the file system once, instead of once per file."""
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
            if syncfs is None or syncfs(descriptor) != 0:
                os.sync()
        finally:
            os.close(descriptor)

    def url(self, key: str) -> str:
        """Return the file:// URL of an object."""
        return self.path(key).absolute().as_uri()

    def link(self, key: str, expires: timedelta = LONGEST_LINK) -> str:
        """Return the file:// URL of an object; it does not expire."""
        del expires
        return self.url(key)

    def _target(self, key: str) -> Path:
        """Return the file of a key, in a folder that exists."""
        target = self.path(key)
        self._make_folder(target.parent)
        return target

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(mode=self._folder_mode, parents=True, exist_ok=True)


class FileSink:
    """A file that is being written under a temporary name.

    Args:
        target: Its final name.
        temporary: Its name until commit().
        offset: Where to resume in an existing temporary file; None if it must not exist.
        mode: The permissions of the file, less the umask.
    """

    def __init__(
        self, target: Path, temporary: Path, offset: int | None = None, *, mode: int = 0o600
    ) -> None:
        self._target = target
        self._temporary = temporary
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_EXCL if offset is None else 0)
        self._file = os.open(temporary, flags, mode)
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
        """Make what was written survive a loss of power."""
        os.fdatasync(self._file)
        return {"bytes": os.lseek(self._file, 0, os.SEEK_CUR)}

    def close(self) -> None:
        """Stop writing and keep the temporary file, to resume later."""
        if self._open:
            self._open = False
            os.close(self._file)

    def commit(self, *, sync: bool = True) -> None:
        """Sync, close and rename the file."""
        if sync:
            os.fsync(self._file)
        self.close()
        self._temporary.rename(self._target)
        if sync:
            _sync_folder(self._target.parent)

    def abort(self) -> None:
        """Remove the temporary file."""
        if self._open:
            self.close()
            self._temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
