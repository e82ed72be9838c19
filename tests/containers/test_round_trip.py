"""What was loaded, downloaded and loaded again is the same, in each of the six formats.

What a format, or the library that reads and writes it, can't hold stands in EXCEPTIONS and in
docs/downloads.md, and nothing else may differ.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pyarrow as pa
import pyogrio
import shapely
from psycopg import sql

from tests.containers import test_download_geometry, test_postgis
from tests.containers.site import Site
from tests.containers.test_download import FORMATS, opened

server = test_postgis.server
spatial_site = test_download_geometry.spatial_site
SHAPES = ("geometry", "geometry_geojson")
COLUMNS = """
  id bigint, small smallint, "Näme, ""x"" y" text, code text, n numeric(12,2), big numeric,
  f double precision, fine double precision, r real, ok boolean, d date, ts timestamp,
  tz timestamptz, us timestamp, t time, j jsonb, words text, raw bytea,
  u uuid, a text[], iv interval
"""
ROWS = """
  (1, -5, 'Zürich "q", c', '007', 1.50, 12345678901234567890.125, 0.1, 0.5, 0.1, true,
   '2024-02-29', '2024-02-29 10:11:12.5', '2024-02-29 10:11:12.125+02',
   '2024-02-29 10:11:12.123456', '23:59:58.000001', '{"a": [1, null, "ü"]}',
   '{"no":  1}', '\\x00ff',
   '00000000-0000-0000-0000-000000000001', '{x,"y z"}', '1 day 02:03:04.5'),
  (2, 0, '', '1E5', -0.25, 7, 0.30000000000000004, 1e300, -1.25, false, '1999-12-31',
   '1999-12-31', '1999-12-31Z', '1999-12-31 23:59:59.999999', '00:00', '[]', '[]', '',
   null, '{}', '0'),
  (9007199254740993, 32767, 'NULL', '=1+1', 0, 0.5, -1234567.125, 'NaN', 1e30, true,
   '2024-01-01', '2001-01-01 00:00:01', '2001-01-01 23:59:59Z', '0999-01-01', '12:00',
   '{"b": "c"}', '{}', '\\x01', null, '{NULL,""}', '-3 months'),
  (-9223372036854775807, -32768, E'line\\none\\ttab', 'ü', null, null, 1e-20, '-Infinity', 0,
   false, '1899-12-31', '1900-01-01', null, null, '23:59', 'null', 'null', null, null, null, null),
  (5, 1, ' between ', E'a\\rb\\r\\n\\x01', 1, 1, 1, 1, 1, true, '9999-12-31',
   '0001-01-01', '9999-12-31 23:59:59Z', '0001-01-01 00:00:00.001', '23:59:59.999', '" x "',
   ' {} ', '\\x', null, '{" a "}', '1 mon -1 day'),
  (-4, null, null, null, null, 'NaN', null, null, null, null, null, null, null, null, null, null,
   null, null, null, null, null)
"""


# (format, column): the values that come back otherwise, as {what it was: what it is}.
EXCEPTIONS: dict[tuple[str, str], dict[str | None, str | None]] = {
    # A cell, and a field of dBase, has no empty text.
    ("xlsx", 'Näme, "x" y'): {"": None},
    # dBase fills up with spaces.
    ("shapefile", 'Näme, "x" y'): {"": None, " between ": "between"},
    ("shapefile", "words"): {" {} ": "{}"},
    # GDAL rounds the 17th digit where few are left then, and reads times to milliseconds.
    ("geojson", "f"): {"0.30000000000000004": "0.3"},
    ("geojson", "us"): {
        "2024-02-29 10:11:12.123456": "2024-02-29 10:11:12.123",
        "1999-12-31 23:59:59.999999": "1999-12-31 23:59:59.999",
    },
    ("geojson", "t"): {"23:59:58.000001": "23:59:58"},
}
Rows = dict[str | None, dict[str, str | None]]


def rows_of(site: Site, table: str) -> Rows:
    """The rows of a table by id, each value as Postgres writes it."""
    names = list(site.types(table))
    columns = sql.SQL(", ").join(
        sql.SQL("cast({} as text)").format(sql.Identifier(name)) for name in names
    )
    with psycopg.connect(site.db.superuser_dsn) as connection:
        connection.execute("set timezone to 'UTC'")
        statement = sql.SQL("select {} from {}").format(columns, sql.Identifier(table))
        found = [dict(zip(names, row, strict=True)) for row in connection.execute(statement)]
    return {row["id"]: row for row in found}


def make_table(site: Site) -> None:
    """Table things: the rows, and beside them points as the loader makes them of a GeoPackage."""
    source = site.folder / "shapes.gpkg"
    points = [shapely.Point(530000.25, 180000.5), shapely.Point(400000, 300000), None]
    table = pa.table({"id": [1, 2, -4], "geometry": [p and shapely.to_wkb(p) for p in points]})
    pyogrio.write_arrow(
        table,
        source,
        driver="GPKG",
        geometry_name="geometry",
        geometry_type="Point",
        crs="EPSG:27700",
    )
    file = site.insert("file_loader", path=str(source), table="shapes")
    site.drain("file_loader")
    assert site.succeeded(file)
    shapes = ", ".join(name for name in SHAPES if name in site.types("shapes"))
    site.execute(
        f"create table plain ({COLUMNS}); insert into plain values {ROWS};"
        f"create table things as select p.*, {shapes} from plain p left join shapes using (id);"
        "grant select on things to locaria_loader"
    )


def round_trip(site: Site) -> None:
    make_table(site)
    files = {kind: site.request_download("things", format=kind, srs=27700) for kind in FORMATS}
    site.drain("file_download")
    again, names = {}, {}
    for kind, file in files.items():
        path, table = opened(site, file), site.result(file)["tables"][0]
        names[kind] = {c["name"]: c["name"] for c in table["columns"]} | table.get("renamed", {})
        types = {names[kind][c["name"]]: c["type"] for c in table["columns"]}
        more: dict[str, Any] = {}
        if kind not in ("csv", "xlsx"):
            types = {name: kind for name, kind in types.items() if name not in SHAPES}
            # GeoJSON is in longitude and latitude, whatever the table was in.
            more = {"srs": 27700}
        again[kind] = site.insert(
            "file_loader", path=str(path), table=f"again_{kind}", types=types, **more
        )
    site.drain("file_loader")
    wanted, types = rows_of(site, "things"), site.types("things")
    for kind, file in again.items():
        assert site.succeeded(file)
        found = site.types(f"again_{kind}")
        assert found == {names[kind].get(name, name): each for name, each in types.items()}, kind
        check(kind, names[kind], wanted, rows_of(site, f"again_{kind}"))


def check(kind: str, names: dict[str, str], wanted: Rows, found: Rows) -> None:
    assert found.keys() == wanted.keys(), kind
    for id_, row in wanted.items():
        for name, value in row.items():
            is_ = found[id_][names.get(name, name)]
            if kind == "geojson" and name in SHAPES and value is not None:
                assert name == "geometry_geojson" or near(is_, value)
            else:
                expected = EXCEPTIONS.get((kind, name), {}).get(value, value)
                assert is_ == expected, (kind, id_, name)


def near(one: str | None, other: str) -> bool:
    """Whether two points are a centimetre apart at most."""
    assert one is not None
    points = [shapely.from_wkb(each.removeprefix("\\x")) for each in (one, other)]
    return bool(shapely.distance(*points) < 0.01)


def test_every_format_brings_back_what_the_table_had(site: Site) -> None:
    round_trip(site)


@test_postgis.pytestmark
def test_every_format_brings_back_what_the_table_had_with_postgis(spatial_site: Site) -> None:
    round_trip(spatial_site)
