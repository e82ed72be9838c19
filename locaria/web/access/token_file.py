"""Bearer tokens listed in a file, for a few known programs and people."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from locaria.web.access.identity import Identity
from locaria.web.messages import RefusedError
from locaria.web.settings import SettingsError

log = logging.getLogger(__name__)


class TokenFile:
    """A token file, which is read again whenever it changes.

        {"tokens": [{"sha256": "…", "role": "reader", "subject": "wall display",
                     "expires": "2027-01-01T00:00:00Z"}]}

    `sha256` is the hash of the token in hexadecimal; the key `token` with the token itself may
    replace it. `expires` is optional.

    Raises:
        SettingsError: The file is missing, invalid, or readable by other users.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, Identity] = {}
        self._read()

    def verify(self, token: str) -> Identity:
        """Return the identity that a token stands for.

        Raises:
            RefusedError: The token is unknown or has expired (401).
        """
        self._read_if_changed()
        found = self._known.get(_hash(token))
        if found is None or found.is_expired:
            raise RefusedError(401, "the token is unknown or has expired")
        return found

    def knows(self, identity: Identity) -> bool:
        """Return whether the entry that a client used is still in the file, unchanged.

        It is also true for an identity that does not come from this file.
        """
        if identity.entry is None:
            return True
        self._read_if_changed()
        return identity in self._known.values()

    def _read_if_changed(self) -> None:
        with self._lock:
            try:
                if self._mark() != self._seen:
                    self._read()
            except (OSError, SettingsError) as error:
                if self._known:
                    log.error("no token is accepted until this is fixed: %s", error)
                self._known, self._seen = {}, None

    def _mark(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> None:
        try:
            mark = self._mark()
            if self._path.stat().st_mode & 0o077:
                raise SettingsError(
                    f"other users can read the tokens in {self._path}: run chmod 600 {self._path}"
                )
            entries = json.loads(self._path.read_text())["tokens"]
            known = dict(_entry(each) for each in entries)
        except OSError as error:
            raise SettingsError(f"can't read the token file: {error}") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SettingsError(
                f'{self._path} must be {{"tokens": [{{"sha256" or "token": …, "role": …, '
                '"subject": …}]}, where role is reader, submitter or operator, and a token has '
                "at least 16 characters"
            ) from None  # the cause would quote a token
        self._known, self._seen = known, mark


def _entry(entry: dict[str, Any]) -> tuple[str, Identity]:
    digest = entry["sha256"].lower() if "sha256" in entry else _hash(_checked(entry["token"]))
    expires = entry.get("expires")
    until = datetime.fromisoformat(expires).timestamp() if expires else None
    # A hash of the hash: it is stored with tickets, which should not reveal the hash itself.
    return digest, Identity(entry["role"], str(entry["subject"]), until, _hash(digest)[:32])


def _checked(token: str) -> str:
    if len(token) < 16:
        raise ValueError("a token needs at least 16 characters")
    return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
