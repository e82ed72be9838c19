"""Bearer tokens that are written down in a file, for a few known programs and people."""

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
    """The tokens of a file that only its owner can read; read again whenever it changes.

        {"tokens": [{"sha256": "…", "role": "reader", "subject": "wall display",
                     "expires": "2027-01-01T00:00:00Z"}]}

    `token` may stand in place of `sha256`, its hash in hexadecimal; `expires` may be left out.
    Raises SettingsError when the file is missing, wrong, or readable by others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, Identity] = {}
        self._read()

    def verify(self, token: str) -> Identity:
        """Whose token this is.

        Raises:
            RefusedError: nobody's (401).
        """
        self._read_if_changed()
        found = self._known.get(_hash(token))
        if found is None or found.is_expired:
            raise RefusedError(401, "the token is unknown or has expired")
        return found

    def knows(self, identity: Identity) -> bool:
        """Whether the entry that a client came in with still stands there, unchanged.

        What did not come from this file is not ours to judge: True.
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
                    log.error("no token is valid until this is mended: %s", error)
                self._known, self._seen = {}, None

    def _mark(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> None:
        try:
            mark = self._mark()
            if self._path.stat().st_mode & 0o077:
                raise SettingsError(
                    f"others can read {self._path}, which holds tokens: chmod 600 {self._path}"
                )
            entries = json.loads(self._path.read_text())["tokens"]
            known = dict(_entry(each) for each in entries)
        except OSError as error:
            raise SettingsError(f"can't read the tokens: {error}") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise SettingsError(
                f'{self._path} must be {{"tokens": [{{"sha256" or "token", "role", "subject"}}]}}'
                " with roles reader, submitter or operator"
            ) from None  # the cause would quote a token
        self._known, self._seen = known, mark


def _entry(entry: dict[str, Any]) -> tuple[str, Identity]:
    digest = entry["sha256"].lower() if "sha256" in entry else _hash(_long(entry["token"]))
    expires = entry.get("expires")
    until = datetime.fromisoformat(expires).timestamp() if expires else None
    # The hash of a hash: it travels with tickets, where not even the hash should stand.
    return digest, Identity(entry["role"], str(entry["subject"]), until, _hash(digest)[:32])


def _long(token: str) -> str:
    if len(token) < 16:
        raise ValueError("a token has 16 characters or more")
    return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
