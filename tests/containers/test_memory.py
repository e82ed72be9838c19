"""The loader's memory does not grow with the file."""

import re
from pathlib import Path

import pytest

from tests.containers.conftest import Loader
from tests.containers.site import Site

MEGABYTE = 1 << 20


def peak(pid: int) -> int:
    """Megabytes of memory that a process has used at most."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) >> 10 if found else 0


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
    process = loader.start()
    most = 0
    while process.poll() is None:
        most = max(most, peak(process.pid))
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
