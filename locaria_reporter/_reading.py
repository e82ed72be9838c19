"""Reading with progress: bytes of a file, items of an iterable."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from locaria_reporter._account import Account

T = TypeVar("T")


def track(account: Account, items: Iterable[T], total: int | None, unit: str | None) -> Iterator[T]:
    """The items, counted as they are done; raises what has been ordered (Cancelled …)."""
    progress = account.progress
    if total is None and progress.total is None:
        total = _length(items)
    progress.count(total, unit)
    for done, item in enumerate(items, start=1):
        if account.stop is not None:
            raise account.outcome()
        yield item
        progress.done = done
    account.check()


def _length(items: Iterable[Any]) -> int | None:
    try:
        return len(items)  # type: ignore[arg-type]
    except TypeError:
        return None


class CountingFile(io.RawIOBase):
    """A file whose position is the run's progress in bytes."""

    def __init__(self, path: str | os.PathLike[str], account: Account) -> None:
        super().__init__()
        self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed in close()
        self._account = account
        self.name = os.fspath(path)
        account.progress.bytes_done = 0
        account.progress.bytes_total = os.fstat(self._file.fileno()).st_size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def fileno(self) -> int:
        return self._file.fileno()

    def readinto(self, buffer: Any) -> int:
        self._account.check()
        got = self._file.readinto(buffer) or 0
        self._account.progress.bytes_done = (self._account.progress.bytes_done or 0) + got
        return got

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        position = self._file.seek(offset, whence)
        self._account.progress.bytes_done = position
        return position

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


def open_counted(
    path: str | os.PathLike[str],
    account: Account,
    mode: str,
    *,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO[Any]:
    """Like open(), for reading; see Run.open()."""
    if mode not in ("rb", "r", "rt"):
        raise ValueError(f"run.open() reads: mode must be 'r' or 'rb', not {mode!r}")
    binary = io.BufferedReader(CountingFile(path, account), buffer_size=1 << 18)
    if mode == "rb":
        return binary
    return io.TextIOWrapper(binary, encoding=encoding or "utf-8", errors=errors, newline=newline)
