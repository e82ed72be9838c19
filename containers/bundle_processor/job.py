"""One job: what its stages share, and how it ends."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from bundles.archive import HASH_TYPES, Archive
from metadata import BadMetadataError, FileEntry, Metadata, read_metadata
from object_store import Sink, Source, Store
from psycopg.types.json import Jsonb

import locaria_reporter as lr

_CHUNK = 1 << 20
_ROWS_A_CALL = 2_000
# Up to so many files are synced one by one, more by one sync of the whole file system.
FEW = 1_000


@dataclass(frozen=True, slots=True)
class Archived:
    """A file whose bytes are under their temporary name, verified."""

    entry: FileEntry
    path: str
    n: int


class Job:
    """A job that a run is about.

    Args:
        run: of the reporter.
        store: where the bundle is.
        archive: where its files go.
        connection: for questions; what the job writes goes through the run's own.
    """

    def __init__(
        self, run: lr.Run, store: Store, archive: Archive, connection: psycopg.Connection[Any]
    ) -> None:
        self.run = run
        self.store = store
        self.archive = archive
        self.id = run.file_id
        self.kind = run.attributes.get("kind")
        self.connection = connection
        self.config: dict[str, Any] = self._ask("select locaria.get_ingest_config()")
        self.metadata = Metadata()
        self.sync_each = False
        self._recorded = False

    def is_ingested(self) -> bool:
        """Whether an earlier run has brought it to its end."""
        return bool(self._ask("select locaria.is_ingested(%s::bigint)", self.id))

    def load_metadata(self, source: Source) -> None:
        """Read the document. Fails the job when it is no JSON array of objects."""
        try:
            self.metadata = read_metadata(source, int(self.config["max_metadata_bytes"]))
        except BadMetadataError as error:
            raise lr.Fatal(str(error), kind="data") from None

    def validate_policy(self) -> None:
        """Stage `Policy Validation`."""
        self.run.stage("Policy Validation")
        submission = {
            "job_id": self.id,
            "kind": self.kind,
            "user": self.run.attributes.get("user", ""),
            **{
                key: self.metadata.fields.get(key) for key in ("submitter", "project", "instrument")
            },
        }
        refusal = self._guarded(
            lambda: self._ask(
                "select locaria.check_ingest_policy(%s::bigint, %s::jsonb)",
                self.run.id,
                Jsonb(submission),
            )
        )
        if refusal is not None:
            raise lr.Fatal(str(refusal), kind="data")

    def copy(self, read: Callable[[int], bytes], sink: Sink, entry: FileEntry, size: int) -> None:
        """Copy a file into the archive and verify it against its entry.

        Args:
            read: its bytes, at most so many at once.
            sink: where they go; committed when all is well, else aborted.
            entry: what the metadata says.
            size: how many bytes there are.

        Raises:
            Fatal: the bytes are not what the entry says.
        """
        try:
            hashed = self.hasher(entry)
            left = size
            while left:
                data = read(min(left, _CHUNK))
                if not data:
                    raise lr.Fatal(f"{entry.shown} is cut off", kind="data")
                left -= len(data)
                hashed.update(data)
                sink.write(data)
                self.count(len(data))
            self.verify(entry, size, hashed.hexdigest())
            sink.commit(sync=self.sync_each)
        finally:
            sink.abort()

    def hasher(self, entry: FileEntry) -> Any:
        """What hashes this file; of an unknown type the table's rule tells later."""
        known = entry.hashtype in HASH_TYPES
        return hashlib.new(str(entry.hashtype) if known else "sha1", usedforsecurity=False)

    def verify(self, entry: FileEntry, size: int, digest: str) -> None:
        """Compare with the metadata; what that lacks is for `ingest metadata` to tell."""
        if entry.size is not None and entry.size != size:
            raise lr.Fatal(
                f"{entry.shown} has {size:,} bytes, but its metadata says {entry.size:,}",
                kind="data",
            )
        length = HASH_TYPES.get(entry.hashtype or "")
        comparable = length is not None and entry.hashsum is not None
        if comparable and len(entry.hashsum or "") == length and entry.hashsum != digest:
            raise lr.Fatal(
                f"{entry.shown} has the {entry.hashtype} {digest}, "
                f"but its metadata says {entry.hashsum}",
                kind="data",
            )

    def begin_files(self, stage: str, total: int) -> None:
        """Enter the stage that copies, which counts bytes."""
        self._copied = 0
        self.run.stage(stage, total=total, unit="bytes")

    def count(self, bytes_: int) -> None:
        """So many more bytes are copied."""
        self._copied += bytes_
        self.run.progress(self._copied)

    def record(self, files: list[Archived]) -> None:
        """Stage `ingest metadata`: names, rows and outcome in one transaction."""
        run = self.run
        run.stage("ingest metadata", total=len(files) + 1, unit="rows")
        self._refuse_broken_rules(files)
        self.archive.prepare(self.id, run.id, settled=self.sync_each)
        self._guarded(lambda: self._record(files))
        self._recorded = True

    def _record(self, files: list[Archived]) -> None:
        run = self.run
        with run.transaction() as connection:
            connection.execute(
                "select locaria.ingest_transaction(%s::bigint, %s::jsonb)",
                [run.id, Jsonb(self._transaction())],
            )
            for done, rows in self._rows(files):
                connection.execute(
                    "select locaria.archive_files(%s::bigint, %s::jsonb)", [run.id, Jsonb(rows)]
                )
                run.progress(done)
            if files:
                # After the fence and all rules, right before the commit.
                self.archive.publish(self.id, run.id)
            total = sum(file.entry.size or 0 for file in files)
            run.finish(
                message=f"{len(files):,} files, {total:,} bytes archived",
                result={"files": len(files), "bytes": total},
            )

    def discard(self) -> None:
        """The attempt has failed: its temporary files go. A killed one's are found by Cleaner."""
        if not self._recorded:
            self.archive.discard_attempt(self.id, self.run.id)

    def _refuse_broken_rules(self, files: list[Archived]) -> None:
        trouble = self.metadata.trouble or next(
            (entry.trouble for entry in self.metadata.files if entry.trouble), None
        )
        if trouble is not None:
            raise lr.Fatal(trouble, kind="data")
        for name in ("submitter", "project", "instrument"):
            if name not in self.metadata.fields:
                raise lr.Fatal(f"Transactions.{name} is missing", kind="data")
        if len(files) != len(self.metadata.files):
            raise lr.Fatal("not every file of the metadata is there", kind="data")

    def _transaction(self) -> dict[str, Any]:
        found = self.metadata
        return {**found.fields, "key_values": found.key_values, "other": found.other}

    def _rows(self, files: list[Archived]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        for begin in range(0, len(files), _ROWS_A_CALL):
            part = files[begin : begin + _ROWS_A_CALL]
            yield begin + len(part), [self._row(file) for file in part]

    def _row(self, file: Archived) -> dict[str, Any]:
        entry = file.entry
        folder, _, name = file.path.rpartition("/")
        return {
            "path": file.path,
            "name": name,
            "subdir": folder,
            "size": entry.size,
            "hashtype": entry.hashtype,
            "hashsum": entry.hashsum,
            "mimetype": entry.mimetype,
            "ctime": entry.ctime,
            "mtime": entry.mtime,
            "source": entry.source,
            "archive_key": self.archive.key(self.id, file.n),
        }

    def _ask(self, query: str, *values: Any) -> Any:
        row = self.connection.execute(query.encode(), values).fetchone()
        return None if row is None else next(iter(row.values()))

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Do database work; a rule that the data breaks fails the job, in words."""
        try:
            return work()
        except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as error:
            raise lr.Fatal(self._in_words(error), kind="data") from None

    def _in_words(self, error: psycopg.Error) -> str:
        found = error.diag
        words = None
        if found.constraint_name:
            words = self._ask(
                "select locaria.explain_ingest_rule(%s::text, %s::text)",
                found.table_name,
                found.constraint_name,
            )
        elif found.column_name:
            words = f"{found.column_name} is missing"
        detail = (found.message_detail or "")[:500]
        return f"{words or found.message_primary}" + (f" · {detail}" if detail else "")


def subpath(name: str) -> str:
    """A path in the bundle as it is kept: below data/."""
    return name.removeprefix("data/")
