"""A text file: recognised, and read as UTF-8 from any offset."""

from __future__ import annotations

import codecs
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from loading.compression import (
    DAMAGED,
    beginning,
    compression_of,
    damaged,
    limit_for,
    opened,
    too_large,
)
from locaria_reporter import Fatal

_ENDS = 64 << 10
_CHUNK = 1 << 20
_UTF8 = "utf-8"
_BOMS = (
    (codecs.BOM_UTF8, _UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What an encoding that asks for a mark means where there is none.
_UNMARKED = {"utf-8-sig": _UTF8, "ascii": _UTF8, "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


@dataclass(frozen=True)
class Source:
    """A file, recognised.

    Attributes:
        name: as its user knows it.
        size: bytes of the file as it is stored.
        fingerprint: changes when the file does (size, beginning and end); tells a later attempt
            whether its checkpoint is about the same file.
        encoding: what the text is written in; `bom` bytes are skipped.
    """

    path: Path
    name: str
    size: int
    fingerprint: str
    encoding: str
    bom: int
    compression: str | None

    def open(self, skip: int = 0) -> Stream:
        """The text in UTF-8, from byte `skip` of it on."""
        return Stream(self, skip)


class Stream:
    """Reads a source as UTF-8.

    Raises:
        Fatal: by read(), when the bytes are not what the encoding or the compression says.
    """

    def __init__(self, source: Source, skip: int) -> None:
        self._source = source
        self._file: BinaryIO = source.path.open("rb", buffering=0)
        self._decoder: codecs.IncrementalDecoder | None = None
        self._text: IO[bytes] = self._file
        self._out, self._limit = 0, limit_for(source.size)
        if source.compression is not None:
            self._text = opened(self._file, source.compression)
        if source.encoding != _UTF8:
            self._decoder = codecs.getincrementaldecoder(source.encoding)()
        self._decoded = source.bom
        self._lines = 1
        self._ready = b""
        if self._text is self._file and self._decoder is None:
            self._file.seek(source.bom + skip)
            return
        self._raw(source.bom)
        while skip > 0 and (dropped := self.read(min(skip, _CHUNK))):
            # A character may take more bytes in UTF-8 than in the file.
            self._ready = dropped[skip:]
            skip -= len(dropped)

    def read(self, size: int) -> bytes:
        """At most `size` bytes (more where a character takes more in UTF-8); b"" at the end."""
        if self._decoder is None:
            return self._raw(size)
        if self._ready:
            ready, self._ready = self._ready, b""
            return ready
        data, text = b"", ""
        while not text and (data := self._raw(min(size, _CHUNK))):
            text = self._decode(data, final=False)
        return (text or self._decode(b"", final=True)).encode()

    def position(self) -> int:
        """How many bytes of the file have been read."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._text.close()
        self._file.close()

    def _raw(self, size: int) -> bytes:
        try:
            data = self._text.read(size)
        except DAMAGED as error:
            if self._source.compression is None:
                raise
            raise damaged(self._source.name, self._source.compression, error) from None
        if self._source.compression is not None:
            self._out += len(data)
            if self._out > self._limit:
                raise too_large(self._source.name, self._limit)
        return data

    def _decode(self, data: bytes, *, final: bool) -> str:
        decoder = self._decoder
        assert decoder is not None
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(data, final)
        except UnicodeDecodeError as error:
            whole = error.object
            line = self._lines + whole[: error.start].decode(self._source.encoding, "ignore").count(
                "\n"
            )
            raise not_text(
                self._source, whole[error.start], self._decoded - pending + error.start, line
            ) from None
        self._decoded += len(data)
        self._lines += text.count("\n")
        return text


def not_text(source: Source, byte: int, offset: int, line: int) -> Fatal:
    """The error for a byte that the encoding does not have."""
    return Fatal(
        f"{source.name} is not {source.encoding}: byte 0x{byte:02X} at offset {offset:,}, "
        f'line {line:,}; say by attribute encoding what it is, for instance "cp1252"',
        kind="data",
    )


def recognise(path: Path, name: str, encoding: str | None) -> Source:
    """What is in the text file.

    Args:
        path: of the file.
        name: for messages.
        encoding: as declared; a byte order mark at the beginning goes with its own only.

    Raises:
        Fatal: it is empty, or no text.
    """
    size, digest, head = look_at(path, name)
    compression = compression_of(head)
    if compression is not None:
        head = beginning(path, name, compression, _ENDS)
    bom, found = _byte_order_mark(head, name, encoding)
    return Source(path, name, size, digest, found, bom, compression)


def look_at(path: Path, name: str) -> tuple[int, str, bytes]:
    """A file's size, its fingerprint (of size, beginning and end) and its beginning.

    Raises:
        Fatal: it can't be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _ENDS))
            tail = file.read(_ENDS)
            file.seek(0)
            head = file.read(_ENDS)
    except OSError as error:
        raise Fatal(unreadable(str(path), error), kind="data") from None
    if size == 0:
        raise Fatal(f"{name} is empty: 0 bytes", kind="data")
    return size, hashlib.sha256(b"%d " % size + head + tail).hexdigest()[:20], head


def unreadable(path: str, error: OSError) -> str:
    """Why a file can't be read, in words."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"there is no file {path}"
    return f"{path} can't be read: {os.strerror(error.errno or 0)}"


def _byte_order_mark(head: bytes, name: str, encoding: str | None) -> tuple[int, str]:
    for mark, marked in _BOMS:
        if head.startswith(mark):
            if encoding is None or encoding.split("-")[:2] == marked.split("-")[:2]:
                return len(mark), marked
            if encoding == "utf-8-sig" and marked == _UTF8:
                return len(mark), marked
            raise Fatal(
                f"{name} begins with the byte order mark of {marked}, "
                f"but attribute encoding says {encoding}",
                kind="data",
            )
    if encoding is not None:
        return 0, _UNMARKED.get(encoding, encoding)
    if head.count(0) > len(head) // 5:
        raise Fatal(
            f"{name} is no text: every {len(head) // head.count(0)}. byte of its beginning is NUL; "
            'if it is UTF-16, say by attribute encoding "utf-16-le" or "utf-16-be"',
            kind="data",
        )
    return 0, _UTF8
