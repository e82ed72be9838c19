"""Geometries in a database with PostGIS: Debian's PostgreSQL 15, where that is installed.

Real data: the countries of the world by Natural Earth (public domain), out of pyogrio's tests.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyogrio.raw
import pytest
import shapely

from locaria.local.postgres.server import PostgresServer
from tests.conftest import cloned, make_template, server_folder
from tests.containers.conftest import Loader
from tests.containers.test_formats import COUNTRIES, FIXTURES, zipped

BIN = Path(os.environ.get("LOCARIA_TEST_PG_BIN", "/usr/lib/postgresql/15/bin"))
CONTROL = Path("/usr/share/postgresql") / BIN.parent.name / "extension" / "postgis.control"

pytestmark = pytest.mark.skipif(
    not CONTROL.is_file(),
    reason=f"PostGIS IS NOT TESTED: there is no {CONTROL} (Debian: postgresql-15-postgis-3)",
)

SQUARE = shapely.box(0, 0, 10, 10)
BOW_TIE = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[PostgresServer, str]]:
    """A server of its own, with PostGIS in the template."""
    with server_folder() as folder:
        made = PostgresServer(folder, bin_dir=BIN, durable=False)
        with made:
            template = make_template(made)
            with psycopg.connect(made.dsn_for(template), autocommit=True) as superuser:
                superuser.execute("create extension postgis")
            yield made, template
        made.destroy()


@pytest.fixture
def loader(
    server: tuple[PostgresServer, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Loader]:
    """Insert files and load them."""
    with cloned(*server, request.node.nodeid) as db:
        made = Loader(db, tmp_path)
        try:
            yield made
        finally:
            made.close()


def features(
    path: Path, shapes: list[Any], kind: str, crs: str | None = "EPSG:27700", **more: Any
) -> Path:
    table = pa.table({"id": range(len(shapes)), "g": pa.array(shapely.to_wkb(shapes))})
    pyogrio.raw.write_arrow(
        table, path, geometry_name="g", geometry_type=kind, crs=crs, driver="GPKG", **more
    )
    return path


def facts(loader: Loader, table: str) -> dict[str, Any]:
    """What PostGIS says of a table's geometries."""
    row = loader.owner.execute(
        f"""
        select count(*) as rows, array_agg(distinct geometrytype(geometry)) as kinds,
          array_agg(distinct st_srid(geometry)) as srids,
          (select array_agg(indexdef order by 1) from pg_indexes where tablename = %s) as indexes,
          st_astext(st_extent(geometry)) as extent
        from {table}
        """.encode(),
        [table],
    ).fetchone()
    assert row is not None
    return row


def test_countries_have_their_srid_their_kind_and_a_spatial_index(loader: Loader) -> None:
    archive = zipped(loader.folder / "countries.zip", *sorted(COUNTRIES.parent.iterdir()))
    file = loader.insert(archive)
    again = loader.insert(archive, table="in_metres", srs="EPSG:3857")
    loader.drain()
    assert loader.succeeded(file)
    found = facts(loader, "countries")
    assert found["rows"] == 177
    assert found["kinds"] == ["MULTIPOLYGON"]
    assert found["srids"] == [4326]
    assert loader.types("countries")["geometry"] == "geometry(MultiPolygon,4326)"
    assert found["indexes"] == [
        "CREATE INDEX countries_geometry_idx ON public.countries USING gist (geometry)"
    ]
    result = loader.result(file)
    info = pyogrio.read_info(COUNTRIES, force_total_bounds=True)
    assert result["bbox"] == pytest.approx(list(info["total_bounds"]), abs=1e-4)
    assert loader.succeeded(again)
    row = loader.owner.execute(
        "select max(st_hausdorffdistance(st_transform(c.geometry, 3857), m.geometry)) as far"
        " from countries c join in_metres m using (name) where c.name <> 'Antarctica'"
    ).fetchone()
    assert row is not None
    assert row["far"] < 0.01, "PostGIS reprojects them in the same way"
    assert facts(loader, "in_metres")["srids"] == [3857]


def test_polygons_become_multipolygons_and_others_make_the_column_take_all(loader: Loader) -> None:
    mixed = [SQUARE, shapely.MultiPolygon([SQUARE]), None]
    one = loader.insert(features(loader.folder / "areas.gpkg", mixed, "Polygon"))
    line = shapely.LineString([(0, 0), (1, 1)])
    shapes = [SQUARE] * 3 + [line] * 3
    # The file says polygons, and holds lines as well.
    two = loader.insert(features(loader.folder / "wrong.gpkg", shapes, "Polygon"))
    three = loader.insert(features(loader.folder / "anything.gpkg", [*shapes, None], "Unknown"))
    deep = shapely.Point(1, 2, 3)
    four = loader.insert(features(loader.folder / "deep.gpkg", [deep], "Point Z"))
    loader.drain()
    for file in (one, two, three, four):
        assert loader.succeeded(file)
    assert facts(loader, "areas")["kinds"] == ["MULTIPOLYGON", None]
    assert loader.types("areas")["geometry"] == "geometry(MultiPolygon,27700)"
    found = facts(loader, "wrong")
    assert (found["rows"], found["kinds"], found["srids"]) == (
        6,
        ["LINESTRING", "POLYGON"],
        [27700],
    )
    assert loader.types("wrong")["geometry"] == "geometry"
    assert loader.file(two)["attempts"] == 2
    assert facts(loader, "anything")["rows"] == 7
    assert loader.types("anything")["geometry"] == "geometry(Geometry,27700)"
    assert loader.types("deep")["geometry"] == "geometry(PointZ,27700)"


def test_invalid_geometries_are_kept_fixed_or_refused(loader: Loader) -> None:
    path = features(loader.folder / "ties.gpkg", [SQUARE, BOW_TIE, SQUARE], "Polygon")
    files = {
        how: loader.insert(path, table=how, invalid_geometries=how)
        for how in ("keep", "fix", "refuse")
    }
    loader.drain()
    for how, file in files.items():
        assert loader.succeeded(file), how
    valid = "select array_agg(st_isvalid(geometry) order by id) as valid from {}"
    assert loader.owner.execute(valid.format("keep").encode()).fetchone() == {
        "valid": [True, False, True]
    }
    assert loader.owner.execute(valid.format("fix").encode()).fetchone() == {"valid": [True] * 3}
    assert [row[0] for row in loader.rows("refuse")] == [0, 2]
    assert loader.rejects(files["refuse"]) == [
        (2, "feature 2: invalid geometry: Self-intersection[5 5]")
    ]


def test_a_crs_that_is_not_known_is_said_and_can_be_given(loader: Loader) -> None:
    own = "+proj=tmerc +lat_0=12 +lon_0=3 +k=0.9 +x_0=7 +y_0=9 +ellps=bessel +units=m +no_defs"
    path = features(loader.folder / "own.gpkg", [SQUARE], "Polygon", own)
    bare = features(loader.folder / "bare.gpkg", [SQUARE], "Polygon", None)
    files = {
        "own": (loader.insert(path), "has no EPSG code; give attribute source_srs"),
        "moved": (loader.insert(path, srs=4326, table="moved"), None),
        "named": (loader.insert(path, source_srs="EPSG:27700", table="named"), None),
        "bare_moved": (loader.insert(bare, srs=4326), "does not say its CRS"),
        "nonsense": (loader.insert(path, srs="EPSG:1"), "attribute srs: 'EPSG:1' is no known CRS"),
        "bare": (loader.insert(bare), None),
    }
    loader.drain()
    for name, (file, error) in files.items():
        if error is None:
            assert loader.succeeded(file), name
        else:
            assert error in loader.file(file)["last_error"], name
    assert facts(loader, "moved")["srids"] == [4326]
    assert facts(loader, "named")["srids"] == [27700]
    assert facts(loader, "bare")["srids"] == [0]


def test_a_table_with_geometries_is_replaced_appended_to_and_merged_into(loader: Loader) -> None:
    path = features(loader.folder / "places.gpkg", [SQUARE, SQUARE], "Polygon")
    first = loader.insert(path, key="id", load_run=True)
    loader.drain()
    assert loader.succeeded(first)
    indexes = facts(loader, "places")["indexes"]
    moved = shapely.box(5, 5, 6, 6)
    other = features(loader.folder / "other.gpkg", [SQUARE, moved, moved], "Polygon")
    second = loader.insert(other, table="places", mode="merge", key=["id"], load_run=True)
    loader.drain()
    assert loader.succeeded(second)
    assert facts(loader, "places")["rows"] == 3
    counts = loader.owner.execute(
        "select added, changed from locaria.publications order by run_id desc limit 1"
    ).fetchone()
    assert counts == {"added": 1, "changed": 1}
    third = loader.insert(path, mode="append", load_run=True)
    fourth = loader.insert(path, key="id", load_run=True)
    loader.drain()
    assert loader.succeeded(fourth)
    assert loader.file(third)["last_error"].endswith('_idx": Key (id)=(0) already exists.')
    assert loader.file(third)["attempts"] == 1
    assert facts(loader, "places")["indexes"] == indexes
    assert len(indexes) == 2


def test_rows_go_into_a_table_in_the_crs_of_its_geometries(loader: Loader) -> None:
    point, line = shapely.Point(1, 2), shapely.LineString([(0, 0), (1, 1)])
    degrees = features(loader.folder / "degrees.gpkg", [point], "Point", "EPSG:4326")
    grid = features(loader.folder / "grid.gpkg", [shapely.Point(4e5, 3e5)], "Point")
    unknown = features(loader.folder / "unknown.gpkg", [point], "Point", None)
    lines = features(loader.folder / "lines.gpkg", [line], "LineString", "EPSG:4326")
    heights = [shapely.Point(1, 2), shapely.Point(1, 2, 3)]
    mixed = features(loader.folder / "mixed.gpkg", heights, "Unknown", "EPSG:4326")
    loader.owner.execute("create table own (id bigint, geometry geometry(LineString, 4326))")
    loader.insert(degrees, table="places")
    loader.insert(mixed, table="loose")
    loader.drain()
    refused = {
        loader.insert(grid, table="places", mode="append"): 'srs = "EPSG:4326" reprojects it',
        loader.insert(grid, table="places", mode="merge", key="id"): "grid.gpkg is in EPSG:27700",
        loader.insert(unknown, table="places", mode="append"): "give attribute source_srs",
        loader.insert(lines, table="places", mode="append"): "does not match column type (Point)",
    }
    taken = [
        loader.insert(grid, table="places", mode="append", srs="EPSG:4326"),
        loader.insert(grid, table="loose", mode="append"),
        loader.insert(lines, table="own", mode="append"),
    ]
    loader.drain()
    for file, why in refused.items():
        assert why in loader.file(file)["last_error"]
    assert all(loader.succeeded(file) for file in taken)
    assert all(loader.file(file)["attempts"] == 1 for file in [*refused, *taken])
    assert facts(loader, "places")["rows"] == 2
    assert facts(loader, "places")["extent"].startswith("POLYGON((-2.00")
    assert facts(loader, "loose")["srids"] == [4326, 27700]
    assert facts(loader, "own")["kinds"] == ["LINESTRING"]


@pytest.mark.skipif(
    shutil.which("ogrinfo") is None, reason="OGRINFO IS NOT ASKED: it is missing (Debian: gdal-bin)"
)
def test_countries_are_what_ogrinfo_says_of_the_file_and_of_the_table(loader: Loader) -> None:
    file = loader.insert(zipped(loader.folder / "countries.zip", *COUNTRIES.parent.iterdir()))
    loader.drain()
    assert loader.succeeded(file)
    said = subprocess.run(
        ["ogrinfo", "-ro", "-so", str(COUNTRIES), "naturalearth_lowres"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    count = re.search(r"Feature Count: (\d+)", said)
    extent = re.search(r"Extent: \((.*), (.*)\) - \((.*), (.*)\)", said)
    srs = re.findall(r'ID\["EPSG",(\d+)\]\]', said)
    assert count is not None
    assert extent is not None
    result = loader.result(file)
    assert result["rows"] == facts(loader, "countries")["rows"] == int(count[1])
    assert result["bbox"] == pytest.approx([float(each) for each in extent.groups()], abs=1e-5)
    assert facts(loader, "countries")["srids"] == [int(srs[-1])]


def geojson(folder: Path, name: str, *shapes: dict[str, Any] | None, **more: Any) -> Path:
    path = folder / f"{name}.geojson"
    found = [{"type": "Feature", "properties": {}, "geometry": shape} for shape in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", **more, "features": found}))
    return path


def point(*at: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": at}


def test_geometries_are_kept_with_all_of_their_dimensions_and_curves(loader: Loader) -> None:
    folder = loader.folder
    square = shapely.geometry.mapping(SQUARE)
    other = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::27700"}}
    empty = [shapely.Point(), shapely.Polygon(), None, shapely.Point(1, 2)]
    several = [shapely.Point(1, 2, 3), shapely.Point(1, 2), None]
    geo = {"encoding": "WKB", "geometry_types": []}
    geo = {"version": "1.1.0", "primary_column": "g", "columns": {"g": geo, "h": geo}}
    table = pa.table({"g": pa.array(shapely.to_wkb(several)), "h": [b"", b"", b""]})
    pq.write_table(
        table.replace_schema_metadata({"geo": json.dumps(geo)}), folder / "several.parquet"
    )
    files = {
        "measured": (FIXTURES / "line_zm.gpkg", "geometry(MultiLineStringZM,4326)"),
        "arcs": (FIXTURES / "curve.gpkg", "geometry(Geometry,4326)"),
        "surfaces": (FIXTURES / "multisurface.gpkg", "geometry(Geometry,4326)"),
        "heights": (geojson(folder, "heights", point(1, 2, 3)), "geometry(PointZ,4326)"),
        "partly": (geojson(folder, "partly", point(1, 2, 3), point(1, 2), None), "geometry"),
        "areas": (geojson(folder, "areas", square, None), "geometry(MultiPolygon,4326)"),
        "grid": (geojson(folder, "grid", point(5e5, 1e5), crs=other), "geometry(Point,27700)"),
        "empty": (features(folder / "empty.gpkg", empty, "Unknown"), "geometry(Geometry,27700)"),
        "several": (folder / "several.parquet", "geometry"),
    }
    ids = {name: loader.insert(path, table=name) for name, (path, _) in files.items()}
    loader.drain()
    for name, (_, kind) in files.items():
        assert loader.succeeded(ids[name]), name
        assert loader.rejects(ids[name]) == [], name
        assert loader.types(name)["geometry"] == kind, name
    first = "select st_astext(geometry) as text, st_srid(geometry) as srid from {} limit 1"
    for name, text in {
        "partly": "POINT Z (1 2 3)",
        "several": "POINT Z (1 2 3)",
        "heights": "POINT Z (1 2 3)",
        "arcs": "COMPOUNDCURVE((",
        "surfaces": "MULTISURFACE(",
        "measured": "MULTILINESTRING ZM ((-123.21",
    }.items():
        row = loader.owner.execute(first.format(name).encode()).fetchone()
        assert row is not None
        assert row["text"].startswith(text), name
        assert row["srid"] == 4326, name
    assert loader.result(ids["several"])["notes"] == [
        "a second geometry, 'h', stays WKB in a column of bytes"
    ]
    row = loader.owner.execute(
        "select count(*) filter (where st_isempty(geometry)) as empty,"
        " count(*) filter (where geometry is null) as missing from empty"
    ).fetchone()
    assert row == {"empty": 2, "missing": 1}


def test_what_can_not_be_reprojected_is_set_aside_with_its_reason(loader: Loader) -> None:
    poles = [shapely.Point(0, 95), shapely.Point(float("nan"), 1), shapely.Point(7, 46)]
    path = features(loader.folder / "poles.gpkg", poles, "Point", "EPSG:4326")
    files = [
        loader.insert(path, srs="EPSG:3857"),
        loader.insert(path, table="kept"),
        loader.insert(FIXTURES / "curve.gpkg", srs="EPSG:3857", table="arcs"),
        loader.insert(FIXTURES / "line_zm.gpkg", srs="EPSG:3857", table="measured"),
    ]
    loader.drain()
    assert loader.succeeded(files[0])
    assert [(line, reason[-40:]) for line, reason in loader.rejects(files[0])] == [
        (1, "it lies outside of what attribute srs shows"[-40:]),
        (2, "it lies outside of what attribute srs shows"[-40:]),
    ]
    assert loader.result(files[0])["bbox"] == pytest.approx([779236.4, 5780349.2] * 2)
    assert loader.succeeded(files[1])
    assert len(loader.rows("kept")) == 3
    assert (
        "it has circular arcs, which are kept with PostGIS" in (loader.file(files[2])["last_error"])
    )
    assert (
        "it has measures (M), which reprojecting would drop"
        in (loader.file(files[3])["last_error"])
    )


def test_a_crs_that_postgis_does_not_know_is_told(loader: Loader) -> None:
    with psycopg.connect(loader.db.superuser_dsn, autocommit=True) as superuser:
        superuser.execute("delete from spatial_ref_sys where srid = 27700")
    file = loader.insert(features(loader.folder / "new.gpkg", [SQUARE], "Polygon"))
    loader.drain()
    assert loader.succeeded(file)
    assert loader.result(file)["notes"] == [
        "PostGIS does not know SRID 27700 (spatial_ref_sys), and can't reproject from it"
    ]
