"""A load that is broken off and goes on."""

import signal
import subprocess
import time

import pyarrow as pa
import pyogrio.raw
import pytest
import shapely

from tests.containers.conftest import Loader
from tests.containers.killing import (
    BLOCK,
    await_checkpoint,
    expire,
    kill_at_half_way,
    messages,
    reached,
)

ROWS = 300_000
FEATURES = 300_000


def numbers(count: int = ROWS) -> str:
    return "id,text\n" + "".join(f"{n},value {n}\n" for n in range(count))


def test_a_killed_load_goes_on_from_its_checkpoint_and_has_every_row_once(loader: Loader) -> None:
    assert loader.succeeded(loader.load("id,text\n-1,old\n"))
    file = loader.insert(loader.write(numbers()))
    line = kill_at_half_way(loader, file)["line"]
    assert 1 < line < ROWS
    assert loader.rows() == [(-1, "old")], "the target is untouched until the load is published"
    loader.drain(LOCARIA_BLOCK_BYTES="400000")
    assert loader.succeeded(file)
    assert f"going on from line {line:,}" in messages(loader, file)
    counted = loader.owner.execute(
        "select count(*) as n, count(distinct id) as ids, min(id), max(id) from things"
    ).fetchone()
    assert counted == {"n": ROWS, "ids": ROWS, "min": 0, "max": ROWS - 1}
    assert loader.file(file)["attempts"] == 2
    assert loader.result(file)["rows"] == ROWS
    published = loader.owner.execute("select row_count from locaria.published_tables").fetchone()
    assert published == {"row_count": ROWS}


def test_a_file_that_changed_is_loaded_from_its_beginning(loader: Loader) -> None:
    path = loader.write(numbers())
    file = loader.insert(path)
    kill_at_half_way(loader, file)
    loader.write(numbers(1000))
    loader.drain()
    assert loader.succeeded(file)
    assert "has changed since the last attempt" in messages(loader, file)
    assert sorted(row[0] for row in loader.rows()) == list(range(1000))


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8", ","), ("utf-16", "|§")])
def test_no_reject_is_lost_in_a_crash(loader: Loader, encoding: str, delimiter: str) -> None:
    text = numbers().replace("\n10,", "\nten,").replace(",value 299990\n", "\n")
    path = loader.write(text.replace(",", delimiter).encode(encoding))
    file = loader.insert(path, types={"id": "integer"}, delimiter=delimiter)
    kill_at_half_way(loader, file)
    loader.drain()
    assert loader.succeeded(file)
    # A crash between a reject and the checkpoint behind it says it again, under the next run.
    assert sorted({line for line, _ in loader.rejects(file)}) == [12, 299_992]
    assert loader.result(file)["rejected"] == 2
    assert loader.result(file)["rows"] == ROWS - 2


def test_a_terminated_load_gives_its_file_back_and_another_task_goes_on(loader: Loader) -> None:
    file = loader.insert(loader.write(numbers()))
    process = loader.start(LOCARIA_BLOCK_BYTES=BLOCK)
    await_checkpoint(loader, file)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert loader.file(file)["status"] == "REGISTERED"
    assert loader.file(file)["attempts"] == 0
    loader.drain()
    assert loader.succeeded(file)
    assert sorted(row[0] for row in loader.rows()) == list(range(ROWS))


def test_a_restart_of_postgres_in_the_middle_of_a_load_ends_in_a_complete_load(
    loader: Loader,
) -> None:
    file = loader.insert(loader.write(numbers()))
    process = loader.start(LOCARIA_BLOCK_BYTES=BLOCK)
    await_checkpoint(loader, file)
    loader.db.server.restart("immediate")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    loader.owner, loader.app = loader.db.connect(), loader.db.connect("app")
    if loader.file(file)["status"] == "REGISTERED":
        loader.drain()
    assert loader.succeeded(file)
    assert sorted(row[0] for row in loader.rows()) == list(range(ROWS))


def test_cancel_stops_a_load_within_seconds(loader: Loader) -> None:
    file = loader.insert(loader.write(numbers()))
    process = loader.start(LOCARIA_BLOCK_BYTES=BLOCK)
    await_checkpoint(loader, file)
    began = time.monotonic()
    loader.owner.execute("select locaria.cancel(%s, 'not needed')", [file])
    process.wait(30)
    assert time.monotonic() - began < 5
    assert loader.file(file)["status"] == "CANCELLED"
    assert loader.types() == {}


def start_features(loader: Loader) -> tuple[int, subprocess.Popen[str]]:
    """A load of a GeoPackage that has committed some of its batches: file and process."""
    shapes = pa.array(shapely.to_wkb(shapely.points(range(FEATURES), 0)))
    table = pa.table({"id": range(FEATURES), "shape": shapes})
    path = loader.folder / "things.gpkg"
    pyogrio.raw.write_arrow(
        table, path, geometry_name="shape", geometry_type="Point", crs="EPSG:4326", driver="GPKG"
    )
    file = loader.insert(path)
    process = loader.start()
    await_checkpoint(loader, file)
    return file, process


def test_a_killed_load_of_features_goes_on_and_has_every_row_once(loader: Loader) -> None:
    assert loader.succeeded(loader.load("id,text\n-1,old\n"))
    file, process = start_features(loader)
    with loader.db.connect(autocommit=False) as holder:
        # Its next checkpoint waits for this lock: it can neither go on nor finish.
        holder.execute("select from locaria.files where id = %s for update", [file])
        assert process.poll() is None, process.communicate()[0]
        process.kill()
        process.wait()
    row = reached(loader, file)["row"]
    assert 0 < row < FEATURES
    assert loader.rows() == [(-1, "old")], "the target is untouched until the load is published"
    expire(loader)
    loader.drain()
    assert loader.succeeded(file)
    assert f"going on behind feature {row:,}" in messages(loader, file)
    found = sorted(row[0] for row in loader.rows())
    assert found == list(range(FEATURES))
    assert loader.file(file)["attempts"] == 2
    assert loader.result(file)["rows"] == FEATURES


def test_cancel_stops_a_load_of_features_and_leaves_the_table(loader: Loader) -> None:
    assert loader.succeeded(loader.load("id,text\n-1,old\n"))
    file, process = start_features(loader)
    loader.owner.execute("select locaria.cancel(%s, 'not needed')", [file])
    process.wait(30)
    assert loader.file(file)["status"] == "CANCELLED"
    assert loader.rows() == [(-1, "old")]
    loader.owner.execute("select locaria.tick()")
    assert loader.owner.execute("select from locaria.staging_tables").fetchall() == []
