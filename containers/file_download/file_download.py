"""Puts tables and views into files of six formats, and those into the object store.

Each file of the queue is checked, read in one consistent snapshot into files on the task's disk,
and stored: in constant memory, and the database is left alone before anything is uploaded.
Attributes: README.md.
"""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from as_csv import write_csv
from object_store import Store, Stored, StoreError, open_store, put_object
from relation import Relation, find_relation
from request import Request
from snapshot import Snapshot, check_filter, snapshot

import locaria_reporter as lr

_CHUNK = 1 << 20
_MOST_SNAPSHOTS = 10
_NO_FILE_NAME = re.compile(r"[^\w.() -]+")
_ENDINGS = {"shapefile": "zip"}
# One file holds all tables of these; of the others there is a file for each.
_HOLD_SEVERAL = ("xlsx", "gpkg")
_CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "geojson": "application/geo+json",
    "gpkg": "application/geopackage+sqlite3",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}


@dataclass
class Job:
    """A download: what is asked for, and what has been written."""

    run: lr.Run
    request: Request
    began: float = field(default_factory=time.monotonic)
    tables: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ending(self) -> str:
        """Of a single file, without the dot."""
        return _ENDINGS.get(self.request.format, self.request.format)


def download(run: lr.Run) -> None:
    """Do what a run asks for."""
    job = Job(run, Request.of(run.parameters))
    try:
        store = open_store()
    except StoreError as error:
        raise lr.Fatal(str(error), kind="config") from None
    run.plan(read=80, store=20)
    run.stage("read", unit="rows")
    with snapshot(run) as taken:
        paths = write(job, taken)
        rows = taken.rows
    run.progress(rows, rows)
    path = paths[0] if len(paths) == 1 else zipped(paths, run.temporary / "all.zip")
    stored = put(job, store, path)
    finish(job, store, stored, rows)


def write(job: Job, taken: Snapshot) -> list[Path]:
    """All tables into files on the disk."""
    run, request = job.run, job.request
    relations = settle(job, taken)
    run.log.info(
        "%s as %s, about %s rows",
        ", ".join(f"{r.schema}.{r.name}" for r in relations),
        request.format,
        f"{taken.expected:,}",
    )
    folder = run.temporary / "files"
    folder.mkdir()
    if request.format in _HOLD_SEVERAL:
        return [write_together(job, taken, relations, folder)]
    return [write_alone(job, taken, relation, folder) for relation in relations]


def settle(job: Job, taken: Snapshot) -> list[Relation]:
    """The tables, locked, in a snapshot that has their rows.

    Raises:
        Retry: each time that was tried, a load had replaced one of them.
    """
    for _ in range(_MOST_SNAPSHOTS):
        relations = find(job, taken)
        if taken.has_all():
            return relations
        job.run.check()
        taken.begin()
    raise lr.Retry(f"a table was replaced {_MOST_SNAPSHOTS} times while it should be read")


def find(job: Job, taken: Snapshot) -> list[Relation]:
    """The tables, checked; from now on nobody can replace them."""
    relations = []
    for table in job.request.tables:
        relation, taken.longest = find_relation(
            job.run.connection(), job.run.id, table, job.request
        )
        relations.append(relation)
    relations = distinct(relations)
    for relation in relations:
        check_filter(taken, relation)
        taken.expect(relation)
    return relations


def distinct(relations: Sequence[Relation]) -> list[Relation]:
    """Each with a label of its own, also as a file's name, and whatever is made of upper case."""
    labels = [relation.name.lower() for relation in relations]
    found, taken = [], set()
    for relation in relations:
        twice = labels.count(relation.name.lower()) > 1
        plain = label = f"{relation.schema}.{relation.name}" if twice else relation.name
        number = 1
        while file_name(label).lower() in taken:
            number += 1
            label = f"{plain}_{number}"
        taken.add(file_name(label).lower())
        found.append(replace(relation, label=label))
    return found


def write_alone(job: Job, taken: Snapshot, relation: Relation, folder: Path) -> Path:
    """One table into a file of its own."""
    path = folder / f"{file_name(relation.label)}.{job.ending}"
    before, more = taken.rows, {}
    if job.request.format == "csv":
        write_csv(taken, relation, path)
    elif job.request.format == "parquet":
        from as_arrow import write_parquet  # noqa: PLC0415  # half a second that CSV saves

        write_parquet(taken, relation, path)
    else:
        from as_spatial import write_geojson, write_shapefile  # noqa: PLC0415

        if job.request.format == "geojson":
            write_geojson(taken, relation, path)
        elif renamed := write_shapefile(taken, relation, path):
            more = {"renamed": renamed}
    record(job, relation, taken.rows - before, more)
    return path


def write_together(job: Job, taken: Snapshot, relations: Sequence[Relation], folder: Path) -> Path:
    """All tables into one file, as sheets or layers."""
    path = folder / f"{file_name(job.request.name or relations[0].label)}.{job.ending}"
    if job.request.format == "gpkg":
        from as_spatial import write_geopackage  # noqa: PLC0415

        for relation in relations:
            before = taken.rows
            renamed = write_geopackage(taken, relation, path)
            record(job, relation, taken.rows - before, {"renamed": renamed} if renamed else {})
        return path
    from as_excel import ExcelFile  # noqa: PLC0415

    book = ExcelFile(path, folder)
    for relation in relations:
        before = taken.rows
        book.add(taken, relation)
        record(job, relation, taken.rows - before)
    book.close()
    return path


def record(job: Job, relation: Relation, rows: int, more: dict[str, Any] | None = None) -> None:
    """Remember what was written of a table, for the result."""
    columns = [{"name": column.name, "type": column.type} for column in relation.columns]
    facts = {"table": f"{relation.schema}.{relation.name}", "rows": rows, "columns": columns}
    job.tables.append({**facts, **(more or {})})


def zipped(paths: Sequence[Path], target: Path) -> Path:
    """Several files as one archive."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
            path.unlink()
    return target


def put(job: Job, store: Store, path: Path) -> Stored:
    """The file into the store, under the run's own key: no other attempt writes there."""
    run, size = job.run, path.stat().st_size
    run.stage("store", total=size, unit="bytes")
    ending = "zip" if path.suffix == ".zip" else job.ending
    wanted = job.request.name or (path.stem if len(job.tables) == 1 else "tables")
    name = f"{file_name(wanted.removesuffix(f'.{ending}'))}.{ending}"

    def pieces() -> Any:
        done = 0
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                run.progress(done)
                yield piece
                done += len(piece)
        run.progress(done)

    key = f"downloads/{run.file_id}/{run.id}/{name}"
    return put_object(store, key, pieces(), content_type=_CONTENT_TYPES[ending], download_name=name)


def finish(job: Job, store: Store, stored: Stored, rows: int) -> None:
    """Say where it is; objects of earlier attempts go."""
    run = job.run
    result = {
        "link": lr.Link(store.link(stored.key, job.request.expires)),
        "object": stored.url,
        "name": stored.key.rpartition("/")[2],
        "sha256": stored.sha256,
        "bytes": stored.size,
        "rows": rows,
        "format": job.request.format,
        "tables": job.tables,
        "seconds": round(time.monotonic() - job.began, 3),
    }
    words = f"{rows:,} rows as {result['name']}, {stored.size:,} bytes"
    try:
        run.finish(message=words, result=result)
    except (lr.Cancelled, lr.LeaseLost):
        store.delete(stored.key)
        raise
    own = stored.key.rpartition("/")[0]
    for folder in {key.rpartition("/")[0] for key in store.list(f"downloads/{run.file_id}")}:
        if folder != own:
            store.delete(folder)
    store.discard_parts(f"downloads/{run.file_id}")


def file_name(text: str) -> str:
    """A name that every file system takes: letters, digits, `_ . ( ) -` and spaces."""
    safe = _NO_FILE_NAME.sub("_", text).strip(" .")
    return safe.encode()[:120].decode(errors="ignore") or "download"


def main() -> None:
    """Serve the downloads that wait, then leave."""
    for run in lr.claims():
        with run:
            download(run)


if __name__ == "__main__":
    main()
