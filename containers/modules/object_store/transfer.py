"""Whole objects in one call: put with a checksum, get in pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from object_store.interface import Store, StoreError, check_key

_CHUNK = 8 << 20


@dataclass(frozen=True)
class Stored:
    """An object that was stored.

    Attributes:
        key: Its key.
        url: `s3://…` or `file://…`; reading it needs credentials.
        size: Its size in bytes.
        sha256: The SHA-256 of its bytes, in hexadecimal.
    """

    key: str
    url: str
    size: int
    sha256: str


def put_object(
    store: Store,
    key: str,
    data: bytes | Path | Iterable[bytes],
    *,
    content_type: str | None = None,
    download_name: str | None = None,
) -> Stored:
    """Store an object; one of the same key is replaced once all of it has arrived.

    Args:
        store: The store.
        key: Its key, such as `downloads/17/things.csv`.
        data: Bytes, a file, or pieces of any size.
        content_type: The media type that a download reports (S3 only).
        download_name: The file name under which a browser saves it (S3 only).

    Raises:
        StoreError: The key is not valid, or the store failed. Nothing is stored then, and neither
            if `data` raises an exception, which is passed on.
    """
    sink = store.create(check_key(key), content_type=content_type, download_name=download_name)
    sha256 = hashlib.sha256()
    size = 0
    try:
        for piece in _pieces(data):
            sink.write(piece)
            sha256.update(piece)
            size += len(piece)
        sink.commit()
    except BaseException:
        # discard_parts() removes what a failed abort leaves; the first error is the one to report.
        with suppress(StoreError):
            sink.abort()
        raise
    return Stored(key, store.url(key), size, sha256.hexdigest())


def get_object(store: Store, key: str, offset: int = 0) -> Iterator[bytes]:
    """Yield the bytes of an object in pieces.

    Raises:
        MissingError: There is no such object.
        StoreFailedError: The store failed.
    """
    source = store.open(check_key(key), offset)
    try:
        while piece := source.read(_CHUNK):
            yield piece
    finally:
        source.close()


def _pieces(data: bytes | Path | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif isinstance(data, Path):
        with data.open("rb") as file:
            while piece := file.read(_CHUNK):
                yield piece
    else:
        yield from data
