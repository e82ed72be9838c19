"""Zip archives: members out of them, and nothing else that they might do."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from loading.compression import Room
from locaria_reporter import Fatal

_CHUNK = 1 << 20
# What programs put into archives beside the data.
_NOISE = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


def members(path: Path, name: str, room: Room) -> list[zipfile.ZipInfo]:
    """The files in an archive, in its order.

    Args:
        path: of the archive.
        name: for messages.
        room: how many there may be.

    Raises:
        Fatal: it is damaged, or has too many members.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.infolist()
    except _BROKEN as error:
        raise _damaged(name, error) from None
    if len(found) > room.members:
        raise Fatal(f"{name} has {len(found):,} members, {room.members:,} are allowed", kind="data")
    room.members -= len(found)
    return [each for each in found if not each.is_dir() and not _is_noise(each.filename)]


def refuse_bomb(name: str, found: Sequence[zipfile.ZipInfo], room: Room) -> None:
    """Refuse a document that consists of these members, where it says that it is too large.

    Raises:
        Fatal: it is.
    """
    room.take(sum(each.file_size for each in found), name)


def extract(
    path: Path, name: str, wanted: Sequence[zipfile.ZipInfo], folder: Path, room: Room
) -> list[Path]:
    """Write members below `folder`, under their own names; where they are.

    Raises:
        Fatal: a name leads outside, a member is a link or encrypted, one is damaged, or more
            comes out than may.
    """
    for each in wanted:
        _check(each, name)
    needed = sum(each.file_size for each in wanted)
    if needed > room.left:
        room.take(needed, name)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise Fatal(
            f"{name} unpacks to {needed:,} bytes, the disk has {free:,} left", kind="config"
        )
    written = []
    with zipfile.ZipFile(path) as archive:
        for each in wanted:
            target = folder / each.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(archive, each, target, f"{name}, member {each.filename!r}", room)
            written.append(target)
    return written


def _write(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, where: str, room: Room
) -> None:
    try:
        with archive.open(member) as source, target.open("xb") as out:
            while chunk := source.read(_CHUNK):
                # What the archive says of its sizes need not be true.
                room.take(len(chunk), where)
                out.write(chunk)
    except FileExistsError:
        raise Fatal(f"{where} is there twice", kind="data") from None
    except _BROKEN as error:
        raise _damaged(where, error) from None


def _check(member: zipfile.ZipInfo, name: str) -> None:
    parts = PurePosixPath(member.filename)
    if parts.is_absolute() or ".." in parts.parts or "\\" in member.filename:
        raise Fatal(f"{name}: member {member.filename!r} leads out of the archive", kind="data")
    mode = member.external_attr >> 16
    if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        raise Fatal(f"{name}: member {member.filename!r} is not a regular file", kind="data")
    if member.flag_bits & 1:
        raise Fatal(f"{name}: member {member.filename!r} is encrypted", kind="data")


def _is_noise(filename: str) -> bool:
    return any(filename.startswith(word) or filename.endswith(word) for word in _NOISE)


def _damaged(where: str, error: Exception) -> Fatal:
    return Fatal(f"{where}: the zip archive is cut off or damaged ({error})", kind="data")
