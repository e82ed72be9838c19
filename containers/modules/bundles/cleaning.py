"""Removes what jobs at rest have left: bodies that are archived, attempts that failed.

What there is to remove is a question to the database, so that it also finds what a process that
was killed left; listener and loader both ask it, and twice does no harm.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from object_store import Store

from bundles.archive import Archive
from bundles.manifest import bundle_key, document_key, local_path, manifest_key
from bundles.taking import Found, TakeError, find

_LOG = logging.getLogger("bundles")
_CHUNK = 1 << 20
Connection = psycopg.Connection[Any]


class Cleaner:
    """Cleans up on a connection of its caller (autocommit, rows as dictionaries).

    Args:
        store: of the bundles.
        archive: of their files.
    """

    def __init__(self, store: Store, archive: Archive) -> None:
        self._store = store
        self._archive = archive

    def clean(self, connection: Connection, job: int | None = None) -> int:
        """Clean up after all jobs at rest (100 a call), or one; after how many."""
        rows = connection.execute(
            "select job_id, what from locaria.list_ingest_leftovers(100, %s::bigint)", [job]
        ).fetchall()
        return sum(self._clean_one(connection, row["job_id"], row["what"]) for row in rows)

    def _clean_one(self, connection: Connection, job: int, what: str) -> bool:
        with connection.transaction():
            row = connection.execute(
                "select locaria.lock_ingest_leftover(%s::bigint, %s::text) as held", [job, what]
            ).fetchone()
            if row is None or not row["held"]:
                return False
            try:
                self._remove(connection, job, what)
            except OSError as error:
                _LOG.warning("job %s: its %s can't be removed now: %s", job, what, error)
                return False
            connection.execute("select locaria.settle_ingest(%s::bigint, %s::text)", [job, what])
        return True

    def _remove(self, connection: Connection, job: int, what: str) -> None:
        if what == "archive":
            self._archive.discard(job)
            return
        if what in ("bundle", "sources"):
            self._archive.discard_incoming(job)
        if what == "sources":
            self._remove_sources(connection, job)
        for key in (bundle_key(job), manifest_key(job), document_key(job)):
            if what == "upload":
                self._store.discard_parts(key)
            self._store.delete(key)

    def _remove_sources(self, connection: Connection, job: int) -> None:
        config = connection.execute("select locaria.get_ingest_config() as config").fetchone()
        roots = config["config"]["move_roots"] if config else []
        rows = connection.execute(
            "select * from locaria.list_move_sources(%s::bigint)", [job]
        ).fetchall()
        for row in rows:
            self._remove_source(row, roots)

    def _remove_source(self, row: dict[str, Any], roots: Sequence[str]) -> None:
        """Only what is archived: the same file, or, where it was copied, the same bytes."""
        try:
            with find(row["source"], roots) as found:
                archived = local_path(self._archive.store, row["archive_key"])
                identity = found.identity
                if archived is not None and _identity(archived) == identity:
                    same = True
                else:
                    same = _digest(found, row["hashtype"]) == row["hashsum"]
                if not same or not found.unlink_if(identity):
                    _LOG.warning("%s has changed since it was archived: left", row["source"])
        except TakeError:
            return  # Gone already, or not ours any more.


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _digest(found: Found, hashtype: str) -> str:
    hashed = hashlib.new(hashtype, usedforsecurity=False)
    os.lseek(found.file, 0, os.SEEK_SET)
    while data := os.read(found.file, _CHUNK):
        hashed.update(data)
    return hashed.hexdigest()
