"""The checksum of the file that is loaded, taken while the database builds indexes."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path


class Checksum:
    """SHA-256 of a file as it was given, in a thread of its own; None of a folder.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: str | None = None
        self._error: OSError | None = None
        # A daemon: a load that ends early does not wait for it.
        self._thread = threading.Thread(target=self._work, name="checksum", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            if self._path.is_file():
                with self._path.open("rb") as file:
                    self._found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            self._error = error

    def value(self) -> str | None:
        """In hexadecimal digits, when it is there.

        Raises:
            OSError: the file can't be read.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._found
