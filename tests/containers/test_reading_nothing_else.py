"""A file makes the loader read no other file and ask no server, whatever it says of itself."""

import http.server
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from psycopg import sql

from tests.containers.conftest import Loader

CANARY = "canary-of-another-file"


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server, and what it was asked for."""
    paths: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"id\n{CANARY}\n".encode())

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


def vrt(source: str) -> str:
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="other"><SrcDataSource>{source}</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>"
    )


def kml(content: str, before: str = "") -> str:
    return (
        f'<?xml version="1.0"?>{before}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"{content}<Placemark><name>a</name><Point><coordinates>1,2</coordinates></Point>"
        "</Placemark></Document></kml>"
    )


def gml(feature: str, about: str = "", before: str = "") -> str:
    return (
        f'<?xml version="1.0"?>{before}<c:all xmlns:c="urn:c" '
        'xmlns:gml="http://www.opengis.net/gml" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {about}><gml:featureMember>'
        f"<c:place>{feature}</c:place></gml:featureMember></c:all>"
    )


def texts(url: str, other: Path) -> dict[str, str]:
    """Files that refer to the server or to another file, by name."""
    point = (
        '<c:at><gml:Point srsName="{}"><gml:coordinates>1,2</gml:coordinates></gml:Point></c:at>'
    )
    entity = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{other}">]>'
    schema = 'xsi:schemaLocation="urn:c {}"'
    british = point.format("EPSG:27700")
    return {
        "vrt.vrt": vrt(str(other)),
        "vrt.csv": vrt(str(other)),
        "vrt.kml": f"<!-- <kml> -->{vrt(str(other))}",
        "vrt.gml": f"<!-- http://www.opengis.net/gml -->{vrt(f'/vsicurl/{url}/a.csv')}",
        "link.kml": kml(f"<NetworkLink><Link><href>{url}/a.kml</href></Link></NetworkLink>"),
        "file.kml": kml(f"<NetworkLink><Link><href>{other}</href></Link></NetworkLink>"),
        "icon.kml": kml(f"<Style><IconStyle><Icon><href>{url}</href></Icon></IconStyle></Style>"),
        "entity.kml": kml("<description>&x;</description>", entity),
        "entity.gml": gml(f"{british}<c:name>&x;</c:name>", before=entity),
        "schema.gml": gml(british, schema.format(f"{url}/schema.xsd")),
        "local.gml": gml(british, schema.format(other)),
        "xlink.gml": gml(f'{british}<c:other xlink:href="{url}/a.gml#x"/>'),
        "srs.gml": gml(point.format(f"{url}/crs")),
        "crs.geojson": (
            '{"type": "FeatureCollection", "crs": {"type": "link", "properties": '
            f'{{"href": "{url}/crs"}}}}, "features": [{{"type": "Feature", "properties": '
            '{"a": 1}, "geometry": {"type": "Point", "coordinates": [1, 2]}}]}'
        ),
        "entity.gpx": (
            f'<?xml version="1.0"?>{entity}<gpx version="1.1" xmlns="http://www.topografix.com/GPX/'
            '1/1"><wpt lat="1" lon="2"><name>&x;</name></wpt></gpx>'
        ),
    }


def databases(folder: Path, other: Path) -> list[Path]:
    """Databases whose views call functions that read files or load programs."""
    made = []
    for name, statements in {
        "view.sqlite": "create view v as select load_extension('/tmp/x.so') as x, id from t",
        "reads.gpkg": f"create view v as select readfile('{other}') as x, id from t",
        "virtual.sqlite": (
            "pragma writable_schema = on; insert into sqlite_master values ('table', 'v', 'v', 0,"
            f" 'create virtual table v using VirtualOGR(''{other}'')')"
        ),
        "trigger.sqlite": (
            f"create trigger x after insert on t begin select writefile('{other}', ''); end"
        ),
    }.items():
        with sqlite3.connect(folder / name) as database:
            database.executescript("create table t (id int); insert into t values (1)")
            database.executescript(statements)
        made.append(folder / name)
    return made


def workbook(folder: Path, url: str) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["id", "link"])
    sheet.append([1, "here"])
    sheet["B2"].hyperlink = f"{url}/a.xlsx"
    book.save(folder / "link.xlsx")
    return folder / "link.xlsx"


def test_no_file_makes_the_loader_read_another_or_ask_a_server(
    loader: Loader, asked: tuple[str, list[str]]
) -> None:
    url, paths = asked
    other = loader.write(f"id,name\n1,{CANARY}\n", "other.csv")
    files = [loader.write(content, name) for name, content in texts(url, other).items()]
    files += databases(loader.folder, other)
    files.append(workbook(loader.folder, url))
    with zipfile.ZipFile(loader.folder / "vrt.zip", "w") as archive:
        archive.writestr("a.vrt", vrt(str(other)))
    ids = {
        str(path): loader.insert(path, table=f"t{number}")
        for number, path in enumerate([*files, loader.folder / "vrt.zip"])
    }
    named = ("/vsicurl/{}/a.csv", "/vsizip//vsicurl/{}/a.zip", "WFS:{}", "vrt://{}", "/vsis3/a/b")
    for number, name in enumerate(named):
        path = name.format(url)
        ids[path] = loader.insert(path, table=f"n{number}")
    # Some sites have that, for their own services.
    loader.drain(no_proxy="127.0.0.1", NO_PROXY="127.0.0.1")
    assert paths == []
    outcomes = {path: loader.file(file) for path, file in ids.items()}
    for path, row in outcomes.items():
        assert row["attempts"] == 1, (path, row["last_error"])
        assert CANARY not in (row["last_error"] or ""), path
    tables = loader.owner.execute(
        "select relname as name from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind = 'r'"
    ).fetchall()
    for table in tables:
        statement = sql.SQL("select t::text as row from {} as t").format(
            sql.Identifier(table["name"])
        )
        for row in loader.owner.execute(statement).fetchall():
            assert CANARY not in row["row"], table
    # What is harmless without what it refers to is loaded.
    loaded = {Path(p).name for p, row in outcomes.items() if row["status"] == "FARGATE_PROCESSED"}
    assert loaded == {
        *("link.kml", "file.kml", "icon.kml", "schema.gml", "local.gml", "xlink.gml"),
        *("trigger.sqlite", "virtual.sqlite", "link.xlsx"),
    }
