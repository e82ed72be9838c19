"""What requests and answers of tus 1.0 look like: headers, checksums, bodies in pieces."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate

from answers import Refused
from jobs import Config
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

VERSION = "1.0.0"
ALGORITHMS = ("sha1", "md5", "sha256", "sha512")
_PATIENCE_S = 1.0
_BATCH = 512 << 10


@dataclass(frozen=True)
class Checksum:
    """Upload-Checksum: algorithm and digest."""

    algorithm: str
    digest: bytes

    @classmethod
    def of(cls, request: Request) -> Checksum | None:
        """That of a request. Raises Refused 400: unknown, or no base64."""
        given = request.headers.get("upload-checksum")
        if given is None:
            return None
        algorithm, _, text = given.partition(" ")
        if algorithm not in ALGORITHMS:
            raise Refused(400, f"Upload-Checksum: {algorithm[:20]!r} is not supported")
        try:
            return cls(algorithm, base64.b64decode(text, validate=True))
        except binascii.Error:
            raise Refused(400, "Upload-Checksum: no base64") from None


async def batches(request: Request, config: Config) -> AsyncIterator[list[bytes]]:
    """The body in pieces worth a thread; of a slow client what has come within a second.

    Raises:
        Refused: 408, no byte came for long.
        ClientDisconnect: what came before has been yielded: that is what tus is for.
    """
    chunks: list[bytes] = []
    while True:
        try:
            patience = min(_PATIENCE_S, config.idle_seconds) if chunks else config.idle_seconds
            async with asyncio.timeout(patience):
                message = await request.receive()
        except TimeoutError:
            if not chunks:
                raise Refused(408, f"no byte came for {config.idle_seconds:g} s") from None
            yield chunks
            chunks = []
            continue
        if message["type"] == "http.disconnect":
            yield chunks
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
        if sum(map(len, chunks)) >= _BATCH:
            yield chunks
            chunks = []
    yield chunks


def check_version(request: Request) -> None:
    """Raises Refused 412: another version of the protocol."""
    if request.headers.get("tus-resumable") != VERSION:
        raise Refused(412, f"Tus-Resumable must be {VERSION}")


def number(request: Request, header: str) -> int:
    """A header that must be a whole number. Raises Refused 400."""
    given = request.headers.get(header, "")
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise Refused(400, f"{header.title()} must be a whole number")
    return int(given)


def answer(
    status: int, job: int, offset: int, config: Config, more: dict[str, str] | None = None
) -> Response:
    """An answer without a body."""
    expires = formatdate(time.time() + config.resumable_seconds, usegmt=True)
    return Response(
        status_code=status,
        headers={
            "Tus-Resumable": VERSION,
            "Upload-Offset": str(offset),
            "Upload-Expires": expires,
            "Locaria-Job-Id": str(job),
            **(more or {}),
        },
    )
