"""`locaria archive`: the files of ingested bundles, read again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from locaria.cli.connection import Row, Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP, CommandError, ExitCode
from locaria.cli.options import FILE_ID, dsn_option, json_option
from locaria.cli.render import number, out, print_json, table
from locaria.cli.runtime.local import state_dir
from locaria.resources import CONTAINERS

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
STRAYS = """
select k.key from unnest(%s::text[]) as k (key)
where not exists (select from locaria.archived_files a where a.archive_key = k.key)
  and not exists (
    select from locaria.files f where f.id::text = split_part(k.key, '/', 2) and f.finished is null
  )
"""
_A_LOOK = 500
_CHUNK = 1 << 20

job_option = click.option("--job", metavar="JOB", type=FILE_ID, help="Only of this job's bundle.")
store_option = click.option(
    "--object-store",
    metavar="URL",
    envvar="LOCARIA_OBJECT_STORE",
    help="file:///path or s3://bucket/prefix. Default: $LOCARIA_OBJECT_STORE, "
    "else the local runtime's.",
)


@click.group(short_help="The files of ingested bundles: get one, verify all.")
def archive() -> None:
    """The files of ingested bundles.

    \b
    locaria archive get data/run1/spectrum.raw > spectrum.raw   # by path, or by number
    locaria archive verify                                      # read and hash all of them again
    """


@archive.command(epilog=EXIT_CODE_HELP)
@click.argument("what", metavar="ID|PATH")
@click.option(
    "-o", "--output", metavar="FILE", help="Where to; default: the name here; - is stdout."
)
@job_option
@store_option
@dsn_option
def get(
    what: str, output: str | None, job: int | None, object_store: str | None, dsn: str | None
) -> None:
    """Fetch one file, by its number (archived_files.id) or its path in the bundle.

    \b
    locaria archive get 17
    locaria archive get a/b/foo.txt --job 4 -o foo.txt

    Of several with one path the newest is taken. The bytes are verified on the way; what is rotten
    ends with exit code 1, and leaves no file.
    """
    path = None if what.isdecimal() else what.removeprefix("data/").strip("/")
    number_ = int(what) if what.isdecimal() else None
    with Session(find_dsn(dsn), "archive get") as session:
        rows = session.rows(FIND, {"id": number_, "path": path, "job": job})
    if not rows:
        raise CommandError(
            f"no archived file {what}", "The list: select * from locaria.archived_files"
        )
    row = rows[0]
    target = output or Path(str(row["path"])).name
    source = _open_archive(object_store)
    if target == "-":
        _copy(source, row, sys.stdout.buffer)
    else:
        _write(source, row, Path(target))


@archive.command(epilog=EXIT_CODE_HELP)
@job_option
@json_option
@store_option
@dsn_option
def verify(job: int | None, as_json: bool, object_store: str | None, dsn: str | None) -> None:
    """Read every archived file again and compare it with its hash.

    Reports what is missing or rotten, and what lies in the archive without belonging to a bundle.
    Exit code 1 if there is any of that.
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
                for key in _strays(session, source)
            )
    report = {"files": files, "bytes": bytes_, "problems": problems}
    if as_json:
        print_json(report)
    else:
        _show(report)
    raise click.exceptions.Exit(ExitCode.FAILED if problems else ExitCode.DONE)


def _open_archive(url: str | None) -> Archive:
    """The archive of a site. The code is that of the containers, which lies beside them."""
    modules = str(CONTAINERS / "modules")
    if modules not in sys.path:
        sys.path.append(modules)
    from bundles.archive import open_stores  # noqa: PLC0415 - not on the path before
    from object_store import StoreError  # noqa: PLC0415

    if not url:
        folder = state_dir() / "objects"
        if not folder.exists():
            raise CommandError(
                "no archive: LOCARIA_OBJECT_STORE is not set and no local runtime has one",
                "Name it: --object-store s3://bucket/prefix",
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


def _strays(session: Session, source: Archive) -> Iterator[str]:
    keys = source.keys()
    while some := list(islice(keys, _A_LOOK)):
        yield from (row["key"] for row in session.rows(STRAYS, [some]))


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
        raise CommandError(f"{target} can't be written: {error.strerror}") from error
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
    words = "all as they were" if not problems else f"{number(len(problems))} problems"
    out(f"{number(report['files'])} files, {number(report['bytes'])} bytes read: {words}")
