"""`locaria archive`: fetch and verify the files of ingested bundles."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from locaria.cli.bundles.shared_code import load_shared_code
from locaria.cli.connection import Row, Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP, CommandError, ExitCode
from locaria.cli.options import FILE_ID, dsn_option, json_option
from locaria.cli.render import number, out, print_json, table
from locaria.cli.runtime.local import state_dir

if TYPE_CHECKING:
    from bundles.archive import Archive

FIND = """
select id, transaction_id as job_id, path, size, hashtype, hashsum, archive_key
from locaria.archived_files
where (id = %(id)s or %(id)s::bigint is null) and (path = %(path)s or %(path)s::text is null)
  and (transaction_id = %(job)s or %(job)s::bigint is null)
order by id desc limit 1
"""
PAGE = """
select id, transaction_id as job_id, path, size, hashtype, hashsum, archive_key
from locaria.archived_files
where id > %(after)s and (transaction_id = %(job)s or %(job)s::bigint is null)
order by id limit 500
"""
UNKNOWN_KEYS = """
select k.key from unnest(%s::text[]) as k (key)
where not exists (select from locaria.archived_files a where a.archive_key = k.key)
  and not exists (
    select from locaria.files f where f.id::text = split_part(k.key, '/', 2) and f.finished is null
  )
"""
_KEYS_AT_ONCE = 500
_CHUNK = 1 << 20

job_option = click.option(
    "--job", metavar="JOB", type=FILE_ID, help="Only files of the bundle of this job."
)
store_option = click.option(
    "--object-store",
    metavar="URL",
    envvar="LOCARIA_OBJECT_STORE",
    help="Where the archive is: file:///path or s3://bucket/prefix. Default: "
    "$LOCARIA_OBJECT_STORE, else the store of the local runtime.",
)


@click.group(short_help="Fetch or verify archived files.")
def archive() -> None:
    """Fetch and verify the files of ingested bundles.

    \b
    locaria archive get data/run1/spectrum.raw > spectrum.raw   # by its path or id
    locaria archive verify                                      # read and hash all files
    """


@archive.command(epilog=EXIT_CODE_HELP, short_help="Fetch one file.")
@click.argument("what", metavar="ID|PATH")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="File to write; - for standard output. Default: the name of the file, in this folder.",
)
@job_option
@store_option
@dsn_option
def get(
    what: str, output: str | None, job: int | None, object_store: str | None, dsn: str | None
) -> None:
    """Fetch one file by its id (archived_files.id) or its path in the bundle.

    \b
    locaria archive get 17
    locaria archive get a/b/foo.txt --job 4 -o foo.txt

    If several files have the path, the newest is fetched. The file is verified first: if it is
    missing or damaged, nothing is written and the exit code is 1.
    """
    path = None if what.isdecimal() else what.removeprefix("data/").strip("/")
    number_ = int(what) if what.isdecimal() else None
    with Session(find_dsn(dsn), "archive get") as session:
        rows = session.rows(FIND, {"id": number_, "path": path, "job": job})
    if not rows:
        raise CommandError(
            f"no archived file {what}", "List them in SQL: select * from locaria.archived_files"
        )
    row = rows[0]
    target = output or Path(str(row["path"])).name
    source = _open_archive(object_store)
    if target == "-":
        _copy(source, row, sys.stdout.buffer)
    else:
        _write(source, row, Path(target))


@archive.command(epilog=EXIT_CODE_HELP, short_help="Verify all files.")
@job_option
@json_option
@store_option
@dsn_option
def verify(job: int | None, as_json: bool, object_store: str | None, dsn: str | None) -> None:
    """Read every archived file and compare it with its recorded size and hash.

    \b
    locaria archive verify
    locaria archive verify --job 4 --json

    Reports files that are missing or damaged, and objects in the archive that belong to no bundle.
    The exit code is 1 if there are any. --json prints an object with files, bytes and problems.
    """
    source = _open_archive(object_store)
    files = bytes_ = 0
    problems: list[Row] = []
    with Session(find_dsn(dsn), "archive verify") as session:
        for row in _pages(session, job):
            files, bytes_ = files + 1, bytes_ + row["size"]
            wrong = source.check(row["archive_key"], row["size"], row["hashtype"], row["hashsum"])
            if wrong is not None:
                problems.append({**_named(row), "problem": wrong})
        if job is None:
            problems += (
                {"id": None, "job_id": None, "path": key, "problem": "belongs to no bundle"}
                for key in _unknown_keys(session, source)
            )
    report = {"files": files, "bytes": bytes_, "problems": problems}
    if as_json:
        print_json(report)
    else:
        _show(report)
    raise click.exceptions.Exit(ExitCode.FAILED if problems else ExitCode.DONE)


def _open_archive(url: str | None) -> Archive:
    """Open the archive of a site with the code of the containers.

    Raises:
        CommandError: No object store is named, or it can't be opened.
    """
    load_shared_code()
    from bundles.archive import open_stores  # noqa: PLC0415 - importable only now
    from object_store import StoreError  # noqa: PLC0415 - as above

    if not url:
        folder = state_dir() / "objects"
        if not folder.exists():
            raise CommandError(
                "no object store: LOCARIA_OBJECT_STORE is not set and the local runtime has none",
                "Name it with --object-store s3://bucket/prefix or file:///path",
            )
        url = folder.as_uri()
    try:
        return open_stores(url)[1]
    except StoreError as error:
        raise CommandError(str(error)) from error


def _pages(session: Session, job: int | None) -> Iterator[Row]:
    after = 0
    while rows := session.rows(PAGE, {"after": after, "job": job}):
        yield from rows
        after = rows[-1]["id"]


def _unknown_keys(session: Session, source: Archive) -> Iterator[str]:
    keys = source.keys()
    while some := list(islice(keys, _KEYS_AT_ONCE)):
        yield from (row["key"] for row in session.rows(UNKNOWN_KEYS, [some]))


def _copy(source: Archive, row: Row, target: BinaryIO) -> None:
    wrong = source.check(row["archive_key"], row["size"], row["hashtype"], row["hashsum"])
    if wrong is not None:
        raise CommandError(f"{row['path']} (file {row['id']}): {wrong}", None, ExitCode.FAILED)
    opened = source.store.open(row["archive_key"])
    try:
        for data in _chunks(opened):
            target.write(data)
        target.flush()
    finally:
        opened.close()


def _write(source: Archive, row: Row, target: Path) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            _copy(source, row, file)
        part.replace(target)
    except OSError as error:
        raise CommandError(f"can't write {target}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _chunks(opened: Any) -> Iterable[bytes]:
    return iter(lambda: opened.read(_CHUNK), b"")


def _named(row: Row) -> Row:
    return {key: row[key] for key in ("id", "job_id", "path")}


def _show(report: dict[str, Any]) -> None:
    problems = report["problems"]
    if problems:
        rows = ((row["id"], row["job_id"], row["path"], row["problem"]) for row in problems)
        out(table(("file>right", "job>right", "path", "problem"), rows))
    words = "no problems" if not problems else f"{number(len(problems))} problems"
    out(f"{number(report['files'])} files, {number(report['bytes'])} bytes read: {words}")
