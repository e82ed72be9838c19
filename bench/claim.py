"""Claim to finish of files without work, against a bare FOR UPDATE SKIP LOCKED queue."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bench.database import BenchDatabase, Connection
from bench.measure import Result, best_of_pairs

FILES = 3_000
BATCHED = 20_000
QUICK = 1_000
BATCH = 100

BARE_CLAIM = """
update public.floor set status = 'FARGATE_PROCESSING', claimed_by = id, attempts = attempts + 1
where id in (
  select id from public.floor
  where coalesce(container, status) = 'file_loader' and claimed_by is null and finished is null
  order by priority desc, run_after, id
  limit %s
  for update skip locked
) returning id, attributes
"""
BARE_FINISH = """
update public.floor set status = 'FARGATE_PROCESSED', claimed_by = null, finished = now()
where id = any (%s)
"""


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:
    """One by one with a commit each way, then 100 at a time."""
    with database.connect() as connection:
        for name, files, batch, goal in (
            ("one by one", FILES, 1, 0.7),
            ("100 at a time", BATCHED, BATCH, 0.5),
        ):
            count = QUICK if quick else files
            database.make_floor(connection)
            ours, bare = best_of_pairs(
                partial(_drain_files, connection, batch),
                partial(_drain_floor, connection, batch),
                1 if quick else 3,
                partial(_fill, database, connection, count),
            )
            yield Result(
                f"claim to finish of {count:,} files, {name}",
                ours,
                bare,
                "bare SKIP LOCKED loop",
                goal,
                invert=True,
            )


def _fill(database: BenchDatabase, connection: Connection, files: int) -> None:
    database.empty(connection)
    connection.execute("truncate public.floor")
    for table in ("locaria.files", "public.floor"):
        connection.execute(
            f"insert into {table} (container, attributes) "
            "select 'file_loader', '{}' from generate_series(1, %s)",
            [files],
        )
    connection.execute("analyze locaria.files, public.floor")


def _drain_files(connection: Connection, batch: int) -> None:
    row = connection.execute("select task_id from locaria.start_task('file_loader')").fetchone()
    assert row is not None
    task = row[0]
    while claimed := connection.execute(
        "select run_id, file_id, attributes from locaria.claim_files(%s, %s)",
        [task, batch],
        prepare=True,
    ).fetchall():
        runs = [run for run, _, _ in claimed]
        connection.execute("select locaria.finish_runs(%s)", [runs], prepare=True)


def _drain_floor(connection: Connection, batch: int) -> None:
    while claimed := connection.execute(BARE_CLAIM, [batch], prepare=True).fetchall():
        connection.execute(BARE_FINISH, [[row[0] for row in claimed]], prepare=True)
