"""INSERT into files against the floor: a bare table with the same columns and indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.database import BenchDatabase, Connection
from bench.measure import Result, best_of_pairs

SINGLE = "insert into {} (container, attributes) values ('file_loader', '{{\"path\": \"a.csv\"}}')"
BULK = (
    "insert into {} (container, attributes) "
    "select 'file_loader', jsonb_build_object('path', n) from generate_series(1, {}) as n"
)
FILES, FLOOR = "locaria.files", "public.floor"


SINGLES, QUICK_SINGLES = 2_000, 200
BULKS = ((20_000, 7), (1_000_000, 3))
QUICK_BULKS = ((20_000, 1),)


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:
    """Single inserts with a commit each while a task lives, then bulk inserts."""
    with database.connect() as connection:
        yield from _single(database, connection, QUICK_SINGLES if quick else SINGLES)
        for rows, rounds in QUICK_BULKS if quick else BULKS:
            yield from _bulk(database, connection, rows, rounds)


def _reset(database: BenchDatabase, connection: Connection) -> None:
    database.empty(connection)
    connection.execute("truncate public.floor")
    database.checkpoint()


def _live_tasks(connection: Connection, count: int) -> None:
    for _ in range(count):
        connection.execute("select locaria.start_task('file_loader')")
    connection.execute("update locaria.tasks set lease_until = now() + interval '1 hour'")


def _single(database: BenchDatabase, connection: Connection, count: int) -> Iterator[Result]:
    def inserts(table: str) -> Callable[[], None]:
        statement = SINGLE.format(table)

        def run() -> None:
            for _ in range(count):
                connection.execute(statement, prepare=True)

        return run

    for name, tasks in (("all tasks busy", 4), ("one task alive, others starting", 1)):
        database.make_floor(connection)

        def before(tasks: int = tasks) -> None:
            _reset(database, connection)
            _live_tasks(connection, tasks)

        ours, floor = best_of_pairs(inserts(FILES), inserts(FLOOR), 5, before)
        yield Result(f"{count:,} single inserts, {name}", ours, floor, "bare table", 2.0)


def _bulk(
    database: BenchDatabase, connection: Connection, rows: int, rounds: int
) -> Iterator[Result]:
    database.make_floor(connection)
    ours, floor = best_of_pairs(
        lambda: connection.execute(BULK.format(FILES, rows)),
        lambda: connection.execute(BULK.format(FLOOR, rows)),
        rounds,
        lambda: _reset(database, connection),
    )
    yield Result(f"{rows:,} rows in one statement", ours, floor, "bare table", 1.2)
