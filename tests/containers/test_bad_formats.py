"""What is wrong with a file of any format is said with its place, and the old table stays."""

import datetime
import gzip
import json
import lzma
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyogrio.raw
import pytest
import zstandard

from tests.containers.conftest import Loader
from tests.containers.test_formats import COUNTRIES, parquet, spatial, workbook, zipped
from tests.containers.test_sheets import ods, xls

FEATURE = '{"type": "Feature", "properties": {"a": "TEXT"}, "geometry": null}'
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


def far_moments(unit: str, moment: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        pq.write_table(
            pa.table({"t": pa.array([5, moment], pa.timestamp(unit))}), folder / "far.parquet"
        )
        return folder / "far.parquet"

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


def changed(make: Callable[[Path], Path], part: str, old: bytes, new: bytes) -> Any:
    """A document of several parts, with another text in one of them."""

    def rewrite(folder: Path) -> Path:
        source = make(folder)
        path = source.with_stem(f"{source.stem}_changed")
        with zipfile.ZipFile(source) as given, zipfile.ZipFile(path, "w") as made:
            for member in given.infolist():
                data = given.read(member)
                if member.filename == part:
                    assert old in data
                    data = data.replace(old, new, 1)
                made.writestr(member.filename, data, zipfile.ZIP_DEFLATED)
        return path

    return rewrite


def far_cell(name: bytes, cell: bytes = b'<c r="%b">') -> Any:
    row = b'<row r="%b">' + cell + b"<v>1</v></c></row></sheetData>"
    digits = re.sub(rb"[A-Z]", b"", name)
    return changed(sheet(["id"], [1]), SHEET, b"</sheetData>", row % (digits, name))


def nested_bomb(folder: Path) -> Path:
    """Each archive in it may be; all together are too large."""
    for number in range(3):
        text(f"{number}.csv", b"1,2\n" * 600_000)(folder)
        zipped(folder / f"{number}.zip", folder / f"{number}.csv")
    return zipped(folder / "bombs.zip", *sorted(folder.glob("?.zip")))


def gzip_of_gzip(folder: Path) -> Path:
    data = OLD.encode()
    for _ in range(4):
        data = gzip.compress(data)
    return zipped(folder / "deep.zip", text("deep.gz", data)(folder))


def overlapping(folder: Path) -> Path:
    """Five members that are the same bytes."""
    path = zipped(folder / "overlap.zip", text("a.csv", "1,2\n" * 1000)(folder))
    data = path.read_bytes()
    begin, end = data.rfind(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    entries = b"".join(data[begin:end].replace(b"a.csv", b"%c.csv" % (97 + n)) for n in range(5))
    tail = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 5, 5, len(entries), begin, 0)
    path.write_bytes(data[:begin] + entries + tail)
    return path


def many_members(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "many.zip", "w") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}.csv", "")
    return folder / "many.zip"


def tar_archive(folder: Path) -> Path:
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        archive.add(text("a.csv", OLD)(folder), "a.csv")
    return folder / "a.tar.gz"


def shapefile_without(*endings: str) -> Callable[[Path], Path]:
    """The countries of the world, whose names are in Latin-1."""

    def make(folder: Path) -> Path:
        kept = [each for each in COUNTRIES.parent.iterdir() if each.suffix not in endings]
        return zipped(folder / "part.zip", *sorted(kept))

    return make


def geodatabase(folder: Path) -> Path:
    path = spatial(folder / "cut.gdb", "OpenFileGDB")
    cut(path / "a00000009.gdbtable")
    return path


def mapinfo(ending: str, share: float) -> Callable[[Path], Path]:
    """The countries of the world as a table, of which one file is cut off or missing."""

    def make(folder: Path) -> Path:
        path = folder / "countries.tab"
        meta, _, shapes, values = pyogrio.raw.read(COUNTRIES, columns=["name"])
        pyogrio.raw.write(
            path,
            shapes,
            values,
            fields=meta["fields"],
            geometry_type="Unknown",
            crs=meta["crs"],
            driver="MapInfo File",
        )
        if share:
            cut(path.with_suffix(ending), share)
        else:
            path.with_suffix(ending).unlink()
        return path

    return make


def gml(feature: str, before: str = "") -> str:
    return (
        f"<?xml version='1.0'?>{before}"
        "<c:all xmlns:c='urn:c' xmlns:gml='http://www.opengis.net/gml'>"
        f"<gml:featureMember><c:place>{feature}</c:place></gml:featureMember></c:all>"
    )


SHEET = "xl/worksheets/sheet1.xml"
DTD = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
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
POINT = (
    "<c:at><gml:Point srsName='EPSG:27700'><gml:coordinates>1,2</gml:coordinates></gml:Point>"
    "</c:at><c:code>007</c:code>"
)


NO_CRS = "urn:ogc:def:crs:EPSG::99999"


def crs_member(name: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


def geoparquet(path: Path, about: dict[str, Any]) -> Path:
    geo = {"version": "1.1.0", "primary_column": "g", "columns": {"g": about}}
    table = pa.table({"g": [b"nonsense"]}).replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(table, path)
    return path


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
    "archives that are a bomb together": Bad(
        nested_bomb, r"bombs\.zip, member 2\.zip.* unpacks to more than 5,000,000 bytes"
    ),
    "gzip of gzip of gzip in a zip": Bad(gzip_of_gzip, "within archives"),
    "members that overlap": Bad(overlapping, "member 'b.csv': .*damaged"),
    "too many members": Bad(many_members, "has 10,001 members, 10,000 are allowed"),
    "a tar": Bad(tar_archive, "is a tar archive: of archives, zip is taken"),
    "a workbook that is a bomb": Bad(
        changed(sheet(["a"], [1]), SHEET, b"<sheetData>", b"<sheetData>" + b" " * 6_000_000),
        "unpacks to more than 5,000,000 bytes: refused as a bomb",
    ),
    "two cells in opposite corners": Bad(
        far_cell(b"XFD1048576"),
        "2|3 cells are spread over 1,048,576 rows and 16,384 columns: refused as a bomb",
    ),
    "a far cell that is written in an unusual way": Bad(
        far_cell(b"XFD1048576", b"<c\n t = 'n' r = '%b' >"), "1,048,576 rows and 16,384 col"
    ),
    "a cell that is far to the right": Bad(far_cell(b"ZZZ20000"), "20,000 rows and 18,278 col"),
    "a sheet with entities": Bad(
        changed(sheet(["a"], [1]), SHEET, b"<worksheet", DTD.encode() + b"<worksheet"),
        "a sheet has no DTD",
    ),
    "an .ods that is cut off": Bad(lambda f: cut(ods(f / "cut.ods")), "cut off or damaged"),
    "an .ods that is a bomb": Bad(
        lambda f: ods(
            f / "bomb.ods",
            change=("<table:table-row>", '<table:table-row table:number-rows-repeated="9000000">'),
        ),
        "16 cells are spread over 36,000,000 rows and 5 columns: refused as a bomb",
    ),
    "a shapefile without .shx": Bad(shapefile_without(".shx"), r"lowres\.shx, is missing"),
    "texts in an encoding that nothing tells": Bad(
        shapefile_without(".cpg"),
        r"feature 61, column 'name': b\"C\\xf4te d'Ivoire\" is no UTF-8.*attribute encoding",
    ),
    "a GeoJSON of a CRS that there is not": Bad(
        text("a.geojson", json.dumps({"crs": crs_member(NO_CRS), **GEOJSON})),
        "'urn:ogc:def:crs:EPSG::99999' is no known CRS",
    ),
    "a GML of a CRS that there is not": Bad(
        text("a.gml", gml(POINT.replace("27700", "99999"))), "'EPSG:99999' is no known CRS"
    ),
    "GML with entities": Bad(text("a.gml", gml(POINT, DTD)), "XML that defines entities"),
    "KML with entities": Bad(text("a.kml", f"{DTD}<kml></kml>"), "XML that defines entities"),
    "GPX without anything": Bad(
        text("a.gpx", "<gpx xmlns='http://www.topografix.com/GPX/1/1'></gpx>"),
        "has no feature in any of its 5 layers",
    ),
    "JSON that is too deep": Bad(
        text("a.json", '[{"a": 1},\n{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]"),
        "line 2: nested too deeply",
    ),
    "a number of 5,000 digits": Bad(
        text("a.json", f'[{{"a": {"9" * 5000}}}]'), "a number of more than 4,300 digits"
    ),
    "something behind an array": Bad(
        text("a.json", '[{"a": 1}]\n[{"a": 2}]'), "line 2: there is more behind the end"
    ),
    "geometries that are no WKB": Bad(
        lambda f: geoparquet(f / "a.parquet", {"encoding": "point"}), "only WKB is read"
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
    "a MapInfo table whose shapes are cut off": Bad(
        mapinfo(".map", 0.5), r"of 177 rows only \d+ can be read"
    ),
    "a MapInfo table whose values are cut off": Bad(
        mapinfo(".dat", 0.5), r"countries\.dat is cut off: it has [\d,]+ bytes"
    ),
    "a MapInfo table without its shapes": Bad(
        mapinfo(".map", 0), r"its shapes, countries\.map, are missing"
    ),
    "a geodatabase whose table is cut off": Bad(
        geodatabase, r"a00000009\.gdbtable is cut off: it has [\d,]+ bytes", {"allow_empty": True}
    ),
    "an .xls that is cut off": Bad(
        lambda f: cut(xls(f / "cut.xls"), 0.99), "is no spreadsheet, or is damaged"
    ),
    "a MIF of another name": Bad(
        text("a.txt", 'VERSION 300\nCharset "Neutral"\nColumns 1\n  a Integer\nData\n'),
        r"a\.txt is a MIF of MapInfo: name it \.mif",
    ),
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
    "JSON in Latin-1, by lines": Bad(
        text("a.ndjson", '{"a": "Zürich"}'.encode("latin-1")), "is not utf-8: byte 0xFC"
    ),
    "NUL in a GeoJSON": Bad(
        text("a.geojson", '{"type": "FeatureCollection", "features": [\n'
             + FEATURE.replace("TEXT", r"\\\u0000y") + "]}"),
        r"line 2, at offset 87: \\u0000 in a text",
    ),
    "NUL in a GeoJSONSeq": Bad(
        text("a.geojsonl", FEATURE + "\n" + FEATURE.replace("TEXT", r"\u0000")),
        r"a\.geojsonl, line 2, at offset .*: \\u0000",
    ),
    "a year that Postgres has not": Bad(
        far_moments("us", -(2**60)),
        r'row 2: column "t", value .timestamp\[us\] -1152921504606846976',
        {"reject_limit": 0},
    ),
    "a year beyond microseconds": Bad(
        far_moments("ms", 2**54), "column 't': .*out of bounds timestamp: 18014398509481984"
    ),
    "a year before all": Bad(far_moments("us", -(2**63)), "none that Postgres has: .*Underflow"),
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
    "a type of no column": Bad(
        text("a.csv", OLD),
        r"attribute types: a\.csv has no column 'nr'; it has 'id', 'name'",
        {"types": {"nr": "int"}},
    ),
    "a limit that is no number": Bad(
        text("a.csv", OLD), "attribute reject_limit: 'none' is given", {"reject_limit": "none"}
    ),
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
    lines[7000] = '{"a": 1, "b": ' + "[" * 100_000 + "}"
    lines[8000] = '{"a": 1, "b": "\\ud800"}'
    lines[11_999] = "oops"
    file = loader.load("\n".join(lines), "lines.ndjson")
    odd = loader.insert(odd_parquet(loader.folder))
    loader.drain()
    assert loader.succeeded(file)
    assert len(loader.rows("lines")) == 11_995
    assert [line for line, _ in loader.rejects(file)] == [8, 6001, 7001, 8001, 12_000]
    assert loader.rejects(file)[2:4] == [
        (7001, "row 7,001: no JSON: nested too deeply"),
        (8001, "row 8,001: half a character (surrogate): surrogates not allowed"),
    ]
    assert loader.rejects(file)[0][1].startswith("row 8: no JSON: Expecting value at character 16")
    assert loader.succeeded(odd)
    assert [row[1] for row in loader.rows("odd")] == [1, 3]
    assert 'row 2: column "s", value' in loader.rejects(odd)[0][1]


def test_dates_of_three_kinds_stay_text(loader: Loader) -> None:
    as_csv = loader.load("d\n2024-01-02\n02.01.2024\n01/02/2024\n", "dates.csv", header=True)
    path = sheet(["d"], [datetime.date(2024, 1, 2)], ["02.01.2024"], [45293])(loader.folder)
    as_sheet = loader.insert(path, header=True)
    as_dates = loader.insert(loader.folder / "dates.csv", table="forced", types={"d": "date"})
    loader.drain()
    assert loader.succeeded(as_dates)
    assert loader.rows("forced") == [(datetime.date(2024, 1, 2),)]
    assert loader.rejects(as_dates) == [
        (3, 'column "d": date/time field value out of range: "02.01.2024"'),
        (4, 'column "d": date/time field value out of range: "01/02/2024"'),
    ]
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
