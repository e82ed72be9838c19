"""What a bundle was found to hold while it arrived, stored beside it: one JSON line a member."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from object_store import MissingError, Sink, Store

from bundles.tarstream import Member

_CHUNK = 1 << 18
_LINES = 500
_FEW = 50


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
    """Collects members: a few are kept here, for the row of files; more go into an object.

    Args:
        store: where that object goes.
        job: whose it is.
    """

    def __init__(self, store: Store, job: int) -> None:
        self._store = store
        self._job = job
        self._sink: Sink | None = None
        self._some: list[list[object]] = []
        self.members = 0

    def add(self, member: Member) -> None:
        """One member."""
        self.members += 1
        self._some.append([member.name, member.offset, member.size, member.sha1])
        if len(self._some) > _LINES:
            self._spill()

    def commit(self) -> list[list[object]] | None:
        """Store it; the members themselves where they are so few that they need no object."""
        if self._sink is None and len(self._some) <= _FEW:
            return self._some
        self._spill()
        assert self._sink is not None
        self._sink.commit()
        return None

    def abort(self) -> None:
        """Leave nothing."""
        if self._sink is not None:
            self._sink.abort()

    def _spill(self) -> None:
        if self._sink is None:
            self._sink = self._store.create(manifest_key(self._job))
        self._sink.write("".join(f"{json.dumps(one)}\n" for one in self._some).encode())
        self._some.clear()


def read_manifest(store: Store, job: int, few: list[list[Any]] | None = None) -> Iterator[Member]:
    """The members of a bundle, in the order in which they came.

    Args:
        store: where the bundle is.
        job: whose it is.
        few: what commit() has returned.

    Raises:
        MissingError: the bundle is not there, or not any more.
    """
    if few is not None:
        if store.size(bundle_key(job)) is None:
            raise MissingError(f"{bundle_key(job)} is not in the store")
        yield from (Member(*one) for one in few)
        return
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
