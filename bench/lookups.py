"""Claim, status and views in a table with 1,000,000 finished files: milliseconds a statement."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from bench.database import BenchDatabase, Connection
from bench.measure import Result, seconds

FINISHED = 1_000_000
ROUNDS = 200

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


def measure(database: BenchDatabase) -> Iterator[Result]:
    """Each must take less than a millisecond: an index answers it."""
    with database.connect() as connection:
        task = _fill(database, connection)
        for name, statement in (
            ("claim of one file", None),
            ("status of one file", "select * from locaria.status where file_id = 500000"),
            ("log of one file", "select * from locaria.log where file_id = 500000"),
            ("newest 20 files", "select * from locaria.status order by file_id desc limit 20"),
            ("running", "select * from locaria.running"),
            ("queue", "select * from locaria.queue"),
            ("tick", "select locaria.tick()"),
        ):
            if statement is None:
                work: Callable[[], object] = lambda: _claim(connection, task)  # noqa: E731
            else:
                work = lambda statement=statement: connection.execute(statement).fetchall()  # noqa: E731
            times = [seconds(work) * 1000 for _ in range(ROUNDS)]
            goal = None if name == "tick" else 1.0
            label = f"{name}, {FINISHED:,} finished files"
            yield Result(label, statistics.median(times), None, "", goal, unit="ms")


def _fill(database: BenchDatabase, connection: Connection) -> int:
    database.empty(connection)
    with connection.transaction():
        connection.execute("alter table locaria.files disable trigger user")
        connection.execute(FILL, [FINISHED])
        connection.execute(FINISH)
        connection.execute("alter table locaria.files enable trigger user")
    connection.execute("vacuum analyze locaria.files, locaria.runs")
    connection.execute(
        "insert into locaria.files (container) select 'file_loader' from generate_series(1, 1000)"
    )
    row = connection.execute("select task_id from locaria.start_task('file_loader')").fetchone()
    assert row is not None
    return int(row[0])


def _claim(connection: Connection, task: int) -> None:
    connection.execute("select run_id from locaria.claim_files(%s)", [task], prepare=True)
