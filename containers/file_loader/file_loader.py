"""Loads CSV files of any size into Postgres, in constant memory.

Each file of the queue is found (or downloaded), inspected, copied block by block into a staging
table, and published in the transaction that also says that it is done. Attributes: README.md.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from loading.beside import Beside, beside
from loading.blocks import BLOCK_BYTES, Blocks, ahead
from loading.infer import widen
from loading.load import Load
from loading.names import table_name
from loading.options import Options
from loading.source import Source, find, recognise
from loading.survey import Survey, survey

import locaria_reporter as lr


@dataclass
class Job:
    """A file to load: what is asked for, and what it was found to be."""

    run: lr.Run
    options: Options
    table: str
    source: Source
    survey: Survey
    began: float = field(default_factory=time.monotonic)


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
    found = survey(source, options, run.checkpoint.get("types", {}))
    if found.empty and not options.allow_empty:
        raise lr.Fatal(
            f"{name} has a header and no rows; attribute allow_empty = true makes an empty table",
            kind="data",
        )
    job = Job(run, options, table, source, found, began)
    staging = prepare(job)
    load = Load(run, source, found, staging, options.null)
    try:
        copy(job, staging, load)
        publish(job, staging, load)
    except lr.TooManyRejects as error:
        begin_again_or_fail(job, load, error)


def prepare(job: Job) -> lr.Staging:
    """The staging table; an earlier attempt's, if that was about the same file."""
    run, source = job.run, job.source
    run.log.info(
        "%s: %s bytes, %s columns, %r between fields",
        source.name,
        f"{source.size:,}",
        len(job.survey.columns),
        job.survey.dialect.delimiter,
    )
    if run.checkpoint:
        # Ours from now on: an attempt whose rows are gone begins again, with what was learned.
        run.save_checkpoint(types=job.survey.learned)
    staging = _staging(job)
    if staging.adopted and run.checkpoint.get("source") != source.fingerprint:
        run.log.warning("%s has changed since the last attempt: beginning again", source.name)
        run.save_checkpoint(types=job.survey.learned)
        staging = _staging(job)
    return staging


def _staging(job: Job) -> lr.Staging:
    try:
        return job.run.staging(job.table, job.survey.columns, mode=job.options.mode)
    except lr.Refused as error:
        raise lr.Fatal(str(error), kind="data") from None


def copy(job: Job, staging: lr.Staging, load: Load) -> None:
    """All rows into the staging table."""
    run, source = job.run, job.source
    run.stage("load", unit="rows")
    run.count_bytes(0, source.size)
    if load.line != job.survey.line:
        run.log.info("going on from line %s, which an earlier attempt reached", f"{load.line:,}")
    stream = source.open(load.offset)
    size = int(os.environ.get("LOCARIA_BLOCK_BYTES", BLOCK_BYTES))
    second = beside(run, staging, source.size // size)
    try:
        blocks = Blocks(
            stream.read,
            stream.position,
            job.survey.dialect,
            offset=load.offset,
            line=load.line,
            size=size,
        )
        waiting = ahead(blocks)
        for block in waiting:
            other = next(waiting, None) if second else None
            if second and other:
                load.add_both(block, other, second)
            else:
                load.add(block)
            run.count_bytes((other or block).position, source.size)
    finally:
        _close(second)
        stream.close()


def _close(second: Beside | None) -> None:
    if second is not None:
        second.close()


def publish(job: Job, staging: lr.Staging, load: Load) -> None:
    """The staging table becomes the target; the run has succeeded."""
    run, source, rows = job.run, job.source, staging.rows
    if not rows and not job.survey.empty:
        raise lr.Fatal(f"no row could be loaded; {load.trouble.last}", kind="data")
    run.stage("publish", total=rows, unit="rows")
    run.progress(rows)
    run.count_bytes(source.size, source.size)
    words = f"{rows:,} rows into {job.table}"
    if load.rejected:
        words += f", {load.rejected:,} rejected"
    result = {
        "table": job.table,
        "rows": rows,
        "rejected": load.rejected,
        "bytes": source.size,
        "columns": [{"name": name, "type": kind} for name, kind in job.survey.columns.items()],
        "seconds": round(time.monotonic() - job.began, 3),
    }
    run.finish(swap=staging, message=words, result=result)


def begin_again_or_fail(job: Job, load: Load, error: lr.TooManyRejects) -> None:
    """Too many bad rows: because a type was inferred too narrowly, or because they are bad."""
    run, trouble = job.run, load.trouble
    blamed = [
        name
        for name, count in trouble.by_column.items()
        if name in job.survey.guessed and count * 10 >= trouble.rejected
    ]
    if not blamed or run.attempt >= run.max_attempts:
        raise lr.Fatal(f"{error.message}; the last one: {trouble.last}", kind="data") from None
    wider = {name: widen(job.survey.columns[name], trouble.values[name]) for name in blamed}
    run.save_checkpoint(types={**job.survey.learned, **wider})
    words = ", ".join(f'"{name}" as {kind}' for name, kind in wider.items())
    raise lr.Retry(f"{error.message} ({trouble.last}); loading again with {words}", in_=0) from None


def main() -> None:
    """Load the files that wait, then leave."""
    for run in lr.claims():
        with run:
            load_file(run)


if __name__ == "__main__":
    main()
