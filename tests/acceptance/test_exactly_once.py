"""The real loader, killed and cut off in the middle: every row is there once."""

import os
import signal
from pathlib import Path

import pytest

from tests.acceptance.conftest import Place

pytestmark = pytest.mark.acceptance
ROWS = 300_000


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of some MB, in blocks of 2 KB: thousands of transactions."""
    path = tmp_path_factory.mktemp("data") / "numbers.csv"
    with path.open("w") as out:
        out.write("n,word\n")
        out.writelines(f"{n},word number {n}\n" for n in range(ROWS))
    return path


def loaded(place: Place, table: str) -> tuple[int, int]:
    row = place.one(f"select count(*) as n, count(distinct n) as d from public.{table}")
    return row["n"], row["d"]


def wait_half_way(place: Place, file: int, csv: Path) -> int:
    """Wait until a third is committed; returns the process of its task."""
    third = csv.stat().st_size // 3
    place.wait(
        file,
        lambda row: place.one(
            "select coalesce(max((s.checkpoint ->> 'offset')::bigint), 0) > %s as yes "
            "from locaria.files f join locaria.staging_tables s on s.run_id = f.claimed_by "
            "where f.id = %s",
            third,
            file,
        )["yes"],
    )
    row = place.one(
        "select (t.info ->> 'pid')::int as pid from locaria.runs r "
        "join locaria.tasks t on t.id = r.task_id where r.file_id = %s order by r.id desc limit 1",
        file,
    )
    return int(row["pid"])


def test_a_loader_killed_half_way_leaves_the_target_and_goes_on_from_its_checkpoint(
    place: Place, csv: Path
) -> None:
    small = csv.with_name("small.csv")
    small.write_text("n,word\n1,before\n")
    first = place.submit("file_loader", path=str(small), table="killed")
    assert place.wait(first)["phase"] == "done", place.story(first)
    file = place.submit("file_loader", path=str(csv), table="killed")
    pid = wait_half_way(place, file, csv)
    os.kill(pid, signal.SIGKILL)
    assert loaded(place, "killed") == (1, 1), "readers see the old table"
    row = place.wait(file)
    assert row["phase"] == "done", place.story(file)
    assert loaded(place, "killed") == (ROWS, ROWS)
    runs = place.runs(file)
    assert [run["outcome"] for run in runs] == ["lost", "succeeded"]
    said = place.one(
        "select count(*) as n from locaria.log "
        "where file_id = %s and message like 'going on from line%%'",
        file,
    )
    assert said["n"] == 1, "it did not begin again"


def test_a_load_survives_a_crash_of_postgres(place: Place, csv: Path) -> None:
    file = place.submit("file_loader", path=str(csv), table="crashed")
    wait_half_way(place, file, csv)
    place.db.close()
    assert place.runtime.server is not None
    place.runtime.server.restart("immediate")
    place.__init__(place.runtime)  # type: ignore[misc]
    row = place.wait(file)
    assert row["phase"] == "done", place.story(file)
    assert loaded(place, "crashed") == (ROWS, ROWS)


def test_a_zombie_that_lost_its_lease_cannot_write(place: Place, csv: Path) -> None:
    file = place.submit("file_loader", path=str(csv), table="zombie")
    pid = wait_half_way(place, file, csv)
    zombie = place.runs(file)[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        row = place.wait(file)
        assert row["phase"] == "done", place.story(file)
        assert loaded(place, "zombie") == (ROWS, ROWS)
    finally:
        os.kill(pid, signal.SIGCONT)
    place.wait(
        file,
        lambda row: place.one(
            "select last_status = 'STOPPED' as yes from locaria.tasks where task_arn = %s",
            zombie["task_arn"],
        )["yes"],
    )
    assert loaded(place, "zombie") == (ROWS, ROWS)
    assert [run["outcome"] for run in place.runs(file)] == ["lost", "succeeded"]


def test_a_cancelled_load_leaves_nothing_behind(place: Place, csv: Path) -> None:
    file = place.submit("file_loader", path=str(csv), table="cancelled")
    wait_half_way(place, file, csv)
    place.db.execute("select locaria.cancel(%s)", [file])
    assert place.wait(file, seconds=10)["phase"] == "cancelled"
    assert place.one("select to_regclass('public.cancelled') as t")["t"] is None
    place.wait(
        file,
        lambda row: place.one("select not exists (select from locaria.staging_tables) as yes")[
            "yes"
        ],
    )
