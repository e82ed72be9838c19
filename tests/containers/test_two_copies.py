"""A large layer is loaded by two COPYs at a time: its rows and its bad rows are those of one."""

from pathlib import Path

import pyarrow as pa
import pyogrio.raw
import pytest
import shapely

from tests.containers.conftest import Loader

ROWS = 3_000
# A smallint takes none of these. Of two blocks, now the first and now the second has one.
BAD = {0, 1, 2_999, *range(0, ROWS, 311)}
BLOCK = "16384"


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    path = tmp_path / "points.gpkg"
    values = [40_000 if n in BAD else n for n in range(ROWS)]
    table = pa.table(
        {
            "n": pa.array(range(ROWS)),
            "small": pa.array(values),
            "shape": pa.array(shapely.to_wkb(shapely.points(range(ROWS), range(ROWS)))),
        }
    )
    pyogrio.raw.write_arrow(
        table, path, geometry_name="shape", geometry_type="Point", crs="EPSG:27700", driver="GPKG"
    )
    return path


@pytest.mark.parametrize("block", [BLOCK, str(1 << 30)], ids=["two at a time", "one"])
def test_every_good_row_is_there_once_and_every_bad_one_is_told(
    loader: Loader, layer: Path, block: str
) -> None:
    file = loader.insert(layer, table="points", types={"small": "smallint"})
    loader.drain(LOCARIA_BLOCK_BYTES=block)
    assert loader.succeeded(file)
    row = loader.owner.execute(
        "select count(*) as rows, count(distinct n) as different, sum(n) as total from points"
    ).fetchone()
    good = [n for n in range(ROWS) if n not in BAD]
    assert row == {"rows": len(good), "different": len(good), "total": sum(good)}
    assert [line for line, _ in loader.rejects(file)] == [n + 1 for n in sorted(BAD)]
