"""What is wrong with a file of any format is said with its place, and the old table stays."""

import datetime
import gzip
import json
import lzma
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.containers.conftest import Loader
from tests.containers.test_formats import parquet, spatial, workbook, zipped

OLD = "id,name\n1,old\n"
VRT = (
    '<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource>'
    "</OGRVRTLayer></OGRVRTDataSource>"
)


@dataclass
class Bad:
    """How the file is made, and what last_error must say (a regular expression)."""

    make: Callable[[Path], Path]
    error: str
    attributes: dict[str, Any] = field(default_factory=dict)


def cut(path: Path, share: float = 0.6) -> Path:
    """The beginning of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def text(name: str, content: str | bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def cut_zip(folder: Path) -> Path:
    inner = text("long.csv", "".join(f"{n},{n * 7919 % 10007}\n" for n in range(20_000)))(folder)
    return cut(zipped(folder / "cut.zip", inner))


def flipped_zip(folder: Path) -> Path:
    inner = text("long.csv", "".join(f"{n},{n * 7919 % 10007}\n" for n in range(20_000)))(folder)
    path = zipped(folder / "flipped.zip", inner)
    data = bytearray(path.read_bytes())
    data[5000] ^= 0xFF
    path.write_bytes(data)
    return path


def with_member(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "evil.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, OLD)
        return path

    return make


def with_link(folder: Path) -> Path:
    path = folder / "link.zip"
    info = zipfile.ZipInfo("a.csv")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return path


def bomb(folder: Path) -> Path:
    path = folder / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"1,2\n" * 3_000_000)
    return path


def lying_bomb(folder: Path) -> Path:
    """Its directory says that it holds 100 bytes."""
    path = bomb(folder)
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    return path


def nested(folder: Path) -> Path:
    path = text("a.csv", OLD)(folder)
    for number in range(4):
        path = zipped(folder / f"nested{number}.zip", path)
    return path


def sheet(*rows: list[Any], merge: str | None = None) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        book = openpyxl.Workbook()
        page = book.active
        assert page is not None
        for row in rows:
            page.append(row)
        if merge:
            page.merge_cells(merge)
        book.save(folder / "sheet.xlsx")
        return folder / "sheet.xlsx"

    return make


def packed(name: str, data: bytes) -> Callable[[Path], Path]:
    return text(name, data[: len(data) - 9])


def odd_parquet(folder: Path) -> Path:
    path = folder / "odd.parquet"
    pq.write_table(pa.table({"s": pa.array(["a", "b\0c", "d"]), "n": [1, 2, 3]}), path)
    return path


LINES = "".join(f"{n},{n * 7919 % 10007}\n" for n in range(20_000)).encode()
GEOJSON = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"a": n},
            "geometry": {"type": "Point", "coordinates": [n, 1]},
        }
        for n in range(50)
    ],
}
LIMIT = {"limit": True}

BAD: dict[str, Bad] = {
    "a zip that is cut off": Bad(cut_zip, r"cut\.zip: the zip archive is cut off or damaged"),
    "a zip with a damaged member": Bad(
        flipped_zip, r"flipped\.zip, member 'long\.csv': the zip archive is cut off or damaged"
    ),
    "a zip that leads out": Bad(with_member("../a.csv"), r"member '\.\./a\.csv' leads out"),
    "a zip from the root": Bad(with_member("/etc/a.csv"), "leads out of the archive"),
    "a zip with a link": Bad(with_link, r"member 'a\.csv' is not a regular file"),
    "a bomb": Bad(bomb, r"bomb\.zip unpacks to more than 5,000,000 bytes: refused as a bomb"),
    "a bomb that lies": Bad(lying_bomb, "damaged|refused as a bomb"),
    "a bomb of gzip": Bad(text("b.csv.gz", gzip.compress(b"1,2\n" * 3_000_000)), "as a bomb"),
    "archives in archives": Bad(nested, "archives within archives within archives"),
    "an empty zip": Bad(lambda f: zipped(f / "empty.zip"), "holds no file that is loaded"),
    "xz that is cut off": Bad(packed("a.csv.xz", lzma.compress(LINES)), "xz data end early"),
    "zstd that is cut off": Bad(
        packed("a.csv.zst", zstandard.ZstdCompressor().compress(LINES)),
        "zstd data end early",
    ),
    "a GeoPackage that is cut off": Bad(
        lambda f: cut(spatial(f / "cut.gpkg", "GPKG", layer="a")),
        r"cut\.gpkg.* can't be read|cut off",
    ),
    "a shapefile without its index": Bad(
        lambda f: cut(spatial(f / "cut.shp", "ESRI Shapefile"), 0.7), "cut off|can't be read"
    ),
    "a GeoJSON that is cut off": Bad(
        text("cut.geojson", json.dumps(GEOJSON)[:2000]), r"cut\.geojson can't be read"
    ),
    "GML that is cut off": Bad(
        lambda f: cut(spatial(f / "cut.gml", "GML"), 0.8), r"cut\.gml.*(can't be read|cut off)"
    ),
    "lines of GeoJSON that are cut off": Bad(
        lambda f: cut(spatial(f / "cut.geojsonl", "GeoJSONSeq"), 0.9), r"line 3: no JSON"
    ),
    "a FlatGeobuf that is cut off": Bad(
        lambda f: cut(
            spatial(f / "cut.fgb", "FlatGeobuf", layer_options={"SPATIAL_INDEX": "NO"}), 0.9
        ),
        "can't be read|cut off",
    ),
    "a Parquet that is cut off": Bad(
        lambda f: cut(parquet(f / "cut.parquet")), "Parquet data is damaged or cut off"
    ),
    "a workbook that is cut off": Bad(
        lambda f: cut(workbook(f / "cut.xlsx")), "the zip archive is cut off or damaged"
    ),
    "no such layer": Bad(
        lambda f: spatial(f / "a.gpkg", "GPKG", layer="roads"),
        "has no layer 'rivers'; it has 'roads'",
        {"layers": ["rivers"]},
    ),
    "no such sheet": Bad(lambda f: workbook(f / "a.xlsx"), "no sheet 'Q3'", {"layers": "Q3"}),
    "a title over a sheet": Bad(
        sheet(["Sales 2024", None, None], ["id", "n", "x"], [1, 2, 3], merge="A1:C1"),
        r"sheet 'Sheet': in row 1 the cells A1:C1 are merged \('Sales 2024'\): .*header_row",
        {"header": True},
    ),
    "a formula without its value": Bad(
        sheet(["id", "sum"], [1, 2], [2, "=A2+B2"]), "cell B3: a formula whose value was not stored"
    ),
    "an empty workbook": Bad(sheet(), "no sheet holds anything"),
    "a VRT": Bad(text("a.vrt", VRT), "XML of a kind that is not loaded"),
    "a VRT that says it is GML": Bad(
        text("a.gml", f"<!-- http://www.opengis.net/gml -->{VRT}"), "has no layer|not loaded"
    ),
    "another XML": Bad(text("a.xml", "<?xml version='1.0'?><rss><a/></rss>"), r"\(<rss>\)"),
    "an array that does not end": Bad(
        text("a.json", '[{"a": 1},\n{"a": 2},\n'), r"line 3: the array does not end"
    ),
    "a broken array": Bad(text("a.json", '[{"a": 1},\n{"a": oops}]'), "line 2: Expecting value"),
    "an array of numbers": Bad(text("a.json", "[1, 2]"), "its array holds no objects"),
    "JSON in Latin-1": Bad(
        text("a.json", '[{"a": "Zürich"}]'.encode("latin-1")), "byte 0xFC at offset 9"
    ),
    "NUL in a Parquet": Bad(
        odd_parquet,
        r'row 2: column "s", value .*: invalid byte sequence',
        {"reject_limit": 0},
    ),
    "a key that is there twice": Bad(
        text("twice.csv", "id\n1\n1\n"), r"key: .*more than once: Key \(id\)=\(1\)", {"key": "id"}
    ),
    "a key of no column": Bad(text("a.csv", OLD), 'key: there is no column "nr"', {"key": "nr"}),
    "an index of no column": Bad(text("a.csv", OLD), 'no column "nr"', {"index": ["nr"]}),
    "merge without a key": Bad(text("a.csv", OLD), "attribute key", {"mode": "merge"}),
    "no such script": Bad(text("a.csv", OLD), 'no script "clean"', {"preSQL": ["clean"]}),
}  # fmt: skip


def test_bad_files_of_every_format_are_told_and_leave_the_table_alone(loader: Loader) -> None:
    assert loader.succeeded(loader.load(OLD, "kept.csv"))
    files: dict[str, int] = {}
    for number, (name, bad) in enumerate(BAD.items()):
        folder = loader.folder / str(number)
        folder.mkdir()
        files[name] = loader.insert(bad.make(folder), **{"table": "kept", **bad.attributes})
    loader.drain(LOCARIA_UNPACKED_BYTES="5000000")
    wrong = []
    for name, bad in BAD.items():
        row = loader.file(files[name])
        if row["status"] != "ERROR" or not re.search(bad.error, row["last_error"] or ""):
            wrong.append((name, row["status"], row["last_error"]))
        elif row["attempts"] != 1:
            wrong.append((name, "attempts", row["attempts"]))
    assert not wrong
    assert loader.rows("kept") == [(1, "old")]
    tables = loader.owner.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    ).fetchall()
    assert [table["relname"] for table in tables] == ["kept"]


def test_broken_lines_and_values_are_set_aside_with_their_place(loader: Loader) -> None:
    lines = [json.dumps({"a": n, "b": "x"}) for n in range(12_000)]
    lines[7] = '{"a": 7, "b": '
    lines[6000] = "[1]"
    lines[11_999] = "oops"
    file = loader.load("\n".join(lines), "lines.ndjson")
    odd = loader.insert(odd_parquet(loader.folder))
    loader.drain()
    assert loader.succeeded(file)
    assert len(loader.rows("lines")) == 11_997
    assert [line for line, _ in loader.rejects(file)] == [8, 6001, 12_000]
    assert loader.rejects(file)[0][1].startswith("row 8: no JSON: Expecting value at character 16")
    assert loader.succeeded(odd)
    assert [row[1] for row in loader.rows("odd")] == [1, 3]
    assert 'row 2: column "s", value' in loader.rejects(odd)[0][1]


def test_dates_of_three_kinds_stay_text(loader: Loader) -> None:
    as_csv = loader.load("d\n2024-01-02\n02.01.2024\n01/02/2024\n", "dates.csv", header=True)
    path = sheet(["d"], [datetime.date(2024, 1, 2)], ["02.01.2024"], [45293])(loader.folder)
    as_sheet = loader.insert(path, header=True)
    loader.drain()
    assert loader.succeeded(as_csv)
    assert loader.rows("dates") == [("2024-01-02",), ("02.01.2024",), ("01/02/2024",)]
    assert loader.succeeded(as_sheet)
    assert loader.rows("sheet") == [("2024-01-02",), ("02.01.2024",), ("45293",)]


@pytest.mark.parametrize(
    "attributes",
    [
        {"credentials": {"environment": "MAPS"}},
        {"credentials": {"secret": "maps/token"}},
        {"credentials": {"secret": "not/there"}},
        {},
    ],
)
def test_credentials_come_from_where_they_are_kept_and_stand_nowhere(
    loader: Loader, secrets: dict[str, str], attributes: dict[str, Any]
) -> None:
    import http.server  # noqa: PLC0415
    import threading  # noqa: PLC0415

    asked: list[str | None] = []

    class Guarded(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization"))
            allowed = asked[-1] == "Bearer canary-token-1234"
            self.send_response(200 if allowed else 401)
            self.end_headers()
            self.wfile.write(OLD.encode() if allowed else b"no")

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/places.csv"
        file = loader.insert(url, **attributes)
        output = loader.drain(
            LOCARIA_FETCH_PRIVATE="1", LOCARIA_CREDENTIAL_MAPS="canary-token-1234", **secrets
        )
        server.shutdown()
    if attributes == {"credentials": {"secret": "not/there"}}:
        assert (
            "secret 'not/there' can't be read: ResourceNotFoundException"
            in loader.file(file)["last_error"]
        )
        assert asked == []
    elif attributes:
        assert loader.succeeded(file)
    else:
        assert "401" in loader.file(file)["last_error"]
    assert "canary" not in output
