"""What a bundle was found to hold while it arrived, stored beside it: one JSON line a member."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bundles.store import Sink, Store
from bundles.tarstream import METADATA, Member

_CHUNK = 1 << 18
_LINES = 500


def bundle_key(job: int) -> str:
    """Where the body of a job is stored."""
    return f"uploads/{job}.tar"


def manifest_key(job: int) -> str:
    """Where its manifest is stored."""
    return f"uploads/{job}.members"


def document_key(job: int) -> str:
    """Where the metadata document of a move is stored."""
    return f"uploads/{job}.json"


class ManifestWriter:
    """Collects lines and passes them on, so that 100,000 members take no memory."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._lines: list[str] = []
        self.members = 0
        self.metadata: Member | None = None

    def add(self, member: Member) -> None:
        """One member; that named metadata.txt is remembered."""
        if member.name == METADATA:
            self.metadata = member
        self.members += 1
        line = json.dumps([member.name, member.offset, member.size, member.sha1])
        self._lines.append(line + "\n")
        if len(self._lines) >= _LINES:
            self._flush()

    def commit(self) -> None:
        """Store it."""
        self._flush()
        self._sink.commit()

    def abort(self) -> None:
        """Leave nothing."""
        self._sink.abort()

    def _flush(self) -> None:
        if self._lines:
            self._sink.write("".join(self._lines).encode())
            self._lines.clear()


def read_manifest(store: Store, job: int) -> Iterator[Member]:
    """The members of a bundle, in the order in which they came.

    Raises:
        MissingError: the bundle is not there, or not any more.
    """
    source = store.open(manifest_key(job))
    try:
        rest = b""
        while data := source.read(_CHUNK):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield Member(*json.loads(line))
    finally:
        source.close()


def local_path(store: Store, key: str) -> Path | None:
    """The file of an object, where the store is a folder."""
    path = getattr(store, "path", None)
    return None if path is None else path(key)
