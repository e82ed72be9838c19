"""Files of every format: what comes out of them, compared with what other programs say of them.

Real data out of packages: the countries of the world by Natural Earth (public domain), an extract
of OpenStreetMap (© OpenStreetMap contributors, ODbL 1.0), both in pyogrio's own tests.
"""

import bz2
import datetime
import gzip
import importlib.util
import json
import lzma
import sqlite3
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyogrio.raw
import pytest
import shapely
import zstandard

from tests.containers.conftest import S3, Loader

SPEC = importlib.util.find_spec("pyogrio")
assert SPEC is not None
assert SPEC.origin is not None
FIXTURES = Path(SPEC.origin).parent / "tests" / "fixtures"
COUNTRIES = FIXTURES / "naturalearth_lowres" / "naturalearth_lowres.shp"
LONDON = FIXTURES / "sample.osm.pbf"

ROWS = {
    "id": pa.array([1, 2, 3]),
    "name": pa.array(["Zürich", None, "O'Hare, Chicago"]),
    "code": pa.array(["007", "", "x"]),
    "height": pa.array([1.5, None, -2.25]),
    "seen": pa.array([datetime.date(2024, 2, 29), None, datetime.date(1900, 1, 1)]),
}
SHAPES = [shapely.Point(8.5, 47.4), None, shapely.Point(-87.9, 41.98)]


def spatial(path: Path, driver: str, **options: Any) -> Path:
    """A file with three points."""
    table = pa.table({**ROWS, "shape": pa.array(shapely.to_wkb(SHAPES))})
    pyogrio.raw.write_arrow(
        table,
        path,
        geometry_name="shape",
        geometry_type="Point",
        crs="EPSG:4326",
        driver=driver,
        **options,
    )
    return path


def zipped(path: Path, *members: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            if member.is_dir():
                for each in member.rglob("*"):
                    archive.write(each, each.relative_to(member.parent))
            else:
                archive.write(member, member.name)
    return path


def parquet(path: Path, geometry: bool = False) -> Path:
    table = pa.table(ROWS)
    if geometry:
        table = table.append_column("shape", pa.array(shapely.to_wkb(SHAPES)))
        facts = {"encoding": "WKB", "geometry_types": ["Point"]}
        geo = {"version": "1.0.0", "primary_column": "shape", "columns": {"shape": facts}}
        table = table.replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(table, path)
    return path


def workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(ROWS))
    for row in zip(*(column.to_pylist() for column in ROWS.values()), strict=True):
        sheet.append(row)
    book.save(path)
    return path


def lines(path: Path, array: bool) -> Path:
    rows = pa.table(ROWS).to_pylist()
    texts = [json.dumps(row, default=str, ensure_ascii=False) for row in rows]
    path.write_text(f"[{','.join(texts)}]" if array else "\n".join(texts), encoding="utf-8")
    return path


def made(folder: Path) -> dict[str, Path]:
    """The same rows in every format; name of the table → file."""
    shape = folder / "shape"
    shape.mkdir()
    files = {
        "gpkg": spatial(folder / "gpkg.gpkg", "GPKG", layer="points"),
        "fgb": spatial(folder / "fgb.fgb", "FlatGeobuf", layer_options={"SPATIAL_INDEX": "NO"}),
        "geojson": spatial(folder / "geojson.geojson", "GeoJSON"),
        "geojsonseq": spatial(folder / "geojsonseq.geojsonl", "GeoJSONSeq"),
        "gml": spatial(folder / "gml.gml", "GML"),
        "mif": spatial(folder / "mif.mif", "MapInfo File"),
        "gdb": spatial(folder / "gdb.gdb", "OpenFileGDB"),
        "shp": spatial(shape / "shp.shp", "ESRI Shapefile"),
        "geoparquet": parquet(folder / "geoparquet.parquet", geometry=True),
        "parquet": parquet(folder / "parquet.parquet"),
        "xlsx": workbook(folder / "xlsx.xlsx"),
        "json": lines(folder / "json.json", array=True),
        "ndjson": lines(folder / "ndjson.ndjson", array=False),
    }
    files["gdb_zip"] = zipped(folder / "gdb_zip.zip", files["gdb"])
    files["shp_zip"] = zipped(folder / "shp_zip.zip", *sorted(shape.iterdir()))
    text = files["geojson"].read_bytes()
    files["geojson_gz"] = folder / "geojson_gz.geojson.gz"
    files["geojson_gz"].write_bytes(gzip.compress(text))
    # By content, whatever the name says, or without any ending.
    for name in ("gpkg", "fgb", "geojson", "geojsonseq", "gml", "shp_zip", "xlsx", "parquet"):
        for ending in (".csv", ""):
            path = folder / f"{name}_named{ending.replace('.', '_')}{ending}"
            path.write_bytes(files[name].read_bytes())
            files[path.stem] = path
    return files


def test_the_same_rows_come_out_of_every_format(loader: Loader) -> None:
    files = made(loader.folder)
    ids = {name: loader.insert(path, table=name) for name, path in files.items()}
    loader.drain()
    for name, file in ids.items():
        assert loader.succeeded(file), name
        assert loader.rejects(file) == [], name
        found = loader.owner.execute(f"select * from {name} order by id".encode()).fetchall()
        assert [row["id"] for row in found] == [1, 2, 3], name
        assert [row["name"] for row in found][::2] == ["Zürich", "O'Hare, Chicago"], name
        assert [row["code"] for row in found][::2] == ["007", "x"], name
        assert [row["height"] for row in found][::2] == [1.5, -2.25], name
        assert str(found[0]["seen"])[:10] == "2024-02-29", name
        assert found[1]["height"] is None or name == "mif", name
        if name.startswith(("parquet", "xlsx", "json", "ndjson")):
            continue
        for row, shape in list(zip(found, SHAPES, strict=True))[::2]:
            # A File Geodatabase keeps coordinates on a grid.
            assert shapely.from_wkb(row["geometry"]).equals_exact(shape, 1e-8), name
            assert row["geometry_geojson"]["type"] == "Point"
        result = loader.result(file)
        assert result["srid"] == 4326, name
        assert result["bbox"] == pytest.approx([-87.9, 41.98, 8.5, 47.4]), name
    assert loader.types("parquet") == {
        "id": "bigint",
        "name": "text",
        "code": "text",
        "height": "double precision",
        "seen": "date",
    }
    assert (
        loader.types("xlsx")
        == loader.types("json")
        == {
            **loader.types("parquet"),
            "id": "integer",
        }
    )


def test_text_compressed_in_every_way_is_streamed(loader: Loader) -> None:
    text = b"id,name\n1,one\n2,two\n"
    packed = {
        "a.csv.gz": gzip.compress(text),
        "b.csv.bz2": bz2.compress(text),
        "c.csv.xz": lzma.compress(text),
        "d.csv.zst": zstandard.ZstdCompressor().compress(text),
    }
    ids = {name: loader.insert(loader.write(data, name)) for name, data in packed.items()}
    with zipfile.ZipFile(loader.folder / "e.csv.zip", "w") as archive:
        archive.writestr("inner.csv", text)
    ids["e"] = loader.insert(loader.folder / "e.csv.zip")
    ids["f"] = loader.insert(loader.write(gzip.compress(packed["a.csv.gz"]), "f.csv.gz.gz"))
    loader.drain()
    for name, file in ids.items():
        assert loader.succeeded(file), name
        assert loader.rows(name[0]) == [(1, "one"), (2, "two")], name


def test_layers_sheets_and_members_become_tables(loader: Loader) -> None:
    several = spatial(loader.folder / "several.gpkg", "GPKG", layer="Main roads")
    table = pa.table({"a": [1], "geom": pa.array(shapely.to_wkb([shapely.Point(1, 2)]))})
    pyogrio.raw.write_arrow(
        table,
        several,
        layer="b",
        geometry_name="geom",
        geometry_type="Point",
        crs="EPSG:4326",
        driver="GPKG",
        append=True,
    )
    book = openpyxl.Workbook()
    for title in ("One", "Two"):
        sheet = book.create_sheet(title)
        sheet.append(["n"])
        sheet.append([len(title)])
    book.save(loader.folder / "book.xlsx")
    loader.write("id\n1\n", "x.csv")
    loader.write("id\n2\n", "y.csv")
    loader.write("what is in here", "README.txt")
    inner = zipped(loader.folder / "inner.zip", loader.folder / "y.csv")
    many = zipped(
        loader.folder / "many.zip",
        loader.folder / "x.csv",
        inner,
        several,
        loader.folder / "README.txt",
    )
    first = loader.insert(many)
    second = loader.insert(loader.folder / "book.xlsx")
    third = loader.insert(several, layers=["b"], table="only_b")
    fourth = loader.insert(many, layers=["x.csv", "b"], table="some")
    fifth = loader.insert(inner, layers=["y"], table="only_y")
    refused = [
        loader.insert(many, layers=["x", "z"]),
        loader.insert(loader.folder / "x.csv", layers=["y"]),
    ]
    loader.drain()
    for file in (first, second, third, fourth, fifth):
        assert loader.succeeded(file)
    tables = [each["table"] for each in loader.result(fourth)["tables"]]
    assert tables == ["some_x", "some_several"]
    assert "has no layer or member 'z'; it has 'x.csv', 'y.csv'," in str(
        loader.file(refused[0])["last_error"]
    )
    assert "x.csv is one table and has no layer 'y'" in str(loader.file(refused[1])["last_error"])
    tables = [each["table"] for each in loader.result(first)["tables"]]
    assert tables == ["many_x", "many_y", "many_several_main_roads", "many_several_b"]
    assert loader.rows("many_y") == [(2,)]
    assert len(loader.rows("many_several_main_roads")) == 3
    assert loader.rows("book_one") == loader.rows("book_two") == [(3,)]
    assert loader.types("only_b")["a"] == "bigint"


def test_an_object_of_s3_is_loaded(loader: Loader, s3: S3) -> None:
    boto3.client("s3", endpoint_url=s3.endpoint, region_name="eu-west-2").put_object(
        Bucket=s3.bucket, Key="in/some things.csv", Body=b"id\n1\n2\n"
    )
    file = loader.insert(f"s3://{s3.bucket}/in/some%20things.csv")
    missing = loader.insert(f"s3://{s3.bucket}/nothing.csv")
    loader.drain(**s3.environment)
    assert loader.succeeded(file)
    assert loader.rows("some_things") == [(1,), (2,)]
    assert "there is no object s3://" in loader.file(missing)["last_error"]


def test_every_arrow_type_arrives(loader: Loader) -> None:
    path = loader.folder / "types.parquet"
    moment = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
    table = pa.table(
        {
            "tiny": pa.array([1, None], pa.uint8()),
            "huge": pa.array([2**64 - 1, None], pa.uint64()),
            "money": pa.array([Decimal("12.50"), None], pa.decimal128(10, 2)),
            "long": pa.array([Decimal(10**50), None], pa.decimal256(60, 0)),
            "single": pa.array([0.5, None], pa.float32()),
            "nanos": pa.array([moment, None], pa.timestamp("ns")),
            "zoned": pa.array([moment, None], pa.timestamp("ms", "Europe/Zurich")),
            "day": pa.array([moment.date(), None], pa.date64()),
            "at": pa.array([datetime.time(1, 2, 3), None], pa.time32("s")),
            "took": pa.array([datetime.timedelta(hours=30), None], pa.duration("s")),
            "kind": pa.array(["a", None]).dictionary_encode(),
            "raw": pa.array([b"\0\xff", None]),
            "tags": pa.array([["x", 'y"z'], None]),
            "deep": pa.array([{"a": [1, 2]}, None]),
            "nothing": pa.nulls(2),
        }
    )
    pq.write_table(table, path)
    file = loader.insert(path)
    again = loader.insert(path, table="as_text", types={"tiny": "text", "took": "interval"})
    loader.drain()
    for name, each in (("types", file), ("as_text", again)):
        assert loader.succeeded(each), name
        one, two = loader.rows(name)
        assert one[0] == ("1" if name == "as_text" else 1)
        assert one[1:5] == (2**64 - 1, Decimal("12.50"), Decimal(10**50), 0.5)
        assert one[5] == moment
        assert one[6].astimezone(datetime.UTC) == moment.replace(
            microsecond=123000, tzinfo=datetime.UTC
        )
        assert one[7:10] == (moment.date(), datetime.time(1, 2, 3), datetime.timedelta(hours=30))
        assert one[10:14] == ("a", b"\0\xff", ["x", 'y"z'], {"a": [1, 2]})
        assert set(two) == {None}


def test_a_parquet_may_have_a_name_twice(loader: Loader) -> None:
    columns = [pa.array([1, 2]), pa.array(["x", None])]
    path = loader.folder / "twice.parquet"
    pq.write_table(pa.Table.from_arrays(columns, names=["a", "a"]), path)
    file = loader.insert(path)
    loader.drain()
    assert loader.succeeded(file)
    assert loader.types("twice") == {"a": "bigint", "a_2": "text"}
    assert loader.rows("twice") == [(1, "x"), (2, None)]


def test_the_countries_of_the_world_are_what_duckdb_and_gdal_say(loader: Loader) -> None:
    """Natural Earth, as a shapefile and, through duckdb, as Parquet."""
    archive = zipped(loader.folder / "countries.zip", *sorted(COUNTRIES.parent.iterdir()))
    file = loader.insert(archive)
    loader.drain()
    assert loader.succeeded(file)
    info = pyogrio.read_info(COUNTRIES, force_total_bounds=True)
    result = loader.result(file)
    assert result["rows"] == info["features"] == 177
    assert result["bbox"] == pytest.approx(list(info["total_bounds"]))
    _, _, shapes, values = pyogrio.raw.read(COUNTRIES)
    found = loader.owner.execute("select * from countries").fetchall()
    assert {row["name"]: row["pop_est"] for row in found} == dict(
        zip(values[2], values[0], strict=True)
    )
    mine = {row["name"]: shapely.from_wkb(row["geometry"]) for row in found}
    theirs = dict(zip(values[2], shapely.from_wkb(shapes), strict=True))
    assert all(mine[name].equals(theirs[name]) for name in theirs)
    out = loader.folder / "out.parquet"
    rows = [(row["name"], row["continent"], row["gdp_md_est"]) for row in found]
    with duckdb.connect() as duck:
        duck.execute("create table c (name text, continent text, gdp double)")
        duck.executemany("insert into c values (?, ?, ?)", rows)
        duck.execute(f"copy c to '{out}' (format parquet)")
        sums = duck.execute(
            "select count(*), sum(gdp), count(distinct continent) from c"
        ).fetchone()
    again = loader.insert(out, table="again")
    loader.drain()
    assert loader.succeeded(again)
    row = loader.owner.execute(
        "select count(*), sum(gdp), count(distinct continent) as continents from again"
    ).fetchone()
    assert row is not None
    assert tuple(row.values()) == pytest.approx(sums)


def test_openstreetmap_gives_a_table_for_each_kind_of_shape(loader: Loader) -> None:
    pyogrio.set_gdal_config_options({"OSM_USE_CUSTOM_INDEXING": "NO"})
    file = loader.insert(LONDON, table="london", layers=["points", "lines"])
    loader.drain()
    assert loader.succeeded(file)
    tables = {each["table"]: each for each in loader.result(file)["tables"]}
    assert set(tables) == {"london_points", "london_lines"}
    for layer in ("points", "lines"):
        expected = pyogrio.read_info(LONDON, layer=layer, force_feature_count=True)["features"]
        assert tables[f"london_{layer}"]["rows"] == expected > 0


def test_kml_kmz_and_gpx(loader: Loader) -> None:
    kml = (
        '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        "<name>places</name><Placemark><name>Bern</name>"
        "<TimeStamp><when>2024-01-02T10:00:00+01:00</when></TimeStamp>"
        "<Point><coordinates>7.44,46.95</coordinates></Point></Placemark></Document></kml>"
    )
    gpx = (
        '<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">'
        '<wpt lat="46.95" lon="7.44"><time>2024-01-02T09:00:00Z</time><name>Bern</name></wpt></gpx>'
    )
    loader.write(kml, "doc.kml")
    files = [
        loader.insert(loader.folder / "doc.kml", table="a"),
        loader.insert(zipped(loader.folder / "b.kmz", loader.folder / "doc.kml"), table="b"),
        loader.insert(loader.write(gpx, "c.gpx"), table="c", layers="waypoints"),
    ]
    loader.drain()
    for file, table in zip(files, "abc", strict=True):
        assert loader.succeeded(file)
        row = loader.owner.execute(f"select * from {table}".encode()).fetchone()
        assert row is not None
        assert row.get("name", row.get("Name")) == "Bern"
        moment = row.get("time", row.get("timestamp"))
        assert moment == datetime.datetime(2024, 1, 2, 9, tzinfo=datetime.UTC)
        assert row["geometry_geojson"]["coordinates"][:2] == [7.44, 46.95]


def test_a_spreadsheet_is_what_its_cells_show(loader: Loader) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["code", "count", "price", "on", "mixed", "region", "when"])
    sheet.append(["007", 1, 1.5, datetime.date(2024, 1, 2), "x", "North", datetime.time(9, 30)])
    sheet.append(["+49", 2**40, 2, datetime.datetime(2024, 1, 3, 10), 5, None, None])
    sheet.append([None, None, None, None, datetime.date(2024, 5, 6), "South", None])
    sheet.merge_cells("F2:F3")
    path = loader.folder / "cells.xlsx"
    book.save(path)
    file = loader.insert(path)
    loader.drain()
    assert loader.succeeded(file)
    assert list(loader.types("cells").values()) == [
        "text",
        "bigint",
        "double precision",
        "timestamp without time zone",
        "text",
        "text",
        "time without time zone",
    ]
    one, two, three = loader.rows("cells")
    assert one == ("007", 1, 1.5, datetime.datetime(2024, 1, 2), "x", "North", datetime.time(9, 30))
    assert two == ("+49", 2**40, 2.0, datetime.datetime(2024, 1, 3, 10), "5", "North", None)
    assert three[:4] == (None,) * 4
    assert "1 merged ranges" in loader.result(file)["notes"][0]


def test_json_types_come_from_all_values(loader: Loader) -> None:
    rows: list[dict[str, Any]] = [
        {"a": n, "b": n / 2, "c": "2024-01-01", "d": {"x": [n]}, "e": 1} for n in range(7000)
    ]
    rows[6999] |= {"a": 2**40, "c": "2024-01-01T10:00:00Z", "e": "x", "late": True}
    file = loader.load("\n".join(map(json.dumps, rows)), "lines.ndjson")
    whole = loader.load(json.dumps({"meta": 1, "data": rows[:3]}), "whole.json")
    assert loader.succeeded(file)
    assert loader.succeeded(whole)
    assert loader.types("lines") == {
        "a": "bigint",
        "b": "double precision",
        "c": "text",
        "d": "jsonb",
        "e": "text",
        "late": "boolean",
    }
    last = max(loader.rows("lines"))
    assert last == (2**40, 3499.5, "2024-01-01T10:00:00Z", {"x": [6999]}, "x", True)
    assert loader.rows("whole")[1][:2] == (1, 0.5)


def test_a_sqlite_database_is_read(loader: Loader) -> None:
    path = loader.folder / "plain.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("create table t (nr integer primary key, name text)")
        database.execute("insert into t values (7, 'one')")
    file = loader.insert(path)
    loader.drain()
    assert loader.succeeded(file)
    assert loader.rows("plain") == [(7, "one")]


def test_a_sqlite_table_is_what_its_values_are(loader: Loader) -> None:
    path = loader.folder / "values.db"
    with sqlite3.connect(path) as database:
        database.execute(
            'create table "a ""t" (i integer, mixed int, r real, d date, b blob, n, "select" text)'
        )
        database.executemany(
            'insert into "a ""t" values (?, ?, ?, ?, ?, ?, ?)',
            [
                (9_999_999_999, "text", 1.5, "2024-01-02", b"\0x", 1, "007"),
                (None, 2**62, None, None, None, 2.5, None),
            ],
        )
        database.execute("create table empty (x)")
        database.execute('create view twice as select i * 2 as i from "a ""t" where i > 0')
    file = loader.insert(path)
    refused = loader.insert(path, layers=["nothing"])
    damaged = loader.insert(loader.write(path.read_bytes()[:5000], "damaged.db"))
    loader.drain()
    assert loader.succeeded(file)
    assert list(loader.types("values_a_t").items()) == [
        *(("i", "bigint"), ("mixed", "text"), ("r", "double precision"), ("d", "date")),
        *(("b", "bytea"), ("n", "double precision"), ("select", "text")),
    ]
    assert loader.rows("values_a_t") == [
        (9_999_999_999, "text", 1.5, datetime.date(2024, 1, 2), b"\0x", 1.0, "007"),
        (None, str(2**62), None, None, None, 2.5, None),
    ]
    assert loader.rows("values_twice") == [(19_999_999_998,)]
    assert "has no table 'nothing'; it has 'a \"t'" in str(loader.file(refused)["last_error"])
    assert "malformed" in str(loader.file(damaged)["last_error"])


def test_names_beyond_ascii_in_the_header_take_nothing_from_the_rows(loader: Loader) -> None:
    """In UTF-8 the header has more bytes than in the file."""
    encodings = ("cp1252", "utf-16-le", "utf-8")
    text = "id;größe\n1;ü\n2;ö\n"
    files = {
        encoding: loader.insert(
            loader.write(text.encode(encoding), f"{encoding}.csv"),
            table=f"t_{encoding.replace('-', '_')}",
            encoding=encoding,
        )
        for encoding in encodings
    }
    loader.drain()
    for encoding, file in files.items():
        assert loader.succeeded(file), encoding
        assert loader.rows(f"t_{encoding.replace('-', '_')}") == [(1, "ü"), (2, "ö")], encoding


GML = """<?xml version="1.0"?>
<c:all xmlns:c="urn:c" xmlns:gml="http://www.opengis.net/gml">{}</c:all>"""
GML_MEMBER = """<gml:featureMember><c:place><c:at>{}</c:at>
<c:code>{}</c:code><c:n>{}</c:n><c:day>2024-01-02</c:day></c:place></gml:featureMember>"""
GML_POINT = """<gml:Point srsName="urn:ogc:def:crs:EPSG::4326">
<gml:pos>46 7</gml:pos></gml:Point>"""


def test_gml_is_read_as_it_is_and_nothing_is_written_beside_it(loader: Loader) -> None:
    places = [
        GML_MEMBER.format(GML_POINT, code, n)
        for code, n in (("007", 1), ("010", 123456789012345678901))
    ]
    bare = loader.insert(loader.write(GML.format("".join(places)), "bare.gml"))
    # Its schema says Polygon, as the writer was told; some have several.
    two = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(5, 5, 6, 7)])
    table = pa.table({"id": [1], "g": pa.array(shapely.to_wkb([two]))})
    path = loader.folder / "areas.gml"
    pyogrio.raw.write_arrow(
        table, path, geometry_name="g", geometry_type="Polygon", crs="EPSG:27700", driver="GML"
    )
    assert "restricted to Polygon" in path.with_suffix(".xsd").read_text()
    areas = loader.insert(path)
    before = sorted(loader.folder.iterdir())
    loader.drain()
    assert sorted(loader.folder.iterdir()) == before
    assert loader.succeeded(bare)
    kinds = loader.types("bare")
    assert [kinds[name] for name in ("code", "n", "day")] == ["text", "numeric", "date"]
    found = loader.owner.execute("select * from bare order by n").fetchall()
    assert [(row["code"], row["n"]) for row in found] == [
        ("007", 1),
        ("010", 123456789012345678901),
    ]
    # In this CRS, named so, latitude comes first.
    assert found[0]["geometry_geojson"]["coordinates"] == [7, 46]
    assert loader.succeeded(areas)
    row = loader.owner.execute("select geometry from areas").fetchone()
    assert row is not None
    assert shapely.from_wkb(row["geometry"]) == two


def test_properties_of_geojson_of_several_kinds_are_text(loader: Loader) -> None:
    properties: list[dict[str, Any]] = [
        {"a": 1, "b": {"x": 1}, "c": {"x": [1]}, "d": [1, 2]},
        {"a": "007", "b": "plain", "c": [1, "y"], "d": None},
    ]
    features = [{"type": "Feature", "properties": p, "geometry": None} for p in properties]
    whole = {"type": "FeatureCollection", "features": features}
    file = loader.load(json.dumps(whole), "several.geojson")
    assert loader.succeeded(file)
    assert loader.rejects(file) == []
    kinds = loader.types("several")
    assert [kinds[name] for name in "abcd"] == ["text", "text", "jsonb", "integer[]"]
    one, two = loader.owner.execute("select a, b, c, d from several order by a desc").fetchall()
    assert list(one.values()) == ["1", '{ "x": 1 }', {"x": [1]}, [1, 2]]
    assert list(two.values()) == ["007", "plain", [1, "y"], None]


def test_moments_keep_their_zones(loader: Loader) -> None:
    moments = {
        "zoned": ["2024-01-02T10:00:00+01:00", None, "2024-01-02T09:00:00.5Z"],
        "utc": ["2024-01-02T09:00:00Z"] * 3,
        "local": ["2024-01-02T10:00:00", None, "2024-01-02T09:00:00"],
        "mixed": ["2024-01-02T10:00:00+01:00", None, "2024-01-02T09:00:00"],
    }
    features = [
        {
            "type": "Feature",
            "properties": {name: values[n] for name, values in moments.items()},
            "geometry": None,
        }
        for n in range(3)
    ]
    whole = {"type": "FeatureCollection", "features": features}
    file = loader.load(json.dumps(whole), "moments.geojson")
    assert loader.succeeded(file)
    zoned, local = "timestamp with time zone", "timestamp without time zone"
    assert loader.types("moments") == {
        **{"zoned": zoned, "utc": zoned, "local": local, "mixed": "text"},
        **{"geometry": "bytea", "geometry_geojson": "jsonb"},
    }
    nine = datetime.datetime(2024, 1, 2, 9, tzinfo=datetime.UTC)
    rows = loader.owner.execute("select zoned, utc, local, mixed from moments").fetchall()
    assert [tuple(row.values()) for row in rows] == [
        (nine, nine, datetime.datetime(2024, 1, 2, 10), "2024-01-02T10:00:00+01:00"),
        (None, nine, None, None),
        (nine.replace(microsecond=500_000), nine, nine.replace(tzinfo=None), "2024-01-02T09:00:00"),
    ]


def test_pieces_of_a_shapefile_are_loaded_as_far_as_they_make_sense(loader: Loader) -> None:
    pieces = {each.suffix: each for each in COUNTRIES.parent.iterdir()}
    files = {}
    for name, missing in {
        "no_shapes": (".shp", ".shx"),
        "no_values": (".dbf",),
        "no_crs": (".prj",),
        "told": (".cpg",),
    }.items():
        kept = [piece for suffix, piece in pieces.items() if suffix not in missing]
        more = {"encoding": "latin-1"} if name == "told" else {}
        files[name] = loader.insert(zipped(loader.folder / f"{name}.zip", *kept), **more)
    loader.drain()
    for name, file in files.items():
        assert loader.succeeded(file), name
        assert loader.result(file)["rows"] == 177, name
    assert "geometry" not in loader.types("no_shapes")
    assert set(loader.types("no_values")) == {"geometry", "geometry_geojson"}
    assert "shapes without attributes" in loader.result(files["no_values"])["notes"][0]
    assert loader.result(files["no_crs"])["srid"] == 0
    names = {row[2] for row in loader.rows("told")}
    assert "Côte d'Ivoire" in names


def test_a_kmz_of_several_documents_and_empty_members_of_archives(loader: Loader) -> None:
    document = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>'
    place = "<Placemark><Point><coordinates>7.44,46.95,540</coordinates></Point></Placemark>"
    with zipfile.ZipFile(loader.folder / "places.kmz", "w") as archive:
        archive.writestr("doc.kml", document.format("<NetworkLink/>"))
        archive.writestr("layers/places.kml", document.format(place))
    with zipfile.ZipFile(loader.folder / "some.zip", "w") as archive:
        archive.writestr("empty.csv", "id,name\n")
        archive.writestr("full.csv", "id,name\n1,one\n")
    files = [loader.insert(loader.folder / name) for name in ("places.kmz", "some.zip")]
    loader.drain()
    assert all(map(loader.succeeded, files))
    row = loader.owner.execute("select geometry_geojson from places").fetchone()
    assert row == {"geometry_geojson": {"type": "Point", "coordinates": [7.44, 46.95, 540]}}
    assert loader.rows("some") == [(1, "one")]


def test_parquet_that_duckdb_wrote(loader: Loader) -> None:
    path = loader.folder / "duck.parquet"
    kinds = """
        select uuid '123e4567-e89b-12d3-a456-426614174000' as u, 12.345::decimal(10, 3) as d,
          {'a': 0.1::decimal(20, 19), 'b': [1, 2]} as s, timestamptz '2024-01-01 10:00+02' as z,
          time '10:00' as t, 'x'::blob as b, ['p', null] as l, 'inf'::double as i
    """
    with duckdb.connect() as duck:
        duck.execute(f"copy ({kinds}) to '{path}' (format parquet)")
    file = loader.insert(path)
    as_text = loader.insert(path, table="as_text", types={"d": "text"})
    loader.drain()
    for name, each in (("duck", file), ("as_text", as_text)):
        assert loader.succeeded(each), name
        row = list(loader.rows(name)[0])
        assert str(row[0]) == "123e4567-e89b-12d3-a456-426614174000"
        assert Decimal(row[1]) == Decimal("12.345")
        assert row[2] == {"a": 0.1, "b": [1, 2]}
        assert row[3] == datetime.datetime(2024, 1, 1, 8, tzinfo=datetime.UTC)
        assert row[4:] == [datetime.time(10), b"x", ["p", None], float("inf")]
    assert loader.types("duck")["u"] == "uuid"
