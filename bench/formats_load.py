"""A GeoPackage through the real file_loader against ogr2ogr, a spreadsheet against pandas.

The GeoPackage needs PostGIS (Debian's, in a server of its own) and ogr2ogr; where one of them is
not installed, only the spreadsheet is measured.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import psycopg

from bench.csv_load import MEGABYTE, run_loader
from bench.database import BenchDatabase, Connection
from bench.measure import Result
from locaria.local.postgres.server import PostgresServer

CONTAINER = "bench_formats"
POSTGIS_BIN = Path(os.environ.get("LOCARIA_BENCH_PG_BIN", "/usr/lib/postgresql/15/bin"))
CONTROL = Path("/usr/share/postgresql") / POSTGIS_BIN.parent.name / "extension/postgis.control"
FEATURES, QUICK_FEATURES = 500_000, 5_000
CELLS, QUICK_CELLS = 200_000, 2_000
ROUNDS, QUICK_ROUNDS = 3, 1
# The peer is a program of its own, too; it has the DSN from its environment.
PANDAS = """
import os, sys, pandas, psycopg, sqlalchemy
frame = pandas.read_excel(sys.argv[1])
connect = lambda: psycopg.connect(os.environ["DSN"])
engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=connect)
frame.to_sql("bench_pandas", engine, if_exists="replace", index=False)
"""


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:
    """Half a million buildings; then a sheet."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        if CONTROL.is_file() and shutil.which("ogr2ogr"):
            count = QUICK_FEATURES if quick else FEATURES
            path = Path(folder) / "buildings.gpkg"
            _write_buildings(path, count)
            with _with_postgis(Path(folder)) as other:
                yield from _against_ogr2ogr(other, path, count, rounds)
        yield from _against_pandas(database, Path(folder), QUICK_CELLS if quick else CELLS, rounds)


@contextmanager
def _with_postgis(folder: Path) -> Iterator[BenchDatabase]:
    with PostgresServer(folder / "pg", bin_dir=POSTGIS_BIN) as server:
        made = BenchDatabase(server)
        with psycopg.connect(server.dsn_for(made.name), autocommit=True) as superuser:
            superuser.execute("create extension postgis")
        yield made


def _load(database: BenchDatabase, connection: Connection, path: Path) -> tuple[float, float, int]:
    """Seconds from claim to finish and of the whole process; its greatest memory in bytes."""
    connection.execute("drop table if exists public.bench_ours")
    connection.execute(
        "select locaria.register_container(%s, %s::jsonb)",
        [CONTAINER, json.dumps({"limits": {"idle_timeout": "0 seconds"}})],
    )
    connection.execute(
        "insert into locaria.files (container, attributes) values (%s, %s::jsonb)",
        [CONTAINER, json.dumps({"path": str(path), "table": "bench_ours", "mode": "replace"})],
    )
    database.checkpoint()
    begin = perf_counter()
    memory = run_loader(database.dsn, CONTAINER)
    seconds = perf_counter() - begin
    row = connection.execute(
        "select outcome, error, extract(epoch from ended - started)::float8 "
        "from locaria.runs order by id desc limit 1"
    ).fetchone()
    assert row is not None, "nothing was claimed"
    assert row[0] == "succeeded", row[1]
    return row[2], seconds, memory


def _against_ogr2ogr(
    database: BenchDatabase, path: Path, count: int, rounds: int
) -> Iterator[Result]:
    ours, whole, peer, memory = [], [], [], []
    with database.connect() as connection:
        for _ in range(rounds):
            connection.execute("drop table if exists public.bench_ogr")
            database.checkpoint()
            peer.append(_run_ogr2ogr(database, path))
            load, seconds, used = _load(database, connection, path)
            ours.append(load)
            whole.append(seconds)
            memory.append(used)
            for table in ("bench_ours", "bench_ogr"):
                row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
                assert row == (count,), f"{table}: {row}"
    name = f"GeoPackage load, {count:,} features, with spatial index"
    other = "ogr2ogr PG_USE_COPY"
    yield Result(f"{name}, claim to finish", min(ours), min(peer), other, 2.0, invert=True)
    yield Result(f"{name}, the whole process", min(whole), min(peer), other, invert=True)
    words = f"peak memory of the loader, {count:,} features"
    yield Result(words, max(memory) / MEGABYTE, None, "", unit="MB")


def _run_ogr2ogr(database: BenchDatabase, path: Path) -> float:
    # No password in argv: libpq reads it from its own variables.
    facts = psycopg.conninfo.conninfo_to_dict(database.dsn)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    names["dbname"] = "PGDATABASE"
    environment = {names[k]: str(v) for k, v in facts.items() if k in names}
    command = ["ogr2ogr", "-f", "PostgreSQL", "PG:", str(path), "-nln", "public.bench_ogr"]
    command += ["-lco", "GEOMETRY_NAME=geometry", "--config", "PG_USE_COPY", "YES"]
    begin = perf_counter()
    subprocess.run(
        command,
        check=True,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return perf_counter() - begin


def _against_pandas(
    database: BenchDatabase, folder: Path, rows: int, rounds: int
) -> Iterator[Result]:
    path = folder / "sheet.xlsx"
    _write_sheet(path, rows)
    ours, whole, peer, memory = [], [], [], []
    with database.connect() as connection:
        for _ in range(rounds):
            connection.execute("drop table if exists public.bench_pandas")
            database.checkpoint()
            begin = perf_counter()
            command = [sys.executable, "-c", PANDAS, str(path)]
            subprocess.run(command, check=True, env=os.environ | {"DSN": database.dsn})
            peer.append(perf_counter() - begin)
            load, seconds, used = _load(database, connection, path)
            ours.append(load)
            whole.append(seconds)
            memory.append(used)
    name, other = f"Excel load, {rows:,} rows of 6 columns", "pandas.to_sql"
    yield Result(f"{name}, claim to finish", min(ours), min(peer), other, 10.0, invert=True)
    yield Result(f"{name}, the whole process", min(whole), min(peer), other, invert=True)
    words = f"peak memory of the loader, sheet of {rows:,} rows"
    yield Result(words, max(memory) / MEGABYTE, None, "", unit="MB")


def _write_buildings(path: Path, count: int) -> None:
    """Octagons on the British grid, a few attributes each."""
    import numpy as np  # noqa: PLC0415 - only this part needs them
    import pyarrow as pa  # noqa: PLC0415
    import pyogrio.raw  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    chance = np.random.default_rng(1)
    x, y = chance.uniform(0, 600_000, count), chance.uniform(0, 1_000_000, count)
    angles = np.linspace(0, 2 * np.pi, 9)[:-1]
    corners = np.stack(
        [x[:, None] + 20 * np.cos(angles), y[:, None] + 20 * np.sin(angles)], axis=-1
    )
    shapes = shapely.multipolygons(shapely.polygons(corners)[:, None])
    ids = np.arange(count)
    kinds = ["house", "shop", "école", "farm, large"]
    days = np.datetime64("1900-01-01") + (ids % 40_000).astype("timedelta64[D]")
    table = pa.table(
        {
            "id": ids,
            "name": [f"Building {n}" for n in ids],
            "kind": [kinds[n % 4] for n in ids],
            "height": x / 1000,
            "built": days,
            "geom": shapely.to_wkb(shapes),
        }
    )
    pyogrio.raw.write_arrow(
        table,
        path,
        geometry_name="geom",
        geometry_type="MultiPolygon",
        crs="EPSG:27700",
        driver="GPKG",
        layer="buildings",
    )


def _write_sheet(path: Path, rows: int) -> None:
    import datetime  # noqa: PLC0415

    import openpyxl  # noqa: PLC0415 - only this part needs it

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sales")
    sheet.append(["id", "name", "amount", "day", "paid", "note"])
    first = datetime.datetime(2020, 1, 1)
    for n in range(rows):
        day = first + datetime.timedelta(days=n % 1500)
        sheet.append([n, f"Customer {n}", n * 1.25, day, n % 2 == 0, None if n % 3 else "x"])
    book.save(path)
