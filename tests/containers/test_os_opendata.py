"""Ordnance Survey's open data, from a server that answers as the OS Downloads API does."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyarrow as pa
import pyogrio
import pytest

from tests.containers.site import Site

NAMES_HEADER = (
    "ID,NAMES_URI,NAME1,NAME1_LANG,NAME2,NAME2_LANG,TYPE,LOCAL_TYPE,GEOMETRY_X,GEOMETRY_Y,COUNTRY"
)
LINE = bytes.fromhex(
    "01ea0300000200000000000000006a184100000000006a08410000000000000000"
    "00000000806a184100000000806a08410000000000000000"
)


@dataclass
class Product:
    """A product of the API."""

    format: str
    file_name: str
    content: bytes
    version: str = "2024-04"


@dataclass
class OsServer:
    """The API and the store that it redirects to."""

    products: dict[str, Product]
    asked: list[str] = field(default_factory=list)
    keys: list[tuple[str, str | None]] = field(default_factory=list)
    cut_once: bool = False
    wrong_md5: bool = False
    base: str = ""

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """One request."""
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        self.asked.append(handler.path)
        self.keys.append((parts.path.split("/")[1], handler.headers.get("key")))
        match parts.path.strip("/").split("/"):
            case ["downloads", "v1", "products", name] if name in self.products:
                self._json(handler, self._about(name))
            case ["downloads", "v1", "products", name, "downloads"] if name in self.products:
                if "redirect" in query:
                    # To another origin, as the real one: a store with a signature in the URL.
                    handler.send_response(307)
                    host = self.base.replace("127.0.0.1", "localhost")
                    handler.send_header("Location", f"{host}/store/{name}?sig=secret-signature")
                    handler.end_headers()
                else:
                    self._json(handler, self._downloads(name, query))
            case ["store", name]:
                self._send(handler, self.products[name].content)
            case _:
                handler.send_error(404)

    def _about(self, name: str) -> dict[str, Any]:
        product, url = self.products[name], f"{self.base}/downloads/v1/products/{name}"
        return {
            "id": name,
            "name": f"OS {name}",
            "version": product.version,
            "formats": [{"format": product.format}, {"format": "GML", "subformat": "3"}],
            "areas": ["GB"],
            "url": url,
            "downloadsUrl": f"{url}/downloads",
        }

    def _downloads(self, name: str, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        product = self.products[name]
        if query.get("format") != [product.format] or query.get("area") != ["GB"]:
            return []
        md5 = hashlib.md5(product.content).hexdigest().upper()
        search = urlencode({"area": "GB", "format": product.format})
        return [
            {
                "md5": "0" * 32 if self.wrong_md5 else md5,
                "size": len(product.content),
                "url": f"{self.base}/downloads/v1/products/{name}/downloads?{search}&redirect",
                "format": product.format,
                "area": "GB",
                "fileName": product.file_name,
            }
        ]

    def _json(self, handler: http.server.BaseHTTPRequestHandler, answer: Any) -> None:
        data = json.dumps(answer).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _send(self, handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
        start = 0
        wanted = handler.headers.get("Range")
        if wanted and handler.headers.get("If-Range") == '"tag"':
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.asked.append(f"resumed at {start}")
        handler.send_response(206 if start else 200)
        handler.send_header("ETag", '"tag"')
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        if self.cut_once:
            self.cut_once = False
            handler.wfile.write(data[: len(data) // 2])
            handler.close_connection = True
        else:
            handler.wfile.write(data[start:])


def archive(**members: bytes | str) -> bytes:
    """A zip; `__` in a name stands for `/`, `_dot_` for a point."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            zipped.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return made.getvalue()


def geopackage(folder: Path, name: str, layers: dict[str, dict[str, list[Any]]]) -> bytes:
    """A GeoPackage on the National Grid with a line for each row."""
    path = folder / name
    for layer, columns in layers.items():
        table = pa.table({**columns, "geometry": [LINE] * len(next(iter(columns.values())))})
        pyogrio.write_arrow(
            table,
            path,
            layer=layer,
            driver="GPKG",
            geometry_name="geometry",
            geometry_type="LineString Z",
            crs="EPSG:27700",
            append=path.exists(),
        )
    return path.read_bytes()


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Product]:
    """Archives in the layout of the real ones (as published in 2024), with few rows."""
    folder = tmp_path_factory.mktemp("os")
    names = archive(
        Doc__OS_Open_Names_Header_dot_csv="\ufeff" + NAMES_HEADER + "\r\n",
        Doc__licence_dot_txt="Open Government Licence v3",
        Data__HP40_dot_csv=(
            "\ufeffosgb1,http://x/1,Haroldswick,,,,populatedPlace,Village,463700,1212400,Scotland\r\n"
            'osgb2,http://x/2,"Sound, The",eng,An Caol,gla,landform,Bay,463701,1212401,Scotland\r\n'
        ),
        Data__TQ38_dot_csv=(
            "osgb3,http://x/3,Bow,,,,populatedPlace,Suburban Area,536900,183000,England"
        ),
    )
    uprn = archive(
        licence_dot_txt="Open Government Licence v3",
        osopenuprn_202404_dot_csv=(
            "\ufeffUPRN,X_COORDINATE,Y_COORDINATE,LATITUDE,LONGITUDE\r\n"
            + "".join(f"{n},358260.66,172796.5,51.4526038,-2.6020703\r\n" for n in range(1, 3001))
        ),
        versions_dot_txt="1",
    )
    usrn = geopackage(
        folder,
        "osopenusrn_202405.gpkg",
        {"openUSRN": {"usrn": [4401245, 4401246], "street_type": ["Designated Street Name"] * 2}},
    )
    lines = geopackage(
        folder,
        "bdline_gb.gpkg",
        {
            "county": {"Name": ["Kent County"], "Area_Code": ["CTY"]},
            "westminster_const": {"Name": ["A Co Const", "B"], "Area_Code": ["WMC", "WMC"]},
        },
    )
    return {
        "OpenNames": Product("CSV", "opname_csv_gb.zip", names),
        "OpenUPRN": Product("CSV", "osopenuprn_202404_csv.zip", uprn),
        "OpenUSRN": Product(
            "GeoPackage",
            "osopenusrn_202405_gpkg.zip",
            archive(**{"osopenusrn_202405.gpkg": usrn, "licence.txt": "OGL", "versions.txt": "1"}),
        ),
        "BoundaryLine": Product(
            "GeoPackage",
            "bdline_gpkg_gb.zip",
            archive(**{"Data/bdline_gb.gpkg": lines, "Doc/licence.txt": "OGL"}),
        ),
    }


@pytest.fixture
def server(products: dict[str, Product], site: Site) -> Iterator[OsServer]:
    """The server, and a site whose containers ask it."""
    made = OsServer(dict(products))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.base = f"http://127.0.0.1:{server.server_port}"
        site.environment["LOCARIA_OS_DOWNLOADS_URL"] = f"{made.base}/downloads/v1"
        site.environment["LOCARIA_FETCH_PRIVATE"] = "1"
        yield made
        server.shutdown()


def test_every_product_is_loaded_and_a_version_that_is_there_is_skipped(
    site: Site, server: OsServer
) -> None:
    first = {
        name: site.insert("os_opendata", data_set=name, category="base", tags=["os"])
        for name in server.products
    }
    site.drain("os_opendata")
    for file in first.values():
        assert site.succeeded(file)
    assert [row[2] for row in site.rows("open_names")] == ["Haroldswick", "Sound, The", "Bow"]
    assert site.types("open_names")["GEOMETRY_X"] == "integer"
    assert len(site.rows("open_uprn")) == 3000
    assert site.types("open_uprn")["UPRN"] == "integer"
    assert len(site.rows("open_usrn")) == 2
    assert len(site.rows("boundary_line_westminster_const")) == 2
    assert len(site.rows("boundary_line_county")) == 1
    labels = site.owner.execute(
        "select labels from locaria.published_tables where table_name = 'open_uprn'"
    ).fetchone()
    assert labels is not None
    assert (
        labels["labels"].items()
        >= {
            "data_set": "OpenUPRN",
            "version": "2024-04",
            "category": "base",
            "tags": ["os"],
        }.items()
    )

    server.asked.clear()
    again = [site.insert("os_opendata", data_set=name) for name in server.products]
    site.drain("os_opendata")
    assert all(site.succeeded(file) and site.result(file)["skipped"] for file in again)
    assert not [path for path in server.asked if path.startswith("/store/")]


def test_a_new_version_a_dropped_table_and_force_load_again(site: Site, server: OsServer) -> None:
    def load(**attributes: Any) -> bool:
        file = site.insert("os_opendata", data_set="OpenNames", **attributes)
        site.drain("os_opendata")
        assert site.succeeded(file)
        return "skipped" not in site.result(file)

    assert load()
    assert not load()
    assert load(table="elsewhere")
    assert load(force=True)
    site.execute("drop table open_names")
    assert load()
    server.products["OpenNames"] = Product(
        "CSV", "opname_csv_gb.zip", server.products["OpenNames"].content, "2024-07"
    )
    assert load()
    assert not load()


def test_a_broken_download_goes_on_where_it_broke(site: Site, server: OsServer) -> None:
    server.cut_once = True
    file = site.insert("os_opendata", data_set="OpenUPRN")
    site.drain("os_opendata")
    assert site.succeeded(file)
    half = len(server.products["OpenUPRN"].content) // 2
    assert f"resumed at {half}" in server.asked
    assert len(site.rows("open_uprn")) == 3000


def test_what_is_not_as_announced_is_not_loaded(site: Site, server: OsServer) -> None:
    server.wrong_md5 = True
    file = site.insert("os_opendata", data_set="OpenUPRN")
    unknown = site.insert("os_opendata", data_set="OpenEverything")
    site.drain("os_opendata")
    assert "MD5" in site.error(file)
    assert site.file(file)["attempts"] == 3
    assert "one of OpenNames" in site.error(unknown)
    server.wrong_md5 = False
    del server.products["OpenUSRN"]
    server.products["OpenNames"] = Product("CSV", "x.zip", archive(readme_dot_txt="hello"))
    gone = site.insert("os_opendata", data_set="OpenUSRN")
    other = site.insert("os_opendata", data_set="OpenNames")
    site.drain("os_opendata")
    assert "404" in site.error(gone)
    assert "not laid out as OS Open Names" in site.error(other)
    assert site.types("open_uprn") == {}


def test_the_key_goes_to_the_api_and_nowhere_else(site: Site, server: OsServer) -> None:
    direct = {"key": "canary-key-4711"}
    named = {"environment": "OS"}
    files = [
        site.insert("os_opendata", data_set="OpenNames", credentials=direct),
        site.insert("os_opendata", data_set="OpenNames", credentials=named, force=True),
    ]
    missing = site.insert("os_opendata", data_set="OpenNames", credentials={"environment": "DSN"})
    site.drain("os_opendata", LOCARIA_CREDENTIAL_OS="canary-key-4711")
    assert all(site.succeeded(file) for file in files)
    assert {key for where, key in server.keys if where == "downloads"} == {"canary-key-4711"}
    assert {key for where, key in server.keys if where == "store"} == {None}
    assert "no variable LOCARIA_CREDENTIAL_DSN" in site.error(missing)
    for table in ("files", "runs", "log_messages", "published_tables"):
        rows = site.owner.execute(f"select * from locaria.{table}").fetchall()
        assert "canary-key-4711" not in json.dumps(rows, default=str), table
