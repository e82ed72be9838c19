"""The loader's memory does not grow with the file."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.containers.conftest import Loader

from loading import ogr, parquet  # isort: skip
from tests.containers.site import Site

MEGABYTE = 1 << 20


def peak(pid: int | str, what: str = "VmHWM") -> int:
    """Megabytes of memory that a process has used at most."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(rf"{what}:\s+(\d+) kB", status)
    return int(found[1]) >> 10 if found else 0


def watch_peak(process: subprocess.Popen[str]) -> int:
    """Megabytes that a process has used at most, when it has ended."""
    most = 0
    while process.poll() is None:
        most = max(most, peak(process.pid))
    return most


@pytest.mark.parametrize(
    "row", ["{n},text {n},{n}.5\n", '{n},"text, {n}",{n}.5\n'], ids=["plain", "quoted"]
)
def test_a_large_file_is_loaded_in_less_than_100_mb(loader: Loader, row: str) -> None:
    path = loader.folder / "large.csv"
    line = "".join(row.format(n=n) for n in range(1000)) * 50
    with path.open("w", encoding="ascii") as file:
        file.write("id,text,number\n")
        while file.tell() < 100 * MEGABYTE:
            file.write(line)
    id_ = loader.insert(path, types={"text": "text", "number": "text"})
    most = watch_peak(loader.start())
    assert loader.succeeded(id_)
    assert 20 < most < 100, f"{most} MB"


def test_a_table_of_160_mb_is_downloaded_in_memory_of_its_libraries(site: Site) -> None:
    site.execute(
        "create view large as select n, repeat(md5(n::text), 250) as words"
        " from generate_series(1, 20000) as n; grant select on large to locaria_loader"
    )
    for kind, limit in (("csv", 100), ("gpkg", 320)):
        file = site.request_download("large", format=kind)
        process = site.start("file_download")
        most = 0
        while process.poll() is None:
            most = max(most, peak(process.pid))
        assert site.succeeded(file)
        assert site.result(file)["bytes"] > 150 * MEGABYTE
        assert 20 < most < limit, f"{most} MB as {kind}"


def test_a_row_group_of_any_size_is_read_by_and_by(tmp_path: Path) -> None:
    """The other formats: `make test-load-long`."""
    path = tmp_path / "large.parquet"
    numbers = np.random.default_rng(1).integers(0, 2**62, 3_000_000)
    pq.write_table(pa.table({"n": numbers}), path, compression="none", use_dictionary=False)
    del numbers
    assert path.stat().st_size > 20 * MEGABYTE
    [layer] = parquet.layers(path, "large.parquet")
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    for batch in layer.read(0):
        rows += batch.num_rows  # type: ignore[union-attr]
        most = max(most, pa.total_allocated_bytes() - before)
    assert rows == 3_000_000
    assert most < 10 * MEGABYTE


def test_features_of_openstreetmap_are_not_kept_when_they_are_counted(tmp_path: Path) -> None:
    def write(count: int) -> Path:
        path = tmp_path / f"{count}.osm"
        with path.open("w", encoding="ascii") as file:
            file.write('<?xml version="1.0"?>\n<osm version="0.6">\n')
            file.writelines(
                f'<node id="{n + 1}" lat="1" lon="2"><tag k="name" v="n{n}"/></node>\n'
                for n in range(count)
            )
            file.write("</osm>\n")
        return path

    ogr.layers(write(20_000), "small.osm", "OSM")
    before = peak("self", "RssAnon")
    found = ogr.layers(write(150_000), "large.osm", "OSM")
    assert found[0].rows == 150_000
    # A feature takes 400 bytes.
    assert peak("self", "RssAnon") - before < 40
