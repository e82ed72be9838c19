"""Processes bundles that bundle_ingest has received: verifies, archives, records.

The stages are those that Pacifica's clients know. Files are archived under a temporary name; their
final names, the metadata and the end of the job come in one transaction. See docs/bundle_ingest.md.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import psycopg
from bundle import take_bundle
from bundles.archive import open_stores
from bundles.cleaning import Cleaner
from job import Job
from moving import take_sources
from psycopg.rows import dict_row

import locaria_reporter as lr

_LOG = logging.getLogger("bundle_processor")


class Processor:
    """What one task keeps from job to job: the stores, and a connection for questions."""

    def __init__(self) -> None:
        self._store, self._archive = open_stores()
        self._cleaner = Cleaner(self._store, self._archive)
        self._opened: psycopg.Connection[dict[str, Any]] | None = None

    def connection(self) -> psycopg.Connection[dict[str, Any]]:
        """The connection, opened anew when it is broken."""
        if self._opened is None or self._opened.closed:
            self._opened = psycopg.connect(
                os.environ["LOCARIA_DSN"], autocommit=True, row_factory=dict_row
            )
            # All that is written here may be done again: that something was removed.
            self._opened.execute("set synchronous_commit = off")
        return self._opened

    def process(self, run: lr.Run) -> None:
        """Bring one job to its end."""
        job = Job(run, self._store, self._archive, self.connection())
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

    def clean(self, job: int | None = None) -> None:
        """Remove what jobs do not need any more; what goes wrong is done by a later one."""
        try:
            self._cleaner.clean(self.connection(), job)
        except (psycopg.Error, OSError) as error:
            _LOG.warning("not cleaned up: %s", error)


def main() -> None:
    """Process the jobs that wait, then leave."""
    processor = Processor()
    processor.clean()  # What a task that was killed has left.
    for run in lr.claims():
        with run:
            processor.process(run)
        processor.clean(run.file_id)


if __name__ == "__main__":
    main()
