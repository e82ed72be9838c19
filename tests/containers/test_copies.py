"""A large file is loaded by several COPYs at a time: its rows and its bad rows are those of one."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyogrio.raw
import pytest
import shapely

from tests.containers.conftest import Loader

ROWS = 3_000
# A smallint takes none of these. Of the blocks on their way now the first has one, now a later one.
BAD = {0, 1, 2_999, *range(0, ROWS, 311)}
BLOCK = "16384"


VALUES = [40_000 if n in BAD else n for n in range(ROWS)]


def write_layer(path: Path) -> None:
    table = pa.table(
        {
            "n": pa.array(range(ROWS)),
            "small": pa.array(VALUES),
            "shape": pa.array(shapely.to_wkb(shapely.points(range(ROWS), range(ROWS)))),
        }
    )
    pyogrio.raw.write_arrow(
        table, path, geometry_name="shape", geometry_type="Point", crs="EPSG:27700", driver="GPKG"
    )


def kind(n: int) -> str:
    # Of a quote in the middle of a field COPY would make the beginning of a quoted part.
    return {1: '6" pipe' if n < ROWS // 2 else "6", 2: 'a "b", c'}.get(n % 10, "a")


def text_row(n: int) -> str:
    written = kind(n).replace('a "b", c', '"a ""b"", c"')
    return f"{n},{VALUES[n]},{written},{'x' * 100}"


def escaped_row(n: int) -> str:
    written = kind(n).replace('a "b", c', r'"a \"b\", c"')
    return f'{n}||{VALUES[n]}||{written}||"{"x" * 100}||\\\\"'


def write_text(path: Path) -> None:
    path.write_text("n,small,kind,long\n" + "".join(f"{text_row(n)}\n" for n in range(ROWS)))


def write_escaped(path: Path) -> None:
    rows = "".join(f"{escaped_row(n)}\n" for n in range(ROWS))
    path.write_text("n||small||kind||long\n" + rows)


ESCAPED = {"delimiter": "||", "escape": "\\"}


@pytest.mark.parametrize(
    ("name", "write", "block", "before"),
    [
        ("points.gpkg", write_layer, BLOCK, 1),
        ("points.gpkg", write_layer, str(1 << 30), 1),
        ("points.csv", write_text, BLOCK, 2),
        ("points.txt", write_escaped, BLOCK, 2),
    ],
    ids=["layer", "layer, one at a time", "text", "text with other marks"],
)
def test_every_good_row_is_there_once_and_every_bad_one_is_told(
    loader: Loader, name: str, write: Callable[[Path], None], block: str, before: int
) -> None:
    write(loader.folder / name)
    attributes = ESCAPED if write is write_escaped else {}
    file = loader.insert(
        loader.folder / name, table="points", types={"small": "smallint"}, **attributes
    )
    loader.drain(LOCARIA_BLOCK_BYTES=block)
    assert loader.succeeded(file)
    row = loader.owner.execute(
        "select count(*) as rows, count(distinct n) as different, sum(n) as total from points"
    ).fetchone()
    good = [n for n in range(ROWS) if n not in BAD]
    assert row == {"rows": len(good), "different": len(good), "total": sum(good)}
    assert [line for line, _ in loader.rejects(file)] == [n + before for n in sorted(BAD)]
    assert loader.result(file)["rejected"] == len(BAD)
    if name != "points.gpkg":
        shown = loader.app.execute("select row_text from locaria.rejects order by line").fetchall()
        row_of = escaped_row if write is write_escaped else text_row
        assert [row["row_text"] for row in shown] == [row_of(n) for n in sorted(BAD)]
        quoted = loader.owner.execute(
            "select kind, count(*) as rows from points where kind ~ '\"' group by kind order by 1"
        ).fetchall()
        assert [(row["kind"], row["rows"]) for row in quoted] == [
            (written, sum(kind(n) == written for n in good)) for written in ('6" pipe', 'a "b", c')
        ]


def test_no_copy_takes_a_date_whose_month_is_not_sure(loader: Loader) -> None:
    unsure = {7, 1_500, 2_990}
    days = ("01/02/2024" if n in unsure else "2024-01-02" for n in range(ROWS))
    path = loader.write("n,day\n" + "".join(f"{n},{day}\n" for n, day in enumerate(days)))
    file = loader.insert(path, types={"day": "date"})
    loader.drain(LOCARIA_BLOCK_BYTES="4096")
    assert loader.succeeded(file)
    assert [line for line, _ in loader.rejects(file)] == [n + 2 for n in sorted(unsure)]
