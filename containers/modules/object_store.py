"""Where containers keep objects: a bucket's prefix on S3, or a folder. The same few calls for both.

The environment variable LOCARIA_OBJECT_STORE says where: `s3://bucket/prefix` or `file:///path`.
An object is there whole or not at all: S3 shows a multipart upload when it is completed, and a
folder gets its file by a rename.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import obstore
from obstore.store import LocalStore, S3Store

VARIABLE = "LOCARIA_OBJECT_STORE"
# S3's own limit for a presigned link (Signature Version 4).
LONGEST_LINK = timedelta(days=7)
_CHUNK = 8 << 20
_LONGEST_KEY = 1024
# How the library calls a file in the making.
_PART = re.compile(r".+#\d+")


class ObjectStoreError(Exception):
    """The store is not configured, or a key can't be used; the message says the fix."""


@dataclass(frozen=True)
class Stored:
    """An object that was put.

    Attributes:
        key: its name below the store's URL.
        url: `s3://…` or `file://…`; no link, it needs credentials.
        size: bytes.
        sha256: of its bytes, in hex.
    """

    key: str
    url: str
    size: int
    sha256: str


class ObjectStore:
    """A store of objects; made by `open_store()`.

    Args:
        url: `s3://bucket/prefix` or `file:///path`.
        credentials: access_key_id, secret_access_key (and session_token), instead of those that
            the environment gives (S3 only).
    """

    def __init__(self, url: str, credentials: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._store: LocalStore | S3Store
        if parts.scheme == "file" and not parts.netloc and parts.path.strip("/"):
            self._folder: Path | None = Path(unquote(parts.path))
            self._store = LocalStore(self._folder, mkdir=True, automatic_cleanup=True)
            self.url = self._folder.as_uri()
        elif parts.scheme == "s3" and parts.netloc:
            self._folder = None
            prefix = parts.path.strip("/")
            self._store = S3Store(
                parts.netloc, prefix=prefix or None, **_s3_settings(credentials or {})
            )
            self.url = f"s3://{parts.netloc}" + (f"/{prefix}" if prefix else "")
        else:
            raise ObjectStoreError(
                f"{VARIABLE} is {url!r}: s3://bucket/prefix or file:///absolute/path is needed"
            )

    def put(
        self,
        key: str,
        data: bytes | Path | Iterable[bytes],
        *,
        content_type: str | None = None,
        download_name: str | None = None,
    ) -> Stored:
        """Store an object, in parts; one of the same key is replaced when all of it is there.

        Args:
            key: its name, like `downloads/17/things.csv`.
            data: bytes, a file, or pieces of any size; hashed on the way.
            content_type: given to whoever downloads it (S3 only).
            download_name: the name that a browser saves it under (S3 only).

        Raises:
            ObjectStoreError: the key can't be used.
            obstore.exceptions.BaseError: the store failed. Whatever `data` raises is raised, too.
                In both cases nothing is stored.
        """
        hashed = _Hashed(_pieces(data))
        attributes = {}
        if self._folder is None:
            if content_type:
                attributes["Content-Type"] = content_type
            if download_name:
                attributes["Content-Disposition"] = _disposition(download_name)
        try:
            obstore.put(
                self._store,
                check_key(key),
                iter(hashed),
                attributes=attributes or None,
                chunk_size=_CHUNK,
                max_concurrency=2,
            )
        except BaseException:
            # What the data raised is said by itself, not as a failure of the store.
            if hashed.raised is not None:
                raise hashed.raised from None
            raise
        return Stored(key, self.url_of(key), hashed.size, hashed.sha256.hexdigest())

    def get(self, key: str, start: int = 0) -> Iterator[bytes]:
        """The object's bytes from byte `start` on, piece by piece.

        Raises:
            FileNotFoundError: there is no such object.
        """
        size = self.size(key)
        for at in range(start, size, _CHUNK):
            yield bytes(
                obstore.get_range(
                    self._store, check_key(key), start=at, length=min(_CHUNK, size - at)
                )
            )

    def size(self, key: str) -> int:
        """How many bytes the object has. Raises FileNotFoundError when there is none."""
        return int(obstore.head(self._store, check_key(key))["size"])

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[str]:
        """The keys below a prefix (whole parts of a key: `downloads/17`)."""
        for some in obstore.list(self._store, prefix=prefix or None):
            for found in some:
                yield found["path"]

    def delete(self, key: str) -> None:
        """Delete an object; nothing happens when there is none."""
        try:
            obstore.delete(self._store, check_key(key))
        except FileNotFoundError:
            return

    def discard_parts(self, prefix: str) -> None:
        """Remove what processes that were killed have left of objects below a prefix.

        Nobody may be storing there. S3 does so itself, by a lifecycle rule of the bucket.
        """
        if self._folder is None:
            return
        for path in (self._folder / check_key(prefix)).rglob("*#*"):
            if _PART.fullmatch(path.name):
                path.unlink()

    def rename(self, key: str, new_key: str) -> None:
        """Give an object another key, over one of that key (S3: a copy, up to 5 GB)."""
        obstore.rename(self._store, check_key(key), check_key(new_key))

    def url_of(self, key: str) -> str:
        """`s3://bucket/prefix/key`, or `file:///path/key`."""
        if self._folder is not None:
            return (self._folder / check_key(key)).as_uri()
        return f"{self.url}/{check_key(key)}"

    def link(self, key: str, expires: timedelta = LONGEST_LINK) -> str:
        """A link that downloads the object without credentials: presigned on S3; a file:// URL.

        Args:
            key: of the object.
            expires: how long the link works: 7 days at most, and on S3 no longer than the
                credentials that sign it (a task role's: some hours).
        """
        if isinstance(self._store, LocalStore):
            return self.url_of(key)
        return obstore.sign(self._store, "GET", check_key(key), min(expires, LONGEST_LINK))


def open_store(url: str | None = None, credentials: Mapping[str, str] | None = None) -> ObjectStore:
    """The store that `url`, or else the environment variable LOCARIA_OBJECT_STORE, names.

    Raises:
        ObjectStoreError: neither is given, or it is no URL of a store.
    """
    url = url or os.environ.get(VARIABLE)
    if not url:
        raise ObjectStoreError(
            f"{VARIABLE} is not set: give s3://bucket/prefix or file:///absolute/path"
        )
    return ObjectStore(url, credentials)


def check_key(key: str) -> str:
    """`key`, if it can be used in every store.

    Raises:
        ObjectStoreError: empty, too long, or with control characters or empty, `.`, `..` parts.
    """
    parts = key.split("/")
    if not key or any(part in ("", ".", "..") for part in parts) or not key.isprintable():
        raise ObjectStoreError(f"{key!r} is no key of an object")
    if len(key.encode()) > _LONGEST_KEY or any(len(part.encode()) > 255 for part in parts):
        raise ObjectStoreError(f"the key {key[:80]!r}… is too long")
    return key


class _Hashed:
    """Passes pieces on; counts and hashes them, and remembers what they raised."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.raised: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._pieces:
                if piece:
                    self.size += len(piece)
                    self.sha256.update(piece)
                    yield piece
        except GeneratorExit:
            raise
        except BaseException as error:
            self.raised = error
            raise


def _pieces(data: bytes | Path | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(data, bytes):
        return [data]
    if isinstance(data, Path):
        return _read(data)
    return data


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece


def _disposition(name: str) -> str:
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _s3_settings(credentials: Mapping[str, str]) -> dict[str, Any]:
    """What AWS's own clients read from the environment and this one would not."""
    wanted = ("access_key_id", "secret_access_key", "session_token")
    settings: dict[str, Any] = {k: v for k, v in credentials.items() if k in wanted}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region:
        settings["region"] = region
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        settings["endpoint"] = endpoint
        if urlsplit(endpoint).scheme == "http":
            settings["client_options"] = {"allow_http": True}
    return settings
