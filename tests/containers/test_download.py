"""Tables and views into files of six formats."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pyogrio
import pytest
from python_calamine import CalamineWorkbook

from tests.containers.conftest import MODULES, ROOT, S3
from tests.containers.site import Site

FORMATS = ("csv", "xlsx", "geojson", "gpkg", "parquet", "shapefile")
VALUES = """
create table things (
  id bigint primary key, "na""me, x" text, n numeric, big numeric, f double precision, b boolean,
  d date, ts timestamp, tz timestamptz, t time, j jsonb, raw bytea, a text[], u uuid
);
insert into things values
  (1, 'Zürich "quoted", and, commas', 1.50, 123456789012345678901234567890.12345, 0.1, true,
   '2024-02-29', '2024-02-29 10:11:12.5', '2024-02-29 10:11:12+02', '23:59:59', '{"a": [1, null]}',
   '\\x00ff', array['x', 'y z'], '00000000-0000-0000-0000-000000000001'),
  (2, '', -0.25, null, 1e300, false, null, null, null, null, null, null, null, null),
  (3, null, null, 7, null, null, '1999-12-31', '1999-12-31', '1999-12-31', '0:00', '3', '',
   '{}', null),
  (9007199254740993, E'line\\none\\ttab =1+1', 0, 0, -0.0, true, '2024-01-01', now(), now(), '1:00',
   '"\\\\u00fc"', '\\x01', null, null);
grant select on things to locaria_loader;
"""


def opened(site: Site, file: int) -> Path:
    """The local file behind a download's link, after its checksum was compared."""
    assert site.succeeded(file)
    result = site.result(file)
    with urllib.request.urlopen(result["link"]) as answer:
        data = answer.read()
    assert hashlib.sha256(data).hexdigest() == result["sha256"]
    assert len(data) == result["bytes"]
    path = site.folder / f"downloaded {file} {result['name']}"
    path.write_bytes(data)
    return path


def csv_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_every_format_holds_every_value(site: Site) -> None:
    site.execute(VALUES)
    files = {kind: site.request_download("things", format=kind) for kind in FORMATS}
    site.drain("file_download")
    paths = {kind: opened(site, file) for kind, file in files.items()}
    for file in files.values():
        assert site.file(file)["status"] == "DOWNLOAD_COMPLETE"
        assert site.result(file)["rows"] == 4

    header, first, empty, *_ = csv_rows(paths["csv"])
    assert header[:3] == ["id", 'na"me, x', "n"]
    assert first[:7] == [
        "1",
        'Zürich "quoted", and, commas',
        "1.50",
        "123456789012345678901234567890.12345",
        "0.1",
        "true",
        "2024-02-29",
    ]
    assert first[8] == "2024-02-29 08:11:12+00"
    assert b'\n2,"",-0.25,,1e+300,false' in paths["csv"].read_bytes()
    assert empty[0] == "2"

    table = pq.read_table(paths["parquet"])
    assert [str(kind) for kind in table.schema.types[:5]] == [
        "int64",
        "string",
        "decimal128(3, 2)",
        "decimal128(35, 5)",
        "double",
    ]
    assert str(table.column("big")[0]) == "123456789012345678901234567890.12345"
    assert table.column("id")[3].as_py() == 9007199254740993
    assert table.column("raw").to_pylist() == [b"\x00\xff", None, b"", b"\x01"]
    assert table.column("a").to_pylist()[0] == '{x,"y z"}'
    assert str(table.column("tz")[0]) == "2024-02-29 08:11:12+00:00"

    sheet = CalamineWorkbook.from_path(str(paths["xlsx"])).get_sheet_by_index(0).to_python()
    assert sheet[1][:3] == [1.0, 'Zürich "quoted", and, commas', 1.5]
    assert sheet[1][3] == "123456789012345678901234567890.12345"
    assert str(sheet[1][6]) == "2024-02-29"
    assert sheet[4][0] == "9007199254740993"

    with sqlite3.connect(paths["gpkg"]) as database:
        rows = database.execute('select id, "na""me, x", n, big, raw from things').fetchall()
    assert rows[0] == (
        1,
        'Zürich "quoted", and, commas',
        1.5,
        "123456789012345678901234567890.12345",
        b"\x00\xff",
    )
    assert rows[1][1] == ""

    features = json.loads(paths["geojson"].read_text())["features"]
    assert features[0]["geometry"] is None
    assert features[0]["properties"]["big"] == "123456789012345678901234567890.12345"
    assert features[0]["properties"]["raw"] == "\\x00ff"
    assert features[3]["properties"]["id"] == 9007199254740993

    assert zipfile.ZipFile(paths["shapefile"]).namelist() == ["things.cpg", "things.dbf"]


def test_what_was_downloaded_as_csv_and_loaded_again_is_the_same(site: Site) -> None:
    text = (
        'id,"a ""b"", c",n,b,d,ts,tz,code\r\n'
        '1,"x, ""y""\nz",1.50,true,2024-02-29,2024-02-29 10:00:00,2024-02-29 10:00:00+02,007\n'
        '2,"",,false,,2024-02-29 10:00:00.5,2024-01-01 00:00:00Z,\n'
        "-3,Zürich,-12345678901234567890.5,,1999-12-31,,,1E5\n"
    )
    first = site.insert("file_loader", path=str(site.write(text)), table="first")
    site.drain("file_loader")
    assert site.succeeded(first)
    download = site.request_download("first")
    site.drain("file_download")
    again = site.insert("file_loader", path=str(opened(site, download)), table="again")
    site.drain("file_loader")
    assert site.succeeded(again)
    assert site.types("again") == site.types("first")
    assert site.rows("again") == site.rows("first")
    assert len(site.rows("again")) == 3


def test_filter_columns_order_and_limit_are_data(site: Site) -> None:
    site.execute(
        'create table "odd ""t" ("i d" int, name text, day date);'
        "insert into \"odd \"\"t\" select n, case when n % 2 = 0 then 'even' else 'o''d\"d' end,"
        " date '2024-01-01' + n from generate_series(1, 100) as n;"
        'grant select on "odd ""t" to locaria_loader'
    )
    asked: dict[str, tuple[dict[str, Any], list[str]]] = {
        "equal": ({"filter": {"i d": 7}}, ["7"]),
        "in": ({"filter": {"i d": [1, 2, 200]}}, ["1", "2"]),
        "quotes": ({"filter": {"name": "o'd\"d"}, "limit": 2, "order_by": ["-i d"]}, ["99", "97"]),
        "several": (
            {
                "filter": [
                    {"column": "i d", "operator": ">", "value": 10},
                    {"column": "i d", "operator": "<=", "value": "13"},
                    {"column": "name", "operator": "like", "value": "ev%"},
                ]
            },
            ["12"],
        ),
        "between": (
            {
                "filter": [
                    {"column": "day", "operator": "BETWEEN", "value": ["2024-01-02", "2024-01-03"]}
                ]
            },
            ["1", "2"],
        ),
        "injection": ({"filter": {"name": "' or true; drop table things; --"}}, []),
        "null": ({"filter": {"name": None}}, []),
    }
    files = {
        name: site.request_download('odd "t', columns=["i d"], name=name, **attributes)
        for name, (attributes, _) in asked.items()
    }
    site.drain("file_download")
    for name, file in files.items():
        rows = csv_rows(opened(site, file))
        assert rows[0] == ["i d"], name
        assert [row[0] for row in rows[1:]] == asked[name][1], name
        assert site.result(file)["name"] == f"{name}.csv"


def test_what_must_not_be_downloaded_is_refused_in_plain_words(site: Site) -> None:
    site.execute(
        "create table open (id int, secret text); grant select (id) on open to locaria_loader;"
        "create table closed (id int); create schema hidden; create table hidden.t (id int);"
        "grant usage on schema hidden to locaria_loader;"
        "create table ours (id int, whose text); insert into ours values (1, 'all'), (2, 'mine');"
        "alter table ours enable row level security;"
        "create policy shown on ours to locaria_loader using (whose = 'all');"
        "grant select on ours to locaria_loader;"
        "grant select on hidden.t to locaria_loader"
    )
    wanted = {
        "locaria.files": "schema",
        "locaria.parameters": "schema",
        "pg_catalog.pg_authid": "schema",
        "hidden.t": 'nothing may be downloaded from schema "hidden"',
        "closed": "grant select on public.closed to locaria_loader",
        "missing": "there is no table",
        "x; drop table open": "there is no table",
    }
    files = {table: site.request_download(table) for table in wanted}
    bad: dict[int, str] = {
        site.request_download("open", columns=["secret"]): "no column 'secret'",
        site.request_download("open", filter={"secret": "x"}): "no column 'secret'",
        site.request_download("open", order_by=["1; select 1"]): "no column",
        site.request_download("open", filter={"id": "x"}): (
            'attribute filter: column "id" is of type integer: invalid input syntax'
        ),
        site.request_download(
            "open", filter=[{"column": "id", "operator": "or true or", "value": 1}]
        ): "one of =",
        site.request_download("open", filter="id = 1"): "a list of",
        site.request_download("open", format="exe"): "one of csv",
        site.request_download(): "attribute table is missing",
        site.request_download("open", limit=-1): "whole number",
        site.request_download("open", delimiter="ab"): "one ASCII character",
    }
    readable = site.request_download("open")
    ours = site.request_download("ours")
    site.drain("file_download")
    for table, words in wanted.items():
        assert words in site.error(files[table]), table
    for file, words in bad.items():
        assert words in site.error(file)
        assert site.file(file)["attempts"] == 1
    assert csv_rows(opened(site, readable)) == [["id"]]
    assert csv_rows(opened(site, ours)) == [["id", "whose"], ["1", "all"]]


def test_empty_tables_and_views_have_their_columns_in_every_format(site: Site) -> None:
    site.execute(
        "create table nothing (id int, name text, n numeric); create view seen as table nothing;"
        "grant select on seen to locaria_loader"
    )
    files = {kind: site.request_download("seen", format=kind) for kind in FORMATS}
    site.drain("file_download")
    paths = {kind: opened(site, file) for kind, file in files.items()}
    assert csv_rows(paths["csv"]) == [["id", "name", "n"]]
    assert pq.read_table(paths["parquet"]).column_names == ["id", "name", "n"]
    sheets = CalamineWorkbook.from_path(str(paths["xlsx"]))
    assert sheets.get_sheet_by_name("seen").to_python() == [["id", "name", "n"]]
    assert list(pyogrio.read_info(paths["gpkg"])["fields"]) == ["id", "name", "n"]
    assert json.loads(paths["geojson"].read_text())["features"] == []
    assert zipfile.ZipFile(paths["shapefile"]).namelist() == ["seen.cpg", "seen.dbf"]


def test_several_tables_are_sheets_layers_or_a_zip(site: Site) -> None:
    site.execute(
        "create table one (id int); insert into one values (1); create table two (x text);"
        "insert into two values ('a'), ('b'); grant select on one, two to locaria_loader"
    )
    files = {
        kind: site.request_download(tables=["one", "public.two"], format=kind, name="both")
        for kind in ("csv", "xlsx", "gpkg")
    }
    site.drain("file_download")
    archive = zipfile.ZipFile(opened(site, files["csv"]))
    assert archive.namelist() == ["one.csv", "two.csv"]
    assert archive.read("two.csv") == b"x\na\nb\n"
    book = CalamineWorkbook.from_path(str(opened(site, files["xlsx"])))
    assert book.sheet_names == ["one", "two"]
    layers = pyogrio.list_layers(opened(site, files["gpkg"]))
    assert [layer[0] for layer in layers] == ["one", "two"]
    assert [t["rows"] for t in site.result(files["gpkg"])["tables"]] == [1, 2]
    assert site.result(files["csv"])["name"] == "both.zip"


def test_names_that_a_format_cannot_tell_apart_get_others(site: Site) -> None:
    tables = ["a/b", "a_b", "A", "a"]
    site.execute(
        "".join(
            f'create table "{name}" (x int); insert into "{name}" values ({n});'
            for n, name in enumerate(tables)
        )
        + 'create table cols ("Name" text, name text, fid text);'
        "insert into cols values ('a', 'b', null), ('a', 'b', 'c');"
        "grant select on all tables in schema public to locaria_loader"
    )
    files = {kind: site.request_download(tables=tables, format=kind) for kind in FORMATS}
    cols = site.request_download("cols", format="gpkg")
    site.drain("file_download")
    paths = {kind: opened(site, file) for kind, file in files.items()}
    labels = ["a_b", "a_b_2", "public.A", "public.a_2"]
    csvs = zipfile.ZipFile(paths["csv"])
    assert csvs.namelist() == [f"{label}.csv" for label in labels]
    assert [csvs.read(name) for name in csvs.namelist()] == [b"x\n%d\n" % n for n in range(4)]
    assert [each[0] for each in pyogrio.list_layers(paths["gpkg"])] == ["a/b", *labels[1:]]
    assert len(CalamineWorkbook.from_path(str(paths["xlsx"])).sheet_names) == 4
    # GDAL would make its own key of a column fid.
    layer = pyogrio.raw.read(opened(site, cols))
    assert list(layer[0]["fields"]) == ["Name", "name_2", "fid"]
    assert [list(values) for values in layer[3]] == [["a", "a"], ["b", "b"], [None, "c"]]
    assert site.result(cols)["tables"][0]["renamed"] == {"name": "name_2"}


def test_values_that_a_format_has_no_room_for_are_said_and_never_cut(site: Site) -> None:
    site.execute(
        "create table long (id int, words text); insert into long values (1, repeat('x', 40000));"
        "create table forever (day date); insert into forever values ('infinity');"
        "create table nan (n numeric); insert into nan values ('NaN'), (1.5);"
        "create table renamed (a_long_name_1 int, a_long_name_2 int);"
        "insert into renamed values (1, 2);"
        "create table controls (t text); insert into controls values (E'a\\x01\\rb_x0041_');"
        "create table partly (id int, secret text, n numeric);"
        "insert into partly values (1, '', 2);"
        "grant select on long, forever, nan, renamed, controls to locaria_loader;"
        "grant select (id, n) on partly to locaria_loader"
    )
    controls = site.request_download("controls", format="xlsx")
    partly = site.request_download("partly", format="parquet", limit=1)
    shapefile = site.request_download("long", format="shapefile")
    sheet = site.request_download("long", format="xlsx")
    parquet = site.request_download("forever", format="parquet")
    nan = site.request_download("nan", format="parquet")
    renamed = site.request_download("renamed", format="shapefile")
    as_csv = site.request_download("forever")
    site.drain("file_download")
    assert '"words" has a text of 40,000 bytes' in site.error(shapefile)
    assert '"words" has a text of 40,000 characters' in site.error(sheet)
    assert "'infinity', in column day: CSV takes every value" in site.error(parquet)
    assert pq.read_table(opened(site, nan)).column("n").to_pylist() == ["NaN", "1.5"]
    assert site.succeeded(renamed)
    assert site.result(renamed)["tables"][0]["renamed"] == {
        "a_long_name_1": "a_long_nam",
        "a_long_name_2": "a_long_n_2",
    }
    assert csv_rows(opened(site, as_csv)) == [["day"], ["infinity"]]
    sheet_rows = CalamineWorkbook.from_path(opened(site, controls)).get_sheet_by_index(0)
    assert sheet_rows.to_python() == [["t"], ["a\x01\rb_x0041_"]]
    assert pq.read_table(opened(site, partly)).to_pylist() == [{"id": 1, "n": 2}]


def test_a_download_into_s3_gives_a_presigned_link(site: Site, s3: S3) -> None:
    site.execute(VALUES)
    file = site.request_download("things", expires=600, name="Mine")
    site.drain("file_download", LOCARIA_OBJECT_STORE=s3.url, **s3.environment)
    assert site.succeeded(file)
    result = site.result(file)
    assert result["object"].startswith(f"{s3.url}/downloads/{file}/")
    assert "X-Amz-Expires=600" in result["link"]
    with urllib.request.urlopen(result["link"]) as answer:
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="Mine.csv"')
        assert hashlib.sha256(answer.read()).hexdigest() == result["sha256"]
    told = json.dumps(site.owner.execute("table locaria.log").fetchall(), default=str)
    assert "X-Amz-Signature" not in told
    assert s3.environment["AWS_SECRET_ACCESS_KEY"] not in told + json.dumps(result)


def test_a_cancel_while_reading_leaves_nothing(site: Site) -> None:
    site.execute(
        "create view endless as select repeat('x', 9000) || pg_sleep(0.01)::text"
        " from generate_series(1, 100000);"
        "grant select on endless to locaria_loader"
    )
    file = site.request_download("endless")
    task = site.start("file_download")
    for _ in range(3000):
        row = site.owner.execute(
            "select rows_done from locaria.status where file_id = %s", [file]
        ).fetchone()
        if row is not None and (row["rows_done"] or 0) > 0:
            break
        site.owner.execute("select pg_sleep(0.02)")
    site.db.connect("operator").execute("select locaria.cancel(%s, 'enough')", [file])
    task.communicate(timeout=60)
    assert site.file(file)["status"] == "CANCELLED"
    assert not list((site.folder / "objects").rglob("*.csv"))


def test_a_retry_replaces_what_an_earlier_attempt_stored(site: Site) -> None:
    site.execute("create table t (id int); grant select on t to locaria_loader")
    file = site.request_download("t")
    site.drain("file_download")
    before = opened(site, file)
    site.execute("insert into t values (1)")
    site.db.connect("operator").execute("select locaria.retry(%s, 'again')", [file])
    site.drain("file_download")
    assert opened(site, file).read_bytes() == b"id\n1\n"
    assert before.name.endswith("t.csv")
    assert len(list((site.folder / "objects").rglob("*.csv"))) == 1


def test_a_snapshot_is_held_no_longer_than_the_site_says(site: Site) -> None:
    site.execute(
        "create view slow as select n, pg_sleep(0.01)::text from generate_series(1, 100000) as n;"
        "grant select on slow to locaria_loader;"
        "update locaria.parameters set parameter = parameter || '{\"longest_s\": 0.5}'"
        " where parameter_name = 'download_config'"
    )
    file = site.request_download("slow", format="xlsx")
    site.drain("file_download")
    assert "longer than" in site.error(file)
    assert "download_config.longest_s" in site.error(file)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_all_tables_are_of_one_moment(site: Site, kind: str) -> None:
    site.execute(
        "create table a (id int); create table b (id int);"
        "create function slowly(int) returns int language sql volatile"
        " as 'select $1 from pg_sleep(0.02)';"
        "insert into a select generate_series(1, 40);"
        "create view slow_a as select slowly(id) from a;"
        "grant select on slow_a, b to locaria_loader"
    )
    file = site.request_download(tables=["slow_a", "b"], format=kind)
    task = site.start("file_download")
    reading = (
        "select from pg_stat_activity where state = 'active' and query ilike %s"
        " and application_name like 'locaria run=%%'"
    )
    with psycopg.connect(site.db.superuser_dsn, autocommit=True) as superuser:
        for _ in range(3000):
            if superuser.execute(reading, ["%slow_a%"]).fetchone() is not None:
                break
            superuser.execute("select pg_sleep(0.005)")
        superuser.execute("insert into b values (1)")
    task.communicate(timeout=60)
    archive = zipfile.ZipFile(opened(site, file))
    if kind == "csv":
        assert archive.read("b.csv") == b"id\n"
    else:
        assert pq.read_table(io.BytesIO(archive.read("b.parquet"))).num_rows == 0


def test_of_a_table_that_is_replaced_meanwhile_the_rows_are_there(site: Site) -> None:
    site.execute(
        "create table t as select 1 as id; create view v as select * from t;"
        "create table u as select 1 as id; grant select on t, u, v to locaria_loader"
    )
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    with (
        psycopg.connect(site.db.superuser_dsn) as loads,
        psycopg.connect(site.db.superuser_dsn, autocommit=True) as look,
    ):
        loads.execute(
            "lock t, u; drop view v; drop table t; create table t as select 2 as id;"
            "create view v as select * from t; truncate u; insert into u values (2), (2);"
            "grant select on t, v to locaria_loader"
        )
        tables = {name: site.request_download(name) for name in ("t", "u", "v")}
        tasks = [site.start("file_download") for _ in tables]
        for _ in range(3000):
            if look.execute(waiting).fetchone() == (len(tables),):
                break
            look.execute("select pg_sleep(0.01)")
        else:
            pytest.fail("nobody waits for the table")
        loads.commit()
    for task in tasks:
        task.communicate(timeout=60)
    rows = {name: csv_rows(opened(site, file))[1:] for name, file in tables.items()}
    assert rows == {"t": [["2"]], "u": [["2"], ["2"]], "v": [["2"]]}


def test_a_disk_that_fills_up_leaves_no_half_file(site: Site) -> None:
    site.execute(
        "create table t as select 1 as id; grant select on t to locaria_loader;"
        "update locaria.containers set max_attempts = 1"
    )
    # Of the task's Python alone: GDAL itself would say nothing.
    site.write(
        "import shutil\nreal = shutil.disk_usage\n"
        "shutil.disk_usage = lambda path: real(path)._replace(free=4096)\n",
        "sitecustomize.py",
    )
    files = [site.request_download("t", format=kind) for kind in ("geojson", "gpkg", "shapefile")]
    site.drain("file_download", PYTHONPATH=f"{site.folder}:{ROOT}:{MODULES}")
    assert {site.error(file) for file in files} == {
        "the task's disk is full: 4,096 bytes are left of it"
    }
