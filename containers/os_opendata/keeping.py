"""Downloads that outlive their process: a later attempt on this host goes on behind them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from locaria_reporter import Fatal, Run

_KEEP_SECONDS = 24 * 3600


@contextlib.contextmanager
def kept(run: Run, name: str) -> Iterator[Path]:
    """A path for a download; what is there stays when the block, or the process, fails.

    It goes when the block succeeds, when the data prove to be wrong, and after a day. Another
    process of this host that downloads the same, at the same time, gets a path of its own.

    Args:
        run: whose temporary folder is used where nothing can be kept.
        name: of the file; the same for the same bytes, and only for them.
    """
    folder = _folder()
    if folder is None:
        yield run.temporary / name
        return
    _sweep(folder)
    with (folder / f"{name}.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield run.temporary / name
            return
        path = folder / name
        try:
            yield path
        except Fatal:
            path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)


def _folder() -> Path | None:
    """A folder that is ours alone: one of that name that somebody else made is not used."""
    folder = Path(tempfile.gettempdir()) / f"locaria-downloads-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return folder if ours and not found.st_mode & 0o077 else None


def _sweep(folder: Path) -> None:
    for path in folder.iterdir():
        if path.suffix == ".lock" and path.with_suffix("").exists():
            continue
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _KEEP_SECONDS:
                path.unlink()
