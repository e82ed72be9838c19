"""What a folder and a bucket have in common as object stores.

Keys are relative paths with slashes, made by our code: never taken from a client.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Protocol

# The limit of S3 for a presigned URL (Signature Version 4).
LONGEST_LINK = timedelta(days=7)
# Limits of S3 for a key, and of file systems for a name.
_LONGEST_KEY = 1024
_LONGEST_NAME = 255


class StoreError(Exception):
    """The store cannot be used as asked; the message gives the reason."""


class MissingError(StoreError, FileNotFoundError):
    """There is no object under this key."""


class StoreFailedError(StoreError, OSError):
    """The store failed: an outage, or a missing right."""


class DeniedError(StoreFailedError, PermissionError):
    """The store refused access."""


class Sink(Protocol):
    """An object that is being written. No reader sees it before commit()."""

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""

    def commit(self, *, sync: bool = True) -> None:
        """Make the object visible, replacing one of the same key.

        Args:
            sync: Whether it is durable when this returns; otherwise settle() makes it so.
        """

    def abort(self) -> None:
        """Remove what was written. After commit() this does nothing."""


class ResumableSink(Sink, Protocol):
    """A sink whose writer can resume after a crash."""

    def sync(self) -> dict[str, Any]:
        """Make what was written durable, as far as the store can.

        Returns:
            A JSON object for Store.resume(). Its `bytes` is the number of bytes that are safe; more
            may have been written.
        """

    def close(self) -> None:
        """Stop writing and keep what was written, to resume later."""


class Source(Protocol):
    """An object that is being read."""

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes; b"" at the end."""

    def close(self) -> None:
        """Release the object."""


class Store(Protocol):
    """A store of objects.

    Attributes:
        renames_at_once: Whether rename() is one step.
    """

    renames_at_once: bool

    def create(
        self, key: str, *, content_type: str | None = None, download_name: str | None = None
    ) -> Sink:
        """Begin to write an object.

        Args:
            key: Its key.
            content_type: The media type that a download reports (S3 only).
            download_name: The file name under which a browser saves it (S3 only).
        """

    def resume(self, key: str, state: Mapping[str, Any]) -> ResumableSink:
        """Begin to write an object (state {}), or resume from what sync() returned."""

    def open(self, key: str, offset: int = 0) -> Source:
        """Read an object from a byte offset.

        Raises:
            MissingError: There is no such object.
        """

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, or None if there is no such object."""

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with the prefix and a slash; every key for ""."""

    def delete(self, prefix: str) -> int:
        """Delete the object of this key, and those whose keys begin with it and a slash.

        Returns:
            The number of objects deleted.
        """

    def discard_parts(self, prefix: str) -> None:
        """Delete what writers that died have left of this key, and below it."""

    def rename(self, source: str, target: str) -> None:
        """Move every object below `source` to below `target`."""

    def settle(self) -> None:
        """Return when everything that was committed survives a loss of power."""

    def url(self, key: str) -> str:
        """Return `s3://bucket/prefix/key` or `file:///path/key`."""

    def link(self, key: str, expires: timedelta = LONGEST_LINK) -> str:
        """Return a URL that downloads the object without credentials.

        Args:
            key: The key of the object.
            expires: How long the URL works (S3 only): 7 days at most, and no longer than the
                credentials that sign it, which for a task role is some hours.
        """


def check_key(key: str) -> str:
    """Return the key if every store can use it.

    Raises:
        StoreError: It is empty, too long, has a control character, or an empty, `.` or `..` part.
    """
    parts = key.split("/")
    if not key or any(part in ("", ".", "..") for part in parts) or not key.isprintable():
        raise StoreError(f"{key!r} is not a valid object key")
    too_long = len(key.encode()) > _LONGEST_KEY
    if too_long or any(len(part.encode()) > _LONGEST_NAME for part in parts):
        raise StoreError(f"the object key {key[:80]!r}… is too long")
    return key
