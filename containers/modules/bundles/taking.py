"""Files on the server's disk that /move names: found below configured roots, without a symlink.

Each folder on the way is opened from the one above with O_NOFOLLOW: a path that is exchanged for a
symbolic link while we look at it leads nowhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath


class TakeError(Exception):
    """A file must not, or can't, be taken; the message says why and names it."""


@dataclass(frozen=True)
class Found:
    """A regular file, open for reading.

    Attributes:
        folder: descriptor of its folder.
        name: in that folder.
        file: descriptor of the file.
    """

    folder: int
    name: str
    file: int

    @property
    def identity(self) -> tuple[int, int]:
        """Which file it is, whatever its name is by now."""
        found = os.fstat(self.file)
        return found.st_dev, found.st_ino

    def unlink_if(self, identity: tuple[int, int]) -> bool:
        """Remove the name, if it is still that of this file."""
        found = os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        if (found.st_dev, found.st_ino) != identity:
            return False
        os.unlink(self.name, dir_fd=self.folder)
        return True


@contextmanager
def find(path: str, roots: Sequence[str]) -> Iterator[Found]:
    """Open a file below one of the roots.

    Raises:
        TakeError: it is not below a root, missing, reached by a symbolic link, or no regular file.
    """
    root, parts = _split(path, roots)
    opened: list[int] = []
    try:
        opened.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
        for part in parts[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            opened.append(os.open(part, flags, dir_fd=opened[-1]))
        # Without O_NONBLOCK a pipe would hold us until somebody writes to it.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        opened.append(os.open(parts[-1], flags, dir_fd=opened[-1]))
        if not stat.S_ISREG(os.fstat(opened[-1]).st_mode):
            raise TakeError(f"{path} is no regular file")
        yield Found(opened[-2], parts[-1], opened[-1])
    except OSError as error:
        raise TakeError(f"{path} can't be taken: {error.strerror}") from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _split(path: str, roots: Sequence[str]) -> tuple[str, list[str]]:
    if not roots:
        raise TakeError(
            "no folder is configured from which files may be moved: "
            "parameters, ingest_config, move_roots"
        )
    if "\0" in path or not path.startswith("/"):
        raise TakeError(f"source {path!r} is no absolute path")
    given = PurePosixPath(path)
    if ".." in given.parts:
        raise TakeError(f"source {path!r} has a .. in it")
    for root in roots:
        if given.is_relative_to(root) and given != PurePosixPath(root):
            return root, list(given.relative_to(root).parts)
    raise TakeError(f"source {path!r} is not below one of {', '.join(roots)}")
