"""The loader in shell: ogr2ogr, psql and locaria-report."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from locaria.local.postgres.binaries import find_binaries
from tests.containers.site import Site

pytestmark = pytest.mark.skipif(
    shutil.which("ogr2ogr") is None,
    reason="ogr2ogr is not installed: apt-get install gdal-bin, or the GDAL of your system",
)

FEATURES = [
    {
        "type": "Feature",
        "properties": {"id": 1, 'na"me, x': "Zürich\tand\nmore", "day": "2024-02-29"},
        "geometry": {"type": "Point", "coordinates": [8.5, 47.4]},
    },
    {"type": "Feature", "properties": {"id": 2}, "geometry": None},
]
COLLECTION = json.dumps({"type": "FeatureCollection", "features": FEATURES})
POINT = json.dumps(FEATURES[0])


def drain(site: Site, **environment: str) -> str:
    """Run a task, with psql on its PATH."""
    psql = find_binaries(os.environ.get("LOCARIA_TEST_PG_BIN")).program("psql")
    programs = site.folder / "bin"
    programs.mkdir(exist_ok=True)
    link = programs / "psql"
    if not link.exists():
        link.write_text(f"#!/bin/sh\nexec '{psql}' \"$@\"\n")
        link.chmod(0o755)
    folders = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    return site.drain("gdal_loader", PATH=os.pathsep.join(folders), **environment)


def test_layers_are_loaded_and_published_with_the_outcome(site: Site) -> None:
    path = site.write(COLLECTION, "some places.geojson")
    first = site.insert("gdal_loader", path=str(path), table='od"d')
    again = site.insert("gdal_loader", path=str(path), table='od"d', mode="append")
    # Here id is the layer's key.
    subprocess.run(["ogr2ogr", site.folder / "keyed.gpkg", path], check=True)
    keyed = site.insert("gdal_loader", path=str(site.folder / "keyed.gpkg"), table="keyed")
    drain(site)
    assert site.succeeded(first)
    assert site.succeeded(again)
    assert site.result(first)["rows"] == 2
    assert site.succeeded(keyed)
    assert [row[0] for row in site.rows("keyed")] == [1, 2]
    rows = site.rows('od"d')
    assert len(rows) == 4
    assert {row[1:3] for row in rows} == {(1, "Zürich\tand\nmore"), (2, None)}
    assert bytes(rows[0][0]).startswith(b"\x01\x01\0\0\x20\xe6\x10\0\0")
    assert list(site.types('od"d')) == ["geometry", "id", 'na"me, x', "day"]
    attempts = site.owner.execute(
        "select outcome from locaria.attempts where file_id = any(%s)", [[first, again]]
    ).fetchall()
    assert [row["outcome"] for row in attempts] == ["succeeded", "succeeded"]


def test_a_url_is_fetched(site: Site) -> None:
    # By its name it would take the place of the file that says where the database is.
    site.write(COLLECTION, "pg_service.conf")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(site.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/pg_service.conf"
        file = site.insert("gdal_loader", path=url, table="places", srs="EPSG:3857")
        drain(site, LOCARIA_FETCH_PRIVATE="1")
        server.shutdown()
    assert site.succeeded(file)
    assert bytes(site.rows("places")[0][0])[5:9] == (3857).to_bytes(4, "little")


def test_what_is_wrong_is_said_and_the_old_table_stays(site: Site) -> None:
    (site.folder / "roots").mkdir()
    good = site.write(COLLECTION, "roots/good.geojson")
    vrt = site.write(
        "<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>/etc/passwd</SrcDataSource>"
        "</OGRVRTLayer></OGRVRTDataSource>",
        "roots/file.vrt",
    )
    outside = site.write(COLLECTION, "outside.geojson")
    cut = site.write(COLLECTION[:150], "roots/cut.geojson")
    damaged = site.folder / "roots" / "damaged.shp"
    many = site.write(COLLECTION.replace(POINT, ", ".join([POINT] * 100)), "many.geojson")
    subprocess.run(["ogr2ogr", damaged, many], check=True)
    os.truncate(damaged, damaged.stat().st_size // 2)
    loaded = site.insert("gdal_loader", path=str(good), table="t")
    wrong = {
        "no file": site.insert("gdal_loader", path="/vsicurl/http://127.0.0.1/x", table="t"),
        "outside of": site.insert("gdal_loader", path=str(outside), table="t"),
        "GDAL can't read": site.insert("gdal_loader", path=str(vrt), table="t"),
        "Unterminated string": site.insert("gdal_loader", path=str(cut), table="t"),
        "Error in fread()": site.insert("gdal_loader", path=str(damaged), table="t"),
        "table is missing": site.insert("gdal_loader", path=str(good)),
        "attribute srs": site.insert(
            "gdal_loader", path=str(good), table="t", srs="http://127.0.0.1/wkt"
        ),
        "begins with -": site.insert("gdal_loader", path=str(good), table="t", layer="-sql"),
    }
    schema = site.insert("gdal_loader", path=str(good), table="locaria.t")
    drain(site, LOCARIA_FILE_ROOTS=str(site.folder / "roots"))
    assert site.succeeded(loaded)
    for words, file in wrong.items():
        assert words in site.error(file)
        assert site.file(file)["attempts"] == 1
    assert site.file(schema)["status"] != "FARGATE_PROCESSED"
    assert len(site.rows("t")) == 2


def test_no_file_makes_it_read_another_or_ask_a_server(site: Site) -> None:
    asked = threading.Event()

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()

    other = site.write("canary", "other")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        crs = {"type": "link", "properties": {"href": f"http://127.0.0.1:{server.server_port}/"}}
        linked = site.write(
            COLLECTION.replace("{", f'{{"crs": {json.dumps(crs)}, ', 1), "a.geojson"
        )
        # In this encoding GML is read by another parser of GDAL's, which resolves entities.
        entity = (
            '<?xml version="1.0" encoding="windows-1252"?>'
            f'<!DOCTYPE a [<!ENTITY x SYSTEM "{other}">]>'
            '<c:all xmlns:c="urn:c" xmlns:gml="http://www.opengis.net/gml"><gml:featureMember>'
            "<c:place><c:name>&x;.</c:name></c:place></gml:featureMember></c:all>"
        )
        site.insert("gdal_loader", path=str(linked), table="linked")
        site.insert("gdal_loader", path=str(site.write(entity, "a.gml")), table="entity")
        drain(site, no_proxy="127.0.0.1")
        server.shutdown()
    assert not asked.is_set()
    assert "canary" not in str(site.rows("entity"))
    assert not list(site.folder.glob("*.gfs"))


def test_without_all_of_the_rows_nothing_is_published(site: Site) -> None:
    path = str(site.write(COLLECTION, "t.geojson"))
    loaded = site.insert("gdal_loader", path=path, table="t")
    drain(site)
    assert site.succeeded(loaded)
    site.execute("update locaria.containers set max_attempts = 1")
    # The SQL cut off, as by a full disk, which ogr2ogr takes no notice of.
    half = (
        "CREATE TABLE pg_temp.loaded (gdal_fid serial, id text);\\n"
        "COPY pg_temp.loaded (id) FROM STDIN;\\n1\\n"
    )
    for program, script, words in (
        ("ogr2ogr", f"printf '{half}' >\"$LR_TMP/rows.sql\"", "did not all come"),
        ("ogrinfo", "echo Supported Formats:", "other formats could not be turned off"),
    ):
        file = site.insert("gdal_loader", path=path, table="t")
        fake = site.folder / "bin" / program
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        drain(site)
        assert words in site.error(file)
    assert len(site.rows("t")) == 2
