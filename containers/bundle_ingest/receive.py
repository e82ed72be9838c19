"""One body on its way into the object store: hashed, looked through and stored as it comes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from bundles.manifest import ManifestWriter, bundle_key
from bundles.tarstream import TarStream
from object_store import Sink, Store


class TooLargeError(Exception):
    """The body, or the number of its members, is beyond a limit."""


@dataclass(frozen=True)
class Received:
    """A body that is stored.

    Attributes:
        digest: SHA-256 of all bytes.
        attributes: of the row of files that will be inserted.
    """

    digest: str
    attributes: dict[str, object]


class Receiver:
    """Takes the bytes of one bundle, in constant memory; one thread at a time.

    Args:
        store: where they go.
        job: whose they are.
        max_bytes: how many there may be.
        max_members: how many members they may hold.
        sink: where the bytes go instead of a new object; None: they are stored already.
    """

    def __init__(
        self,
        store: Store,
        job: int,
        *,
        max_bytes: int,
        max_members: int,
        sink: Sink | None = None,
        stored: bool = False,
    ) -> None:
        self.received = 0
        self._max_bytes = max_bytes
        self._sink = None if stored else sink or store.create(bundle_key(job))
        self._manifest = ManifestWriter(store, job)
        self._tar = TarStream(self._manifest.add, max_members)
        self._digest = hashlib.sha256()

    def write(self, chunks: Iterable[bytes]) -> None:
        """The next bytes. Raises TooLargeError, TooManyMembersError, OSError of the store."""
        for chunk in chunks:
            self.received += len(chunk)
            if self.received > self._max_bytes:
                raise TooLargeError(f"the bundle is larger than {self._max_bytes:,} bytes")
            self._digest.update(chunk)
            self._tar.feed(chunk)
            if self._sink is not None:
                self._sink.write(chunk)

    def finish(self) -> Received:
        """There is no more: store it durably."""
        self._tar.close()
        if self._sink is not None:
            self._sink.commit()
        few = self._manifest.commit()
        attributes: dict[str, object] = {
            "bytes": self.received,
            "members": self._manifest.members,
        }
        if few is not None:
            attributes["manifest"] = few
        if self._tar.error is not None:
            attributes["error"] = self._tar.error
        return Received(self._digest.hexdigest(), attributes)

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._sink is not None:
            self._sink.abort()
        self._manifest.abort()
