"""Geometries out of the database, with PostGIS and without, and in again.

Real data: the countries of the world by Natural Earth (public domain), out of pyogrio's tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from locaria.local.postgres.server import PostgresServer
from tests.containers import test_postgis
from tests.containers.site import Site
from tests.containers.test_download import opened
from tests.containers.test_formats import COUNTRIES, zipped

with_postgis = test_postgis.pytestmark
server = test_postgis.server
SPATIAL = ("gpkg", "parquet", "shapefile", "geojson")


@pytest.fixture
def spatial_site(
    server: tuple[PostgresServer, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Site]:
    """A site whose database has PostGIS."""
    with test_postgis.cloned(*server, request.node.nodeid) as db:
        made = Site(db, tmp_path)
        try:
            yield made
        finally:
            made.close()


def load(site: Site, files: dict[str, Path], **attributes: Any) -> None:
    """Load files, each into the table that it is named for."""
    ids = [
        site.insert("file_loader", path=str(path), table=table, **attributes)
        for table, path in files.items()
    ]
    site.drain("file_loader")
    assert all(site.succeeded(file) for file in ids)


def shapes(path: str | Path, kind: str = "") -> dict[str, Any]:
    """Name → geometry, as an independent reader finds them in a file."""
    if kind == "parquet":
        table = pq.read_table(path)
        names, wkb = table.column("name").to_pylist(), table.column("geometry").to_pylist()
    else:
        where = f"/vsizip/{path}" if kind == "shapefile" else path
        facts, _, wkb, fields = pyogrio.raw.read(where)
        names = fields[list(facts["fields"]).index("name")]
    return dict(zip(names, shapely.from_wkb(wkb), strict=True))


def check_round_trip(site: Site) -> None:
    """Load real countries, download them in each format, load those: nothing has changed."""
    source = zipped(
        site.folder / "countries.zip", *sorted(COUNTRIES.parent.glob(f"{COUNTRIES.stem}.*"))
    )
    load(site, {"countries": source})
    files = {kind: site.request_download("countries", format=kind) for kind in SPATIAL}
    site.drain("file_download")
    paths = {kind: opened(site, file) for kind, file in files.items()}
    expected = shapes(f"/vsizip/{source}")
    assert len(expected) == 177
    for kind, path in paths.items():
        found = shapes(path, kind)
        assert found.keys() == expected.keys(), kind
        # Rings may begin elsewhere; GeoJSON has polygons cut at the date line.
        far = [n for n in found if found[n].symmetric_difference(expected[n]).area > 1e-9]
        assert far == [], kind
    info = pyogrio.read_info(paths["gpkg"])
    assert info["crs"] == "EPSG:4326"
    geo = json.loads(pq.read_schema(paths["parquet"]).metadata[b"geo"])
    assert geo["columns"]["geometry"]["crs"]["id"] == {"authority": "EPSG", "code": 4326}
    load(site, {f"again_{kind}": paths[kind] for kind in ("gpkg", "parquet")})
    for kind in ("gpkg", "parquet"):
        assert site.types(f"again_{kind}") == site.types("countries"), kind
        assert site.rows(f"again_{kind}") == site.rows("countries"), kind


def test_spatial_files_round_trip_without_postgis(site: Site) -> None:
    check_round_trip(site)


@with_postgis
def test_spatial_files_round_trip_with_postgis(spatial_site: Site) -> None:
    check_round_trip(spatial_site)


@with_postgis
def test_postgis_tables_of_all_kinds(spatial_site: Site) -> None:
    site = spatial_site
    site.execute(
        "create table stops (id int, at geometry(PointZ, 27700), shape geometry, g geography);"
        "insert into stops values"
        " (1, 'srid=27700;point z (530000 180000 5)', 'srid=4326;point(1 2)', 'point(1 2)'),"
        " (2, null, 'srid=4326;linestring(0 0, 1 1)', null),"
        " (3, 'srid=27700;point z (400000 300000 1)', null, 'point(3 4)');"
        "create table mixed (shape geometry); insert into mixed values"
        " ('srid=4326;point(1 2)'), ('srid=27700;point(1 2)');"
        "create table empty (id int, at geometry(Polygon, 27700));"
        "grant select on stops, mixed, empty to locaria_loader"
    )
    ask = site.request_download
    files = {
        "gpkg": ask("stops", format="gpkg"),
        "geojson": ask("stops", format="geojson", columns=["id", "at"]),
        "other": ask("stops", format="geojson", geometry="shape"),
        "shapefile": ask("stops", format="shapefile", columns=["id", "at"]),
        "csv": ask("stops"),
        "empty": ask("empty", format="gpkg"),
        "box": ask(
            "stops",
            filter=[
                {
                    "column": "at",
                    "operator": "intersects",
                    "value": [500000, 100000, 600000, 200000],
                }
            ],
        ),
    }
    several = ask("stops", format="shapefile", geometry="shape")
    mixed = ask("mixed", format="gpkg")
    site.drain("file_download")
    paths = {name: opened(site, file) for name, file in files.items()}
    info = pyogrio.read_info(paths["gpkg"])
    assert (info["crs"], info["geometry_type"]) == ("EPSG:27700", "Point Z")
    assert list(info["fields"]) == ["id", "shape", "g"]
    features = json.loads(paths["geojson"].read_text())["features"]
    assert features[0]["geometry"]["coordinates"][0] == pytest.approx(-0.128, abs=0.01)
    assert features[1]["geometry"] is None
    kinds = [
        f["geometry"] and f["geometry"]["type"]
        for f in json.loads(paths["other"].read_text())["features"]
    ]
    assert kinds == ["Point", "LineString", None]
    assert pyogrio.read_info(f"/vsizip/{paths['shapefile']}")["geometry_type"] == "Point Z"
    assert paths["csv"].read_text().splitlines()[1].startswith("1,01010000A0346C0000")
    assert pyogrio.read_info(paths["empty"])["crs"] == "EPSG:27700"
    assert [line[0] for line in paths["box"].read_text().splitlines()[1:]] == ["1"]
    assert "LineString, Point" in site.error(several)
    assert "mixes the reference systems 4326, 27700" in site.error(mixed)


def test_wkb_of_a_site_is_a_geometry_when_that_is_said(site: Site) -> None:
    point = shapely.to_wkb(shapely.Point(530000, 180000)).hex()
    extended = shapely.to_wkb(shapely.set_srid(shapely.Point(1, 2), 4326), include_srid=True).hex()
    site.execute(
        "create table wkb (id int, spot bytea);"
        f"insert into wkb values (1, '\\x{point}'), (2, null);"
        f"create table ewkb (spot bytea); insert into ewkb values ('\\x{extended}');"
        "create table no_wkb (spot bytea); insert into no_wkb values ('hello');"
        "grant select on wkb, ewkb, no_wkb to locaria_loader"
    )
    told = site.request_download("wkb", format="gpkg", geometry="spot", srs="EPSG:27700")
    knows = site.request_download("ewkb", format="geojson", geometry="spot")
    other = site.request_download("no_wkb", format="gpkg", geometry="spot")
    site.drain("file_download")
    path = opened(site, told)
    assert pyogrio.read_info(path)["crs"] == "EPSG:27700"
    assert shapely.from_wkb(pyogrio.raw.read(path)[2])[0] == shapely.Point(530000, 180000)
    feature = json.loads(opened(site, knows).read_text())["features"][0]
    assert feature["geometry"] == {"type": "Point", "coordinates": [1.0, 2.0]}
    assert 'column "spot" holds no WKB' in site.error(other)
