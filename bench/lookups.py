"""Claim, status and views in a table with 1,000,000 finished files: milliseconds a statement."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial

from bench.database import BenchDatabase, Connection
from bench.measure import Result, seconds

FINISHED, QUICK_FINISHED = 1_000_000, 20_000
ROUNDS, QUICK_ROUNDS = 200, 20

FILL = """
with finished as (
  insert into locaria.files (container, attributes)
  select 'file_loader', jsonb_build_object('path', n) from generate_series(1, %s) as n
  returning id
)
insert into locaria.runs (file_id, container, task_id, attempt, requested_status, started,
  lease_until, ended, outcome, end_status)
select id, 'file_loader', 0, 1, 'REGISTERED', now(), now(), now(), 'succeeded', 'FARGATE_PROCESSED'
from finished
"""
FINISH = """
update locaria.files set status = 'FARGATE_PROCESSED', finished = now(), attempts = 1
where finished is null
"""


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:
    """Each must take less than a millisecond: an index answers it."""
    finished = QUICK_FINISHED if quick else FINISHED
    with database.connect() as connection:
        task = fill(database, connection, finished)
        for name, statement in (
            ("status of one file", f"select * from locaria.status where file_id = {finished // 2}"),
            ("log of one file", f"select * from locaria.log where file_id = {finished // 2}"),
            ("newest 20 files", "select * from locaria.status order by file_id desc limit 20"),
            ("running", "select * from locaria.running"),
            ("queue", "select * from locaria.queue"),
            ("claim of one file", None),
            ("tick", "select locaria.tick()"),
        ):
            work = (
                partial(_read, connection, statement)
                if statement
                else partial(_claim, connection, task)
            )
            times = [seconds(work) * 1000 for _ in range(QUICK_ROUNDS if quick else ROUNDS)]
            goal = None if name == "tick" else 1.0
            label = f"{name}, {finished:,} finished files"
            yield Result(label, statistics.median(times), None, "", goal, unit="ms")


def fill(database: BenchDatabase, connection: Connection, finished: int) -> int:
    """Fill the tables with so many finished files; the id of a task that is alive."""
    database.empty(connection)
    with connection.transaction():
        connection.execute("alter table locaria.files disable trigger user")
        connection.execute(FILL, [finished])
        connection.execute(FINISH)
        connection.execute("alter table locaria.files enable trigger user")
    connection.execute("vacuum analyze locaria.files, locaria.runs")
    connection.execute(
        "insert into locaria.files (container) select 'file_loader' from generate_series(1, 1000)"
    )
    row = connection.execute("select task_id from locaria.start_task('file_loader')").fetchone()
    assert row is not None
    connection.execute("select run_id from locaria.claim_files(%s, 4)", row)
    return int(row[0])


def _read(connection: Connection, statement: str) -> None:
    connection.execute(statement).fetchall()


def _claim(connection: Connection, task: int) -> None:
    connection.execute("select run_id from locaria.claim_files(%s)", [task], prepare=True)
