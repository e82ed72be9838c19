"""An upload of tus that this process works on: its bytes on their way into the store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import IO

from answers import Refused
from bundles.manifest import bundle_key, manifest_key
from jobs import Config
from object_store import ResumableSink, Store
from receive import Received, Receiver
from tus_messages import Checksum

_CHECKSUM_MISMATCH = 460
_WAIT_S = 10.0
_CHUNK = 1 << 20


@dataclass
class Upload:
    """An upload that this process works on.

    Attributes:
        receiver: has seen every byte from the first on; None: the stored object is read at the end.
        offset: how many bytes have come.
    """

    job: int
    length: int
    sink: ResumableSink
    receiver: Receiver | None
    offset: int
    again: bool
    expires_at: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@asynccontextmanager
async def held(upload: Upload) -> AsyncIterator[None]:
    """One PATCH at a time; one whose connection hangs is waited for a little."""
    try:
        async with asyncio.timeout(_WAIT_S):
            await upload.lock.acquire()
    except TimeoutError:
        raise Refused(423, "another request is at work on this upload") from None
    try:
        yield
    finally:
        upload.lock.release()


def write(upload: Upload, chunks: list[bytes]) -> None:
    """Bytes into the store, through the receiver where there is one."""
    if upload.receiver is not None:
        upload.receiver.write(chunks)
    else:
        for chunk in chunks:
            upload.sink.write(chunk)
    upload.offset += sum(map(len, chunks))


def abandon(upload: Upload) -> None:
    """Let go of an upload whose client does not come back."""
    if upload.receiver is not None:
        upload.receiver.abort()
    else:
        upload.sink.abort()


def write_checked(upload: Upload, waiting: IO[bytes], checksum: Checksum) -> None:
    """What waited on disk, if its checksum is right. Raises Refused."""
    hashed = hashlib.new(checksum.algorithm, usedforsecurity=False)
    waiting.seek(0)
    while data := waiting.read(_CHUNK):
        hashed.update(data)
    if hashed.digest() != checksum.digest:
        raise Refused(_CHECKSUM_MISMATCH, "Checksum Mismatch")
    if waiting.tell() + upload.offset > upload.length:
        raise Refused(413, "more bytes than Upload-Length")
    waiting.seek(0)
    while data := waiting.read(_CHUNK):
        write(upload, [data])


def read_again(store: Store, upload: Upload, config: Config) -> Received:
    """Begun by another listener: read from the store what has not been seen."""
    upload.sink.commit()
    store.discard_parts(manifest_key(upload.job))
    receiver = Receiver(
        store,
        upload.job,
        max_bytes=config.max_bytes,
        max_members=config.max_members,
        stored=True,
    )
    source = store.open(bundle_key(upload.job))
    try:
        while data := source.read(_CHUNK):
            receiver.write([data])
        return receiver.finish()
    except BaseException:
        receiver.abort()
        raise
    finally:
        source.close()
