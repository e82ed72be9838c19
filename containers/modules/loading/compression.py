"""Compressed files: gzip, bzip2, xz, zstd; read as a stream, with a limit against bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import zstandard

from locaria_reporter import Fatal

GZIP, BZIP2, XZ, ZSTD = "gzip", "bzip2", "xz", "zstd"
MAGIC = (
    (b"\x1f\x8b", GZIP),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\0", XZ),
    (b"\x28\xb5\x2f\xfd", ZSTD),
)
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
_CHUNK = 1 << 20
# A file may grow to a gigabyte anyhow, beyond it to so many times its size.
_ALWAYS, _RATIO = 1 << 30, 200
_LIMIT_VARIABLE = "LOCARIA_UNPACKED_BYTES"


class _Zstd(io.RawIOBase):
    """Zstandard frames, one after another; one that is cut off is an error, not an end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._object = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._ready = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, target: Any) -> int:
        """The next bytes."""
        while not self._ready:
            data = self._file.read(_CHUNK >> 3)
            if not data:
                if self._begun:
                    raise EOFError("the last frame is not complete")
                return 0
            self._ready = self._decompressed(data)
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _decompressed(self, data: bytes) -> bytes:
        made = []
        while data:
            self._begun = True
            made.append(self._object.decompress(data))
            data = b""
            if self._object.eof:
                data = self._object.unused_data
                self._object = zstandard.ZstdDecompressor().decompressobj()
                self._begun = False
        return b"".join(made)


def compression_of(head: bytes) -> str | None:
    """How a file that begins with `head` is compressed; None when it is not."""
    return next((name for magic, name in MAGIC if head.startswith(magic)), None)


def opened(file: BinaryIO, compression: str | None) -> IO[bytes]:
    """The decompressed bytes of an open file."""
    readers: dict[str | None, Any] = {
        None: lambda: file,
        GZIP: lambda: gzip.GzipFile(fileobj=file, mode="rb"),
        BZIP2: lambda: bz2.BZ2File(file),
        XZ: lambda: lzma.LZMAFile(file),  # noqa: SIM115 - its caller closes it
        ZSTD: lambda: io.BufferedReader(_Zstd(file), _CHUNK),
    }
    reader: IO[bytes] = readers[compression]()
    return reader


@dataclass
class Room:
    """What may still come out of a file and of all archives in it.

    Attributes:
        limit: bytes in all; `left`: of these.
        members: files that may still be in it.
    """

    limit: int
    left: int
    members: int = 10_000

    @classmethod
    def for_file(cls, path: Path) -> Room:
        """For a file that is to be unpacked; a folder is not."""
        limit = limit_for(path.stat().st_size)
        return cls(limit, limit)

    def take(self, size: int, name: str) -> None:
        """Use some.

        Raises:
            Fatal: it is more than there is.
        """
        self.left -= size
        if self.left < 0:
            raise too_large(name, self.limit)


def limit_for(size: int) -> int:
    """How many bytes may come out of a file of so many bytes."""
    given = os.environ.get(_LIMIT_VARIABLE)
    return int(given) if given else max(_ALWAYS, size * _RATIO)


def too_large(name: str, limit: int) -> Fatal:
    """The error for what grows beyond its limit."""
    return Fatal(
        f"{name} unpacks to more than {limit:,} bytes: refused as a bomb; "
        f"{_LIMIT_VARIABLE} in the loader's environment allows more",
        kind="data",
    )


def damaged(name: str, compression: str | None, error: Exception) -> Fatal:
    """The error for compressed data that end early or make no sense."""
    return Fatal(f"{name}: the {compression} data end early or are damaged ({error})", kind="data")


def beginning(path: Path, name: str, compression: str, size: int) -> bytes:
    """The first `size` bytes that come out.

    Raises:
        Fatal: not even these.
    """
    with path.open("rb") as file:
        try:
            return _read_all(opened(file, compression), size)
        except DAMAGED as error:
            raise damaged(name, compression, error) from None


def _read_all(stream: IO[bytes], size: int) -> bytes:
    """Up to `size` bytes: a reader may give fewer at a time."""
    found = io.BytesIO()
    while found.tell() < size and (chunk := stream.read(size - found.tell())):
        found.write(chunk)
    return found.getvalue()


def unpack(path: Path, name: str, compression: str, target: Path, room: Room) -> None:
    """Write what comes out to `target`, as far as there is room.

    Raises:
        Fatal: the data are damaged, or more comes out than may.
    """
    with path.open("rb") as file, target.open("wb") as out:
        stream = opened(file, compression)
        try:
            while chunk := stream.read(_CHUNK):
                room.take(len(chunk), name)
                out.write(chunk)
        except DAMAGED as error:
            raise damaged(name, compression, error) from None
