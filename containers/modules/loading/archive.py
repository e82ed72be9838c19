"""Zip archives: members out of them, and nothing else that they might do."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from locaria_reporter import Fatal

from .compression import limit_for, too_large

_MOST_MEMBERS = 10_000
_CHUNK = 1 << 20
# What programs put into archives beside the data.
_NOISE = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


def members(path: Path, name: str) -> list[zipfile.ZipInfo]:
    """The files in an archive, in its order.

    Raises:
        Fatal: it is damaged, or has too many members.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.infolist()
    except _BROKEN as error:
        raise _damaged(name, error) from None
    if len(found) > _MOST_MEMBERS:
        raise Fatal(
            f"{name} has {len(found):,} members, {_MOST_MEMBERS:,} are allowed", kind="data"
        )
    return [each for each in found if not each.is_dir() and not _is_noise(each.filename)]


def extract(path: Path, name: str, wanted: Sequence[zipfile.ZipInfo], folder: Path) -> list[Path]:
    """Write members below `folder`, under their own names; where they are.

    Raises:
        Fatal: a name leads outside, a member is a link or encrypted, one is damaged, or more
            comes out than may.
    """
    for each in wanted:
        _check(each, name)
    limit = limit_for(path.stat().st_size)
    if sum(each.file_size for each in wanted) > limit:
        raise too_large(name, limit)
    free = shutil.disk_usage(folder).free
    needed = sum(each.file_size for each in wanted)
    if needed > free:
        raise Fatal(
            f"{name} unpacks to {needed:,} bytes, the disk has {free:,} left", kind="config"
        )
    written = []
    left = limit
    with zipfile.ZipFile(path) as archive:
        for each in wanted:
            target = folder / each.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            left -= _write(archive, each, target, name=name, left=left, limit=limit)
            written.append(target)
    return written


def _write(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    target: Path,
    *,
    name: str,
    left: int,
    limit: int,
) -> int:
    where = f"{name}, member {member.filename!r}"
    try:
        with archive.open(member) as source, target.open("xb") as out:
            while chunk := source.read(_CHUNK):
                # What the archive says of its sizes need not be true.
                if out.tell() + len(chunk) > left:
                    raise too_large(where, limit)
                out.write(chunk)
            return out.tell()
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
