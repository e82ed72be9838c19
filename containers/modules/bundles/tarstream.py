"""Reads a tar while it arrives: headers are looked at, members are hashed, nothing is kept.

`tarfile` wants a file that it can read from; here blocks are pushed in, as an HTTP server gets
them. Of tarfile one header block's parser is used, which knows base-256 numbers and checksums.

Every member that is neither a regular file nor a folder is refused, as is a name that leads
out of the bundle or is not UTF-8: nobody downstream has to think of links, devices or `..` again.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

BLOCK = tarfile.BLOCKSIZE
METADATA = "metadata.txt"
_LONGEST_NAME = 4096
_LONGEST_EXTENSION = 1 << 20
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_COMPRESSED = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
)


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in the bundle.

    Attributes:
        name: as it stands in the tar, without doubled slashes and `./`.
        offset: where its bytes begin in the tar.
        size: how many they are.
        sha1: of them, hex.
    """

    name: str
    offset: int
    size: int
    sha1: str


class BundleError(Exception):
    """The tar can't be accepted; the message says why, and names the member."""


class TooManyMembersError(BundleError):
    """More members than is allowed."""


class TarStream:
    """A tar, pushed in by feed() and ended by close().

    Args:
        on_member: called with every regular file, when its last byte has come.
        max_members: how many members of any kind there may be.

    Attributes:
        error: why the tar is refused; None as long as all is well. What comes after is ignored.
    """

    def __init__(self, on_member: Callable[[Member], None], max_members: int) -> None:
        self.error: str | None = None
        self._on_member = on_member
        self._max_members = max_members
        self._position = 0
        self._buffer = bytearray()
        self._wanted = BLOCK
        self._step: Callable[[bytes], None] = self._header
        self._skip = 0
        self._member: tuple[str, int, int] | None = None
        self._left = 0
        self._hash = hashlib.sha1(usedforsecurity=False)
        self._extension = b""
        self._long_name: str | None = None
        self._pax: dict[str, str] = {}
        self._global_pax: dict[str, str] = {}
        self._members = 0
        self._ended = False
        self._begun = False

    def feed(self, data: bytes | memoryview) -> None:
        """The next bytes. Raises TooManyMembersError; any other trouble becomes `error`."""
        view = memoryview(data)
        while view and self.error is None and not self._ended:
            try:
                view = self._eat(view)
            except TooManyMembersError:
                raise
            except BundleError as error:
                self.error = str(error)
        self._position += len(view)

    def close(self) -> None:
        """There is no more: a tar that ends in the middle is an error."""
        if self.error is not None or self._ended:
            return
        if not self._begun and not self._buffer:
            self.error = "Failed to open tarfile: the bundle is empty"
        elif not self._begun:
            self.error = self._not_a_tar(bytes(self._buffer), None)
        elif self._member is not None:
            self.error = f"the bundle is truncated within {self._member[0]}"
        elif self._buffer or self._extension:
            self.error = "the bundle is truncated within a header"

    def _eat(self, view: memoryview) -> memoryview:
        if self._member is not None and self._left:
            piece = view[: self._left]
            self._hash.update(piece)
            self._left -= len(piece)
            self._position += len(piece)
            if not self._left:
                self._end_member()
            return view[len(piece) :]
        if self._skip:
            skipped = min(self._skip, len(view))
            self._skip -= skipped
            self._position += skipped
            return view[skipped:]
        piece = view[: self._wanted - len(self._buffer)]
        self._buffer += piece
        self._position += len(piece)
        if len(self._buffer) == self._wanted:
            block, self._buffer = bytes(self._buffer), bytearray()
            self._step(block)
        return view[len(piece) :]

    def _end_member(self) -> None:
        assert self._member is not None
        name, offset, size = self._member
        self._member = None
        self._skip = -size % BLOCK
        self._on_member(Member(name, offset, size, self._hash.hexdigest()))

    def _header(self, block: bytes) -> None:
        if block.count(0) == BLOCK:
            self._ended = self._begun
            if not self._begun:
                raise BundleError("Failed to open tarfile: the bundle begins with empty blocks")
            return
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise BundleError(self._not_a_tar(block, error)) from None
        self._begun = True
        self._members += 1
        if self._members > self._max_members:
            raise TooManyMembersError(f"the bundle has more than {self._max_members:,} members")
        if info.size < 0:
            raise BundleError(f"member {_shown(info.name)} has a negative size")
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            self._read_extension(info, self._take_long_name)
        elif info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            self._read_extension(info, self._take_pax)
        elif info.type == tarfile.XGLTYPE:
            self._read_extension(info, self._take_global_pax)
        else:
            self._begin_member(info)

    def _not_a_tar(self, block: bytes, error: tarfile.HeaderError | None) -> str:
        if self._begun:
            return f"the bundle is damaged at byte {self._position - BLOCK:,}: {error}"
        for magic, name in _COMPRESSED:
            if block.startswith(magic):
                return (
                    f"Failed to open tarfile: the bundle is compressed ({name}); send a plain tar"
                )
        return "Failed to open tarfile: the bundle is not a tar"

    def _read_extension(self, info: tarfile.TarInfo, take: Callable[[bytes], None]) -> None:
        """A long name or a PAX header: its data, in whole blocks, comes next."""
        if info.size > _LONGEST_EXTENSION:
            raise BundleError(f"a header of the bundle is {info.size:,} bytes long")
        size = info.size

        def step(data: bytes) -> None:
            self._step, self._wanted, self._extension = self._header, BLOCK, b""
            take(data[:size])

        if not size:
            take(b"")
            return
        self._extension = info.type
        self._step, self._wanted = step, size + -size % BLOCK

    def _take_long_name(self, data: bytes) -> None:
        # A long link target is read the same way; the link that follows is refused anyway.
        self._long_name = data.rstrip(b"\0").decode("utf-8", "surrogateescape")

    def _take_pax(self, data: bytes) -> None:
        self._pax = _pax_records(data)

    def _take_global_pax(self, data: bytes) -> None:
        self._global_pax |= _pax_records(data)
        if len(self._global_pax) > 1000:
            raise BundleError("the bundle has more than 1,000 global headers")

    def _begin_member(self, info: tarfile.TarInfo) -> None:
        pax = self._global_pax | self._pax
        name = pax.get("path") or self._long_name or info.name
        size = _pax_size(pax["size"]) if "size" in pax else info.size
        self._pax, self._long_name = {}, None
        if any(key.startswith("GNU.sparse.") for key in pax):
            raise BundleError(f"member {_shown(name)} is a sparse file: send it whole")
        clean = clean_name(name)
        if info.type in _KINDS or info.type not in (*_REGULAR, tarfile.DIRTYPE):
            kind = _KINDS.get(info.type, f"of the unknown type {info.type!r}")
            raise BundleError(f"member {_shown(name)} is {kind}: only files are accepted")
        if info.type == tarfile.DIRTYPE or name.endswith("/"):
            if size and info.type != tarfile.DIRTYPE:
                raise BundleError(f"member {_shown(name)} is a folder with bytes of its own")
            self._skip = size + -size % BLOCK
            return
        if not clean:
            raise BundleError(f"member {_shown(name)} has no name")
        self._member, self._left = (clean, self._position, size), size
        self._hash = hashlib.sha1(usedforsecurity=False)
        if not size:
            self._end_member()


def clean_name(name: str) -> str:
    """A member's name without `./`, doubled and trailing slashes.

    Raises:
        BundleError: it leads out of the bundle, is no UTF-8, or is very long.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BundleError(f"the name of member {_shown(name)} is not UTF-8") from None
    if len(name) > _LONGEST_NAME:
        raise BundleError(f"the name of member {_shown(name)} is {len(name):,} characters long")
    if "\0" in name:
        raise BundleError(f"the name of member {_shown(name)} has a NUL in it")
    if name.startswith("/"):
        raise BundleError(f"member {_shown(name)} has an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BundleError(f"member {_shown(name)} leads out of the bundle (..)")
    return "/".join(parts)


def _shown(name: str) -> str:
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = text if len(text) <= 200 else f"{text[:200]}…"
    return text if text.isprintable() else ascii(text)


def _pax_records(data: bytes) -> dict[str, str]:
    """The records `length key=value\\n` of a PAX header (POSIX 1003.1, pax)."""
    records = {}
    while data:
        digits, separator, _ = data.partition(b" ")
        if not separator or not digits.isdigit() or len(digits) > 8:
            raise BundleError("a PAX header of the bundle is damaged")
        length = int(digits)
        record = data[len(digits) + 1 : length]
        key, separator, value = record.partition(b"=")
        if length > len(data) or not separator or not value.endswith(b"\n"):
            raise BundleError("a PAX header of the bundle is damaged")
        records[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        data = data[length:]
    return records


def _pax_size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise BundleError(f"a PAX header of the bundle gives the size {_shown(text)}")
    return int(text)
