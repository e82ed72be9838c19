"""`make test-load-long`: memory that does not grow with the file, for every format that is read in
batches, and values at row 3,000,000 that break the types of the rows before.

Prints what it has seen; ends with an error when memory grows or a row is lost.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio.raw
import shapely

from locaria.local.postgres.server import PostgresServer
from tests.conftest import cloned, make_template
from tests.containers.conftest import Loader
from tests.containers.test_memory import watch_peak

FAR = 3_000_000
# More than the last place that is looked at for types.
AFTER = 10_000
# Megabytes by which a file that is four times as large may need more: what allocators keep.
GROWTH = 64
DRIVERS = {
    "gpkg": "GPKG",
    "shp": "ESRI Shapefile",
    "fgb": "FlatGeobuf",
    "geojson": "GeoJSON",
    "geojsonl": "GeoJSONSeq",
    "gml": "GML",
    "gdb": "OpenFileGDB",
    "mif": "MapInfo File",
}


def main() -> None:
    """Run all proofs, or some."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="of the smaller files")
    parser.add_argument("--formats", nargs="*", default=list(WRITERS))
    parser.add_argument("--far", nargs="*", default=list(FAR_PROOFS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="locaria_load_") as name, _loader(Path(name)) as loader:
        for each in options.formats:
            memory_is_constant(loader, each, options.rows)
        for each in options.far:
            FAR_PROOFS[each](loader)


@contextmanager
def _loader(folder: Path) -> Iterator[Loader]:
    with (
        PostgresServer(folder / "pg", durable=False) as server,
        cloned(server, make_template(server), "long proof") as database,
    ):
        loader = Loader(database, folder)
        try:
            yield loader
        finally:
            loader.close()


# Memory


def memory_is_constant(loader: Loader, name: str, rows: int) -> None:
    """Load a file, and one of four times as many rows."""
    peaks = []
    for count in (rows, rows * 4):
        folder = loader.folder / f"{name}_{count}"
        folder.mkdir()
        path = WRITERS[name](folder, count)
        file = loader.insert(path, table=f"memory_{name.replace('.', '_')}", mode="replace")
        peaks.append(watch_peak(loader.start()))
        assert loader.succeeded(file)
        assert loader.result(file)["rows"] >= count
        shutil.rmtree(folder)
    print(f"{name:10} {rows:,} rows {peaks[0]} MB, {rows * 4:,} rows {peaks[1]} MB", flush=True)
    assert peaks[1] - peaks[0] < GROWTH, f"{name}: {peaks} MB"


def _table(count: int) -> pa.Table:
    ids = np.arange(count)
    east = np.linspace(-179, 179, count)
    boxes = shapely.box(east, np.sin(ids) * 80, east + 0.001, np.sin(ids) * 80 + 0.001)
    names = [f"Building number {n}" for n in range(count)]
    shapes = pa.array(shapely.to_wkb(boxes))
    return pa.table({"id": ids, "name": names, "height": east, "shape": shapes})


def _spatial(driver: str, suffix: str) -> Callable[[Path, int], Path]:
    def write(folder: Path, count: int) -> Path:
        path = folder / f"m.{suffix}"
        pyogrio.raw.write_arrow(
            _table(count),
            path,
            geometry_name="shape",
            geometry_type="Polygon",
            crs="EPSG:4326",
            driver=driver,
        )
        if suffix != "shp":
            return path
        with zipfile.ZipFile(folder / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for each in folder.glob("m.[!z]*"):
                archive.write(each, each.name)
        return folder / "m.zip"

    return write


def _parquet(folder: Path, count: int) -> Path:
    # One row group, much larger than a batch.
    pq.write_table(
        _table(count * 10).drop(["shape"]), folder / "m.parquet", row_group_size=count * 10
    )
    return folder / "m.parquet"


def _ndjson(folder: Path, count: int) -> Path:
    with (folder / "m.ndjson").open("w", encoding="ascii") as file:
        file.writelines(f'{{"id": {n}, "name": "Building {n}"}}\n' for n in range(count))
    return folder / "m.ndjson"


def _json(folder: Path, count: int) -> Path:
    with (folder / "m.json").open("w", encoding="ascii") as file:
        file.write("[")
        file.writelines(f'{{"id": {n}, "name": "Building {n}"}},\n' for n in range(count))
        file.write('{"id": -1, "name": "last"}]')
    return folder / "m.json"


def _compressed_csv(folder: Path, count: int) -> Path:
    with gzip.open(folder / "m.csv.gz", "wt", compresslevel=1) as file:
        file.write("id,name\n")
        file.writelines(f"{n},Building {n}\n" for n in range(count * 10))
    return folder / "m.csv.gz"


def _osm(folder: Path, count: int) -> Path:
    with (folder / "m.osm").open("w", encoding="ascii") as file:
        file.write('<?xml version="1.0"?>\n<osm version="0.6">\n')
        file.writelines(
            f'<node id="{n + 1}" lat="{n % 80}" lon="{n % 170}"><tag k="name" v="n{n}"/></node>\n'
            for n in range(count)
        )
        file.write("</osm>\n")
    return folder / "m.osm"


WRITERS: dict[str, Callable[[Path, int], Path]] = {
    **{suffix: _spatial(driver, suffix) for suffix, driver in DRIVERS.items()},
    "parquet": _parquet,
    "ndjson": _ndjson,
    "json": _json,
    "csv.gz": _compressed_csv,
    "osm": _osm,
}


# A value that breaks the type


def far_csv(loader: Loader) -> None:
    """Few are set aside with their place; too many make the next attempt take a wider type."""
    path = loader.folder / "far.csv"

    def write(odd: int) -> None:
        with path.open("w", encoding="ascii") as file:
            file.write("id,amount\n")
            file.writelines(f"{n},{n % 1000}\n" for n in range(FAR))
            file.writelines(f"{n},{n}.5 or so\n" for n in range(FAR, FAR + odd))
            file.writelines(f"{n},1\n" for n in range(FAR + odd, FAR + odd + AFTER))

    write(1)
    file = loader.insert(path)
    _drain(loader)
    assert loader.succeeded(file)
    _has(loader, "far", FAR + AFTER, {"id": "integer", "amount": "integer"})
    [(line, reason)] = loader.rejects(file)
    assert line == FAR + 2 and '"amount"' in reason and f'"{FAR}.5 or so"' in reason
    print(f"csv: one value: set aside, line {line:,}: {reason}", flush=True)
    file = loader.insert(path, reject_limit=0)
    loader.owner.execute("update locaria.containers set max_attempts = 1")
    _drain(loader)
    row = loader.file(file)
    assert row["status"] == "ERROR"
    error = row["last_error"]
    assert f"line {FAR + 2:,}" in error and '"amount"' in error and f'"{FAR}.5 or so"' in error
    _has(loader, "far", FAR + AFTER, {"id": "integer", "amount": "integer"})
    print(f"csv: none may be set aside, one attempt: {error}", flush=True)
    loader.owner.execute("update locaria.containers set max_attempts = 3")
    write(1_100)
    file = loader.insert(path)
    _drain(loader)
    assert loader.succeeded(file) and loader.result(file)["rejected"] == 0
    _has(loader, "far", FAR + 1_100 + AFTER, {"id": "integer", "amount": "text"})
    print("csv: more than may be set aside: loaded again as text, every row is there", flush=True)
    path.unlink()


def far_ndjson(loader: Loader) -> None:
    """Types come from all values."""
    path = loader.folder / "far_lines.ndjson"
    with path.open("w", encoding="ascii") as file:
        file.writelines(f'{{"id": {n}, "amount": {n % 1000}}}\n' for n in range(FAR))
        file.write(f'{{"id": {FAR}, "amount": "none", "more": 1.5}}\n')
    file_id = loader.insert(path)
    _drain(loader)
    assert loader.succeeded(file_id) and loader.result(file_id)["rejected"] == 0
    types = {"id": "integer", "amount": "text", "more": "double precision"}
    _has(loader, "far_lines", FAR + 1, types)
    print("ndjson: types are those of all values, every row is there", flush=True)
    path.unlink()


def far_geojson(loader: Loader) -> None:
    """GDAL looks at all features before it says what the columns are."""
    path = loader.folder / "far_features.geojson"
    with path.open("w", encoding="ascii") as file:
        file.write('{"type": "FeatureCollection", "features": [\n')
        for n in range(FAR + 1):
            amount = '"none"' if n == FAR else n % 1000
            file.write(
                f'{{"type": "Feature", "properties": {{"id": {n}, "amount": {amount}}}, '
                '"geometry": null}' + (",\n" if n < FAR else "\n")
            )
        file.write("]}\n")
    file_id = loader.insert(path)
    _drain(loader)
    assert loader.succeeded(file_id) and loader.result(file_id)["rejected"] == 0
    found = loader.types("far_features")
    assert (found["id"], found["amount"]) == ("integer", "text"), found
    _has(loader, "far_features", FAR + 1, found)
    print("geojson: types are those of all features, every row is there", flush=True)
    path.unlink()


def far_sheet(loader: Loader) -> None:
    """The last row that a sheet can have."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("far")
    sheet.append(["id", "amount"])
    last = 2**20 - 1
    for n in range(1, last + 1):
        sheet.append([n, "none" if n == last else n % 1000])
    book.save(loader.folder / "far_sheet.xlsx")
    file = loader.insert(loader.folder / "far_sheet.xlsx")
    _drain(loader)
    assert loader.succeeded(file) and loader.result(file)["rejected"] == 0
    _has(loader, "far_sheet", last, {"id": "integer", "amount": "text"})
    print(f"xlsx: a text in row {last + 1:,}: the column is text, every row is there", flush=True)


FAR_PROOFS: dict[str, Callable[[Loader], None]] = {
    "csv": far_csv,
    "ndjson": far_ndjson,
    "geojson": far_geojson,
    "xlsx": far_sheet,
}


def _drain(loader: Loader) -> None:
    process = loader.start()
    output, _ = process.communicate(timeout=3_600)
    assert process.returncode == 0, output


def _has(loader: Loader, table: str, rows: int, types: dict[str, Any]) -> None:
    assert loader.types(table) == types, loader.types(table)
    found = loader.owner.execute(
        f"select count(*) as rows, count(distinct id) as ids from {table}".encode()
    ).fetchone()
    assert found == {"rows": rows, "ids": rows}, found


if __name__ == "__main__":
    main()
