"""Loads CSV files of any size into Postgres, in constant memory.

Each file of the queue is found (or downloaded), inspected, copied block by block into a staging
table, and published in the transaction that also says that it is done. Attributes: README.md.
"""

from __future__ import annotations

import os
import time
from typing import Any

import locaria_reporter as lr
from blocks import BLOCK_BYTES, ahead, cut_blocks
from infer import widen
from load import Load
from names import table_name
from options import Options
from source import Source, find, recognise
from survey import Survey, survey


def load_file(run: lr.Run) -> None:
    """Load the file that a run is about."""
    began = time.monotonic()
    options = Options.of(run.parameters)
    run.plan(download=20 if "://" in options.path else 0, inspect=1, load=97, publish=2)
    run.stage("download")
    path, name = find(run, options.path)
    table = options.table or table_name(options.path)
    if not table:
        raise lr.Fatal(f"no table name can be made of {name!r}: give attribute table", kind="data")
    run.stage("inspect")
    source = recognise(path, name, options.encoding)
    learned = run.checkpoint.get("types", {})
    found = survey(source, options, learned)
    if found.empty and not options.allow_empty:
        raise lr.Fatal(
            f"{name} has a header and no rows; attribute allow_empty = true makes an empty table",
            kind="data",
        )
    staging, load = _prepare(run, source, found, options, table)
    try:
        _copy(run, source, found, load)
        _finish(run, staging, load, found, source, table, began)
    except lr.TooManyRejects as error:
        _begin_again_or_fail(run, load, found, error)


def _prepare(
    run: lr.Run, source: Source, found: Survey, options: Options, table: str
) -> tuple[lr.Staging, Load]:
    """The staging table, and a Load that goes on where an earlier attempt ended."""
    run.log.info(
        "%s: %s bytes, %s columns, %r between fields", source.name, f"{source.size:,}",
        len(found.columns), found.dialect.delimiter,
    )
    if run.checkpoint:
        # Ours from now on; an attempt whose rows are gone begins again, with what was learned.
        run.save_checkpoint(types=run.checkpoint.get("types", {}))
    staging = _staging(run, found, options, table)
    if staging.adopted and run.checkpoint.get("source") != source.fingerprint:
        run.log.warning("%s has changed since the last attempt: loading it from its beginning", source.name)
        run.save_checkpoint(types=run.checkpoint.get("types", {}))
        staging = _staging(run, found, options, table)
    return staging, Load(run, source, found, staging, options.null)


def _staging(run: lr.Run, found: Survey, options: Options, table: str) -> lr.Staging:
    try:
        return run.staging(table, found.columns, mode=options.mode)
    except lr.Refused as error:
        raise lr.Fatal(str(error), kind="data") from None


def _copy(run: lr.Run, source: Source, found: Survey, load: Load) -> None:
    run.stage("load", unit="rows")
    run.count_bytes(0, source.size)
    if load.line != found.line:
        run.log.info("going on from line %s, which an earlier attempt reached", f"{load.line:,}")
    stream = source.open(load.offset)
    try:
        blocks = cut_blocks(
            stream.read,
            stream.position,
            found.dialect,
            offset=load.offset,
            line=load.line,
            size=int(os.environ.get("LOCARIA_BLOCK_BYTES", BLOCK_BYTES)),
        )
        for block in ahead(blocks):
            load.add(block)
            run.count_bytes(block.position, source.size)
    finally:
        stream.close()


def _finish(
    run: lr.Run,
    staging: lr.Staging,
    load: Load,
    found: Survey,
    source: Source,
    table: str,
    began: float,
) -> None:
    if not staging.rows and not found.empty:
        raise lr.Fatal(f"no row could be loaded; {load.trouble.last}", kind="data")
    run.stage("publish")
    seconds = time.monotonic() - began
    words = f"{staging.rows:,} rows into {table}"
    if load.rejected:
        words += f", {load.rejected:,} rejected"
    result: dict[str, Any] = {
        "table": table,
        "rows": staging.rows,
        "rejected": load.rejected,
        "bytes": source.size,
        "columns": dict(found.columns),
        "seconds": round(seconds, 3),
    }
    run.finish(swap=staging, message=words, result=result)


def _begin_again_or_fail(
    run: lr.Run, load: Load, found: Survey, error: lr.TooManyRejects
) -> None:
    """Too many bad rows: because a type was inferred too narrowly, or because they are bad."""
    trouble = load.trouble
    blamed = [
        name
        for name, count in trouble.by_column.items()
        if name in found.guessed and count * 10 >= trouble.rejected
    ]
    if blamed and run.attempt < run.max_attempts:
        learned = dict(run.checkpoint.get("types", {}))
        for name in blamed:
            learned[name] = widen(found.columns[name], trouble.values[name])
        run.save_checkpoint(types=learned)
        raise lr.Retry(
            f"{error.message}; loading again with {_types(learned, blamed)}: {trouble.last}", in_=0
        ) from None
    raise lr.Fatal(f"{error.message}; the last one: {trouble.last}", kind="data") from None


def _types(types: dict[str, str], names: list[str]) -> str:
    return ", ".join(f'"{name}" as {types[name]}' for name in names)


def main() -> None:
    """Load the files that wait, then leave."""
    for run in lr.claims():
        with run:
            load_file(run)


if __name__ == "__main__":
    main()
