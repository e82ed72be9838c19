"""How far a load is can be seen from its beginning, also while its file is only looked at."""

import time
from pathlib import Path

import pytest

from tests.containers.conftest import Loader

from loading.looking import cost_of, measure  # isort: skip


def test_the_percentage_rises_while_a_file_is_looked_at(loader: Loader) -> None:
    path = loader.folder / "things.ndjson"
    # Large enough that the look is not over when the second report is due.
    path.write_bytes(b'{"id": 1, "text": "value"}\n' * 4_000_000)
    file = loader.insert(path)
    process = loader.start()
    seen: list[float] = []
    deadline = time.monotonic() + 60
    while len(seen) < 2:
        assert time.monotonic() < deadline and process.poll() is None, seen
        row = loader.app.execute(
            "select stage, percent from locaria.status where file_id = %s", [file]
        ).fetchone()
        assert row is not None
        if row["percent"] and float(row["percent"]) not in seen:
            assert row["stage"] == "inspect"
            seen.append(float(row["percent"]))
    assert seen[0] < seen[1] < 60


def test_it_never_goes_back_and_ends_at_100(loader: Loader) -> None:
    rows = "".join(f"{n},value {n}\n" for n in range(200_000))
    file = loader.insert(loader.write("id,text\n" + rows))
    process = loader.start(LOCARIA_BLOCK_BYTES="65536")
    seen = [0.0]
    while process.poll() is None:
        row = loader.app.execute(
            "select percent, phase from locaria.status where file_id = %s", [file]
        ).fetchone()
        assert row is not None
        if row["percent"] is not None:
            seen.append(float(row["percent"]))
    assert loader.succeeded(file)
    assert seen == sorted(seen)
    final = loader.app.execute("select percent from locaria.status").fetchone()
    assert final == {"percent": 100}


@pytest.mark.parametrize(
    ("name", "content", "times", "share"),
    [
        ("a.csv", b"id,name\n1,a\n", 1, 0.02),
        ("a.ndjson", b'{"id": 1}\n{"id": 2}\n', 1, 0.6),
        ("a.geojson", b'{"type": "FeatureCollection", "features": []}', 4, 0.5),
        ("a.kml", b'<?xml version="1.0"?><kml></kml>', 3, 0.6),
    ],
)
def test_what_a_look_costs_depends_on_the_format(
    tmp_path: Path, name: str, content: bytes, times: int, share: float
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert cost_of(path, name) == (len(content) * times, share)


def test_the_measure_follows_what_is_read_and_never_says_that_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(8 << 20))
    fraction = measure(path.stat().st_size)
    begun = fraction()
    with path.open("rb") as file:
        file.read(4 << 20)
        half = fraction()
        file.read()
        whole = fraction()
        for _ in range(9):
            file.seek(0)
            file.read()
    assert begun < 0.05 and 0.4 < half < 0.5 and 0.85 < whole < 0.95 < fraction() < 1
