"""Ordnance Survey's open data, from a server that answers as the OS Downloads API does."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import random
import signal
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyarrow as pa
import pyogrio
import pytest

from tests.containers.site import Site

NAMES_HEADER = (
    "ID,NAMES_URI,NAME1,NAME1_LANG,NAME2,NAME2_LANG,TYPE,LOCAL_TYPE,GEOMETRY_X,GEOMETRY_Y,"
    "MOST_DETAIL_VIEW_RES,LEAST_DETAIL_VIEW_RES,MBR_XMIN,MBR_YMIN,MBR_XMAX,MBR_YMAX,"
    "POSTCODE_DISTRICT,POSTCODE_DISTRICT_URI,POPULATED_PLACE,POPULATED_PLACE_URI,"
    "POPULATED_PLACE_TYPE,DISTRICT_BOROUGH,DISTRICT_BOROUGH_URI,DISTRICT_BOROUGH_TYPE,"
    "COUNTY_UNITARY,COUNTY_UNITARY_URI,COUNTY_UNITARY_TYPE,REGION,REGION_URI,COUNTRY,COUNTRY_URI,"
    "RELATED_SPATIAL_OBJECT,SAME_AS_DBPEDIA,SAME_AS_GEONAMES"
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
    faults: list[str | tuple[int, str]] = field(default_factory=list)
    api_faults: list[tuple[int, str]] = field(default_factory=list)
    wrong_md5: bool = False
    announces: bool = True
    listed: Any = None
    base: str = ""
    half: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def sent(self) -> list[str]:
        """The archives that were asked for, and how."""
        return [path for path in self.asked if path.startswith(("/store/", "resumed"))]

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """One request."""
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        self.asked.append(handler.path)
        self.keys.append((parts.path.split("/")[1], handler.headers.get("key")))
        in_store = parts.path.startswith("/store/")
        if self.api_faults and not in_store:
            self._refuse(handler, *self.api_faults.pop(0))
            return
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
                    self._json(handler, self.listed or self._downloads(name, query))
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
        checks = {"md5": "0" * 32 if self.wrong_md5 else md5, "size": len(product.content)}
        return [
            {
                **(checks if self.announces else {}),
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

    def _refuse(self, handler: http.server.BaseHTTPRequestHandler, status: int, after: str) -> None:
        handler.send_response(status)
        handler.send_header("Retry-After", after)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def _send(self, handler: http.server.BaseHTTPRequestHandler, data: bytes) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if isinstance(fault, tuple):
            self._refuse(handler, *fault)
            return
        data = data[:-9] if fault == "short" else data
        start, tag = 0, f'"{hashlib.md5(data).hexdigest()}"'
        wanted = handler.headers.get("Range")
        if wanted and handler.headers.get("If-Range") == tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.asked.append(f"resumed at {start}")
        handler.send_response(206 if start else 200)
        handler.send_header("ETag", tag)
        handler.send_header("Content-Length", str(len(data) - start))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        if fault in ("cut", "stall"):
            handler.wfile.write(data[start : len(data) // 2])
            start = len(data) // 2
        if fault == "stall":
            handler.wfile.flush()
            self.half.set()
            self.go_on.wait(120)
        if fault == "cut":
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


def named(begin: str, country: str) -> str:
    """A row of OpenNames: ten columns, many empty ones, the country."""
    return f"{begin}{',' * 20}{country},,,,\r\n"


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
        # As large as makes a download that has a middle: nothing of it is loaded.
        Doc__guide_dot_pdf=random.Random(1).randbytes(1 << 20),
        Data__HP40_dot_csv="\ufeff"
        + named("osgb1,http://x/1,Haroldswick,,,,populatedPlace,Village,463700,1212400", "Scotland")
        + named('osgb2,http://x/2,"Sound, The",eng,An Caol,gla,landform,Bay,463701,1212401', "S"),
        Data__TQ38_dot_csv=named(
            "osgb3,http://x/3,Bow,,,,populatedPlace,Suburban Area,536900,183000", "England"
        ).rstrip(),
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
        site.environment["TMPDIR"] = str(host(site, "one"))
        yield made
        made.go_on.set()
        server.shutdown()


def host(site: Site, name: str) -> Path:
    """What a host keeps."""
    folder = site.folder / name
    folder.mkdir(exist_ok=True)
    return folder


def awaited(check: Callable[[], Any]) -> Any:
    """What a check finds, as soon as it finds something."""
    deadline = time.monotonic() + 60
    while not (found := check()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def kill_half_way(site: Site, server: OsServer, product: str) -> tuple[int, Path]:
    """SIGKILL for a loader with half an archive: the file, and what is left of the download."""
    server.faults.append("stall")
    file = site.insert("os_opendata", data_set=product)
    task = site.start("os_opendata")
    assert server.half.wait(60)

    def half_is_here() -> list[Path]:
        found = host(site, "one").glob("locaria-downloads-*/*.zip")
        return [path for path in found if path.stat().st_size >= 1 << 18]

    left = awaited(half_is_here)[0]
    task.send_signal(signal.SIGKILL)
    task.wait()
    server.go_on.set()
    site.owner.execute("select set_config('locaria.fake_now', (now() + '1 hour')::text, false)")
    site.owner.execute("select locaria.tick()")
    site.owner.execute("select set_config('locaria.fake_now', '', false)")
    site.owner.execute("update locaria.files set run_after = now()")
    server.asked.clear()
    return file, left


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
    assert load(srs="EPSG:27700")
    assert not load(srs="EPSG:27700")
    assert load(force=True)
    site.execute("drop table open_names")
    assert load()
    server.products["OpenNames"] = Product(
        "CSV", "opname_csv_gb.zip", server.products["OpenNames"].content, "2024-07"
    )
    assert load()
    assert not load()


def test_a_broken_download_goes_on_where_it_broke(site: Site, server: OsServer) -> None:
    server.faults.append("cut")
    file = site.insert("os_opendata", data_set="OpenUPRN")
    site.drain("os_opendata")
    assert site.succeeded(file)
    half = len(server.products["OpenUPRN"].content) // 2
    assert f"resumed at {half}" in server.asked
    assert len(site.rows("open_uprn")) == 3000


def test_a_killed_download_goes_on_in_the_next_attempt(site: Site, server: OsServer) -> None:
    file, left = kill_half_way(site, server, "OpenNames")
    size = left.stat().st_size
    site.drain("os_opendata")
    assert site.succeeded(file)
    assert server.sent()[1:] == [f"resumed at {size}"]
    assert [row[2] for row in site.rows("open_names")] == ["Haroldswick", "Sound, The", "Bow"]
    assert not left.exists(), "nothing is kept of a load that is done"


def test_another_host_begins_again(site: Site, server: OsServer) -> None:
    file, _ = kill_half_way(site, server, "OpenNames")
    site.drain("os_opendata", TMPDIR=str(host(site, "two")))
    assert site.succeeded(file)
    assert server.sent() == ["/store/OpenNames?sig=secret-signature"]


def test_an_archive_that_changed_meanwhile_is_loaded_from_its_beginning(
    site: Site, server: OsServer
) -> None:
    server.announces = False
    file, left = kill_half_way(site, server, "OpenNames")
    changed = archive(
        Doc__OS_Open_Names_Header_dot_csv=NAMES_HEADER,
        Data__TQ38_dot_csv=named("1,http://x/1,Ely,,,,populatedPlace,City,55,28", "England"),
    )
    server.products["OpenNames"] = Product("CSV", "opname_csv_gb.zip", changed)
    site.drain("os_opendata")
    assert site.succeeded(file)
    assert server.sent() == ["/store/OpenNames?sig=secret-signature"], "not resumed"
    assert [row[2] for row in site.rows("open_names")] == ["Ely"]
    assert not left.exists()


def test_an_archive_that_had_come_is_not_fetched_again(site: Site, server: OsServer) -> None:
    file, left = kill_half_way(site, server, "OpenNames")
    left.write_bytes(server.products["OpenNames"].content)
    site.drain("os_opendata")
    assert site.succeeded(file)
    assert server.sent() == []


def test_of_two_files_that_want_the_same_one_waits_and_is_skipped(
    site: Site, server: OsServer
) -> None:
    server.faults.append("stall")
    files = [site.insert("os_opendata", data_set="OpenNames") for _ in range(2)]
    tasks = [site.start("os_opendata")]
    assert server.half.wait(60)
    tasks.append(site.start("os_opendata"))
    row = awaited(
        lambda: site.owner.execute(
            "select r.file_id, p.message from locaria.run_progress p"
            " join locaria.runs r on r.id = p.run_id where p.stage = 'wait' and p.message <> ''"
        ).fetchone()
    )
    server.go_on.set()
    for task in tasks:
        task.communicate(timeout=60)
    assert all(site.succeeded(file) for file in files)
    first = files[1] if row["file_id"] == files[0] else files[0]
    assert row["message"] == f"file {first} loads OpenNames"
    assert site.result(row["file_id"])["skipped"]
    assert "skipped" not in site.result(first)
    assert len(server.sent()) == 1


def test_a_busy_server_is_left_alone_for_as_long_as_it_says(site: Site, server: OsServer) -> None:
    server.faults += [(429, "1"), (503, "0")]
    file = site.insert("os_opendata", data_set="OpenUPRN")
    site.drain("os_opendata")
    assert site.succeeded(file)
    assert site.file(file)["attempts"] == 1

    server.api_faults.append((503, "7200"))
    closed = site.insert("os_opendata", data_set="OpenUSRN")
    site.drain("os_opendata")
    row = site.file(closed)
    assert row["status"] == "REGISTERED"
    assert "the server answered 503" in row["last_error"]
    waits = row["run_after"] - row["last_update"]
    assert 7000 < waits.total_seconds() <= 7200


def test_what_is_not_as_announced_is_not_loaded(site: Site, server: OsServer) -> None:
    server.wrong_md5 = True
    file = site.insert("os_opendata", data_set="OpenUPRN")
    unknown = site.insert("os_opendata", data_set="OpenEverything")
    several = site.insert("os_opendata", data_set=["OpenUPRN"])
    site.drain("os_opendata")
    assert "MD5" in site.error(file)
    assert site.file(file)["attempts"] == 3
    assert "one of OpenNames" in site.error(unknown)
    assert "one of OpenNames" in site.error(several)
    server.wrong_md5 = False
    server.faults += ["short"] * 3
    short = site.insert("os_opendata", data_set="OpenUPRN")
    site.drain("os_opendata")
    size = len(server.products["OpenUPRN"].content)
    assert f"has {size - 9:,} bytes, the API announced {size:,}" in site.error(short)
    uprn = {"format": "CSV", "area": "GB", "url": server.base, "fileName": "x"}
    for listed, words in (
        ({"message": "no"}, "OpenUPRN has another form"),
        ([{**uprn, "size": "many"}], "says that OpenUPRN has 'many' bytes"),
        ([{**uprn, "fileName": None, "url": "file:///etc/passwd"}], "no http(s) address"),
    ):
        server.listed = listed
        odd = site.insert("os_opendata", data_set="OpenUPRN")
        site.drain("os_opendata")
        assert words in site.error(odd)
    server.listed = None
    del server.products["OpenUSRN"]
    server.products["OpenNames"] = Product("CSV", "x.zip", archive(readme_dot_txt="hello"))
    gone = site.insert("os_opendata", data_set="OpenUSRN")
    scripts = site.insert("os_opendata", data_set="BoundaryLine", postSQL="nobody.sql")
    server.asked.clear()
    other = site.insert("os_opendata", data_set="OpenNames")
    site.drain("os_opendata")
    assert "404" in site.error(gone)
    assert 'there is no script "nobody.sql"' in site.error(scripts)
    assert server.sent() == ["/store/OpenNames?sig=secret-signature"], "no download for nothing"
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
    output = site.drain("os_opendata", LOCARIA_CREDENTIAL_OS="canary-key-4711")
    assert all(site.succeeded(file) for file in files)
    assert {key for where, key in server.keys if where == "downloads"} == {"canary-key-4711"}
    assert {key for where, key in server.keys if where == "store"} == {None}
    assert "no variable LOCARIA_CREDENTIAL_DSN" in site.error(missing)
    for table in ("files", "runs", "log_messages", "published_tables"):
        rows = site.owner.execute(f"select * from locaria.{table}").fetchall()
        output += json.dumps(rows, default=str)
    assert "canary-key-4711" not in output
    assert "secret-signature" not in output
