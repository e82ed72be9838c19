"""A load of several tables that is killed within the second one goes on there."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyogrio.raw
import pytest
import shapely

from tests.containers.conftest import Loader
from tests.containers.killing import kill_at_half_way, messages

TABLES = ("first", "second", "third")
Write = Callable[[Path, dict[str, int]], Path]


def write_zip(folder: Path, counts: dict[str, int]) -> Path:
    """Members of a zip; one row of each is bad."""
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, count in counts.items():
            rows = "".join(f"{n},{name} {n}\n" for n in range(count))
            archive.writestr(f"{name}.csv", f"id,text\n{rows}bad,{name}\n")
    return path


def write_sheets(folder: Path, counts: dict[str, int]) -> Path:
    book = openpyxl.Workbook(write_only=True)
    for name, count in counts.items():
        sheet = book.create_sheet(name)
        sheet.append(["id", "text"])
        for n in range(count):
            sheet.append([n, f"{name} {n}"])
    path = folder / "all.xlsx"
    book.save(path)
    return path


def write_layers(folder: Path, counts: dict[str, int]) -> Path:
    path = folder / "all.gpkg"
    path.unlink(missing_ok=True)
    for name, count in counts.items():
        shapes = pa.array(shapely.to_wkb(shapely.points(range(count), 7)))
        texts = [f"{name} {n}" for n in range(count)]
        pyogrio.raw.write_arrow(
            pa.table({"id": range(count), "text": texts, "shape": shapes}),
            path,
            layer=name,
            append=path.exists(),
            geometry_name="shape",
            geometry_type="Point",
            crs="EPSG:4326",
            driver="GPKG",
        )
    return path


KINDS: dict[str, tuple[Write, dict[str, int]]] = {
    "members": (write_zip, {"first": 1_000, "second": 20_000, "third": 2_000}),
    "sheets": (write_sheets, {"first": 1_000, "second": 11_000, "third": 2_000}),
    "layers": (write_layers, {"first": 1_000, "second": 10_000, "third": 2_000}),
}


def check(loader: Loader, file: int, counts: dict[str, int], rejected: int) -> None:
    """Every row once, in its table, and what the result says of each."""
    assert loader.succeeded(file)
    told = {each["table"]: each for each in loader.result(file)["tables"]}
    for name, count in counts.items():
        found = loader.owner.execute(
            "select count(*) as n, count(distinct id) as ids, min(id), max(id),"
            f" count(*) filter (where text <> '{name} ' || id) as wrong from all_{name}".encode()
        ).fetchone()
        assert found == {"n": count, "ids": count, "min": 0, "max": count - 1, "wrong": 0}
        assert (told[f"all_{name}"]["rows"], told[f"all_{name}"]["rejected"]) == (count, rejected)
        if "srid" in told[f"all_{name}"]:
            assert told[f"all_{name}"]["bbox"] == [0, 7, count - 1, 7]
    assert loader.result(file)["rejected"] == rejected * len(TABLES)
    loader.owner.execute("select locaria.tick()")
    assert loader.owner.execute("select from locaria.staging_tables").fetchall() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_load_that_is_killed_within_its_second_table_goes_on_there(
    loader: Loader, kind: str
) -> None:
    write, counts = KINDS[kind]
    rejected = int(kind == "members")
    types = {"types": {"id": "integer"}} if rejected else {}
    file = loader.insert(write(loader.folder, counts), **types)
    reached = kill_at_half_way(loader, file, "all_second")
    at = reached["line"] if kind == "members" else reached["row"]
    assert 0 < at < counts["second"]
    loader.drain()
    check(loader, file, counts, rejected)
    said = messages(loader, file)
    assert said.count("all of it was loaded by an earlier attempt") == 1
    assert (
        f"going on from line {at:,}" in said
        or f"going on behind feature {at:,}" in said
        or (f"going on behind row {at:,}" in said)
    )
    assert len(loader.rejects(file)) == rejected * len(TABLES)


def test_a_file_of_several_tables_that_changed_is_loaded_from_its_beginning(loader: Loader) -> None:
    write, counts = KINDS["members"]
    path = write(loader.folder, counts)
    file = loader.insert(path, types={"id": "integer"})
    kill_at_half_way(loader, file, "all_second")
    counts = {"first": 10, "second": 15_000, "third": 3}
    write(loader.folder, counts)
    kill_at_half_way(loader, file, "all_second")
    loader.drain()
    check(loader, file, counts, 1)
    said = messages(loader, file)
    # The second attempt began again, and the third went on behind it.
    assert said.count("all of it was loaded by an earlier attempt") == 1


def test_lines_that_are_no_json_are_counted_where_a_killed_load_goes_on(loader: Loader) -> None:
    lines = [f'{{"id": {n}, "text": "lines {n}"}}' for n in range(40_000)]
    lines[7] = '{"id": 7, '
    file = loader.insert(loader.write("\n".join(lines), "lines.ndjson"))
    row = kill_at_half_way(loader, file, "lines", beyond=1_000)["row"]
    assert row < len(lines)
    loader.drain()
    assert loader.succeeded(file)
    assert f"going on behind row {row:,}" in messages(loader, file)
    found = sorted(row[0] for row in loader.rows("lines"))
    assert found == [n for n in range(len(lines)) if n != 7]
    assert loader.result(file)["rejected"] == 1
    assert {line for line, _ in loader.rejects(file)} == {8}
