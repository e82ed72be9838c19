"""Processes bundles that bundle_ingest has received: verifies, archives, records.

The stages are those that Pacifica's clients know. Files are archived under a temporary name; their
final names, the metadata and the end of the job come in one transaction. See docs/bundle_ingest.md.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

# Code that several images share; in an image it lies on PYTHONPATH.
sys.path.append(str(Path(__file__).resolve().parent.parent / "modules"))

from bundle import take_bundle  # noqa: E402
from bundles.archive import open_stores  # noqa: E402
from bundles.cleaning import Cleaner  # noqa: E402
from job import Job  # noqa: E402
from moving import take_sources  # noqa: E402

import locaria_reporter as lr  # noqa: E402


_LOG = logging.getLogger("bundle_processor")


def process(run: lr.Run) -> None:
    """Bring one job to its end."""
    store, archive = open_stores()
    job = Job(run, store, archive)
    if job.is_ingested():
        run.finish(message="was ingested already")
        return
    if job.kind not in ("bundle", "move"):
        raise lr.Fatal("the upload was never complete: send it again", kind="data")
    try:
        files = take_sources(job) if job.kind == "move" else take_bundle(job)
        job.record(files)
    except BaseException:
        job.discard()
        raise
    clean(job.id)


def clean(job: int | None = None) -> None:
    """Remove what jobs do not need any more; what goes wrong is done by a later one."""
    store, archive = open_stores()
    try:
        with psycopg.connect(
            os.environ["LOCARIA_DSN"], autocommit=True, row_factory=dict_row
        ) as connection:
            Cleaner(store, archive).clean(connection, job)
    except (psycopg.Error, OSError) as error:
        _LOG.warning("not cleaned up: %s", error)


def main() -> None:
    """Process the jobs that wait, then leave."""
    for number, run in enumerate(lr.claims()):
        with run:
            if number == 0:
                clean()  # What a task that was killed has left.
            process(run)


if __name__ == "__main__":
    main()
