"""The file to load: found, allowed, recognised, read as UTF-8 from any offset."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from locaria_reporter import Fatal, Run

_ENDS = 64 << 10
_CHUNK = 1 << 20
_UTF8 = "utf-8"
# Pseudo files: what they hold is about this process, its environment among it.
_NEVER = (Path("/proc"), Path("/sys"), Path("/dev"))
_BOMS = (
    (codecs.BOM_UTF8, _UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What an encoding that asks for a mark means where there is none.
_UNMARKED = {"utf-8-sig": _UTF8, "ascii": _UTF8, "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_GZIP = b"\x1f\x8b"
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an Office document"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3\0", "an SQLite database or GeoPackage"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Obj\x01", "an Avro file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x7fELF", "a program"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"<!DOCTYPE html", "a web page: is that an error page instead of the file?"),
    (b"<!doctype html", "a web page: is that an error page instead of the file?"),
    (b"<html", "a web page: is that an error page instead of the file?"),
)


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
    compressed: bool

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
        self._text: BinaryIO = self._file
        if source.compressed:
            self._text = gzip.GzipFile(fileobj=self._file, mode="rb")  # type: ignore[assignment]
        if source.encoding != _UTF8:
            self._decoder = codecs.getincrementaldecoder(source.encoding)()
        self._decoded = source.bom
        self._lines = 1
        if self._text is self._file and self._decoder is None:
            self._file.seek(source.bom + skip)
            return
        self._raw(source.bom)
        while skip > 0 and (dropped := self.read(min(skip, _CHUNK))):
            skip -= len(dropped)

    def read(self, size: int) -> bytes:
        """At most `size` bytes (more where a character takes more in UTF-8); b"" at the end."""
        if self._decoder is None:
            return self._raw(size)
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
            return self._text.read(size)
        except (EOFError, gzip.BadGzipFile) as error:
            raise Fatal(
                f"{self._source.name}: the gzip data ends early or is damaged ({error})",
                kind="data",
            ) from None

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


def find(run: Run, path: str) -> tuple[Path, str]:
    """The local file for a path or URL (which is downloaded), and its name for messages.

    Raises:
        Fatal: there is no such file, or it must not be read.
    """
    parts = urlsplit(path)
    if parts.scheme in ("http", "https"):
        name = Path(unquote(parts.path)).name or parts.hostname or "the download"
        return run.fetch(path), name
    if parts.scheme == "file":
        path = unquote(parts.path)
    elif "://" in path:
        raise Fatal(
            f"path {path!r}: {parts.scheme} is not supported; a local path, http or https is",
            kind="data",
        )
    return _local(path)


def _local(path: str) -> tuple[Path, str]:
    roots = [Path(root) for root in os.environ.get("LOCARIA_FILE_ROOTS", "").split(":") if root]
    given = Path(path)
    if not given.is_absolute():
        if not roots:
            raise Fatal(f"path {path!r} is relative: give it from the root on", kind="data")
        given = roots[0] / given
    try:
        file = given.resolve(strict=True)
        if roots and not any(file.is_relative_to(root.resolve()) for root in roots):
            raise Fatal(
                f"path {path!r} is outside of what may be read here: "
                f"{', '.join(map(str, roots))} (LOCARIA_FILE_ROOTS)",
                kind="config",
            )
        if any(file.is_relative_to(never) for never in _NEVER):
            raise Fatal(f"path {path!r} is no file of data and is not read", kind="config")
        mode = file.stat().st_mode
    except OSError as error:
        raise Fatal(_unreadable(path, error), kind="data") from None
    if stat.S_ISDIR(mode):
        raise Fatal(f"{path} is a directory; insert one row for each file in it", kind="data")
    if not stat.S_ISREG(mode):
        raise Fatal(f"{path} is not a regular file", kind="data")
    return file, given.name


def _unreadable(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"there is no file {path}"
    return f"{path} can't be read: {os.strerror(error.errno or 0)}"


def recognise(path: Path, name: str, encoding: str | None) -> Source:
    """What is in the file.

    Args:
        path: of the file.
        name: for messages.
        encoding: as declared; a byte order mark at the beginning goes with its own only.

    Raises:
        Fatal: it is empty, or no text.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _ENDS))
            tail = file.read(_ENDS)
            file.seek(0)
            head = file.read(_ENDS)
    except OSError as error:
        raise Fatal(_unreadable(str(path), error), kind="data") from None
    if size == 0:
        raise Fatal(f"{name} is empty: 0 bytes", kind="data")
    digest = hashlib.sha256(b"%d " % size + head + tail).hexdigest()[:20]
    compressed = head.startswith(_GZIP)
    if compressed:
        head = _begin_of_gzip(path, name)
    _refuse_binary(head, name)
    bom, found = _byte_order_mark(head, name, encoding)
    return Source(path, name, size, digest, found, bom, compressed)


def _begin_of_gzip(path: Path, name: str) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read(_ENDS)
    except (EOFError, OSError) as error:
        raise Fatal(f"{name}: the gzip data is damaged ({error})", kind="data") from None


def _refuse_binary(head: bytes, name: str) -> None:
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise Fatal(f"{name} is no CSV but {what}", kind="data")


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
