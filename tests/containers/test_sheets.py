"""Spreadsheets of the older kinds, merged cells, formulas, cells that hold errors."""

import datetime
import zipfile
from pathlib import Path

import openpyxl
import xlwt

from tests.containers.conftest import Loader

OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
HEADER = ["code", "count", "sum", "day", "region"]
ROWS = [
    ("007", 1, 2.5, datetime.date(2024, 1, 2), "North"),
    ("+49", 2, 3.5, datetime.date(1999, 12, 31), "North"),
    ("x & y", -3, None, None, None),
]


def xls(path: Path) -> Path:
    """ROWS in Excel's old format; `region` is one merged cell."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Sales")
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for column, name in enumerate(HEADER):
        sheet.write(0, column, name)
    for at, row in enumerate(ROWS, start=1):
        for column, value in enumerate(row[:4]):
            if value is not None:
                style = day if column == 3 else xlwt.Style.default_style
                sheet.write(at, column, value, style)
    sheet.write_merge(1, 2, 4, 4, "North")
    book.save(str(path))
    return path


def ods(path: Path) -> Path:
    """ROWS as OpenDocument; `sum` are formulas with their values, `region` is one merged cell."""

    def text(value: str, more: str = "") -> str:
        shown = value.replace("&", "&amp;")
        opening = f'<table:table-cell office:value-type="string"{more}>'
        return f"{opening}<text:p>{shown}</text:p></table:table-cell>"

    def number(value: float | None, more: str = "") -> str:
        if value is None:
            return "<table:table-cell/>"
        return f'<table:table-cell office:value-type="float" office:value="{value}"{more}/>'

    def date(value: datetime.date | None) -> str:
        if value is None:
            return "<table:table-cell/>"
        return f'<table:table-cell office:value-type="date" office:date-value="{value}"/>'

    spanned = ' table:number-rows-spanned="2" table:number-columns-spanned="1"'
    regions = [text("North", spanned), "<table:covered-table-cell/>", "<table:table-cell/>"]
    rows = ["".join(map(text, HEADER))]
    for (code, count, total, day, _), region in zip(ROWS, regions, strict=True):
        formula = ' table:formula="of:=[.B2]+1.5"'
        rows.append(text(code) + number(count) + number(total, formula) + date(day) + region)
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    spaces = "".join(f' xmlns:{n}="{OFFICE}:{n}:1.0"' for n in ("office", "table", "text"))
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content{spaces}><office:body>'
        f'<office:spreadsheet><table:table table:name="Sales">{table}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    entry = '<manifest:file-entry manifest:full-path="{}" manifest:media-type="{}"/>'
    manifest = (
        f'<manifest:manifest xmlns:manifest="{OFFICE}:manifest:1.0">'
        f"{entry.format('/', kind)}{entry.format('content.xml', 'text/xml')}</manifest:manifest>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", manifest)
    return path


def with_errors(path: Path) -> Path:
    """A column of numbers, with two errors among them, behind more rows than are read at once."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["id", "rate", "mixed"])
    for n in range(2, 12_002):
        sheet.append([n, n / 2, n if n < 9_000 else f"from {n}"])
    sheet["B10001"] = "#DIV/0!"
    sheet["B10002"] = "#N/A"
    assert sheet["B10001"].data_type == "e"
    book.save(path)
    return path


def test_xls_and_ods_hold_what_they_show(loader: Loader) -> None:
    files = {
        "old": loader.insert(xls(loader.folder / "old.xls")),
        "open": loader.insert(ods(loader.folder / "open.ods")),
        # By content, whatever the name says.
        "misnamed": loader.insert(xls(loader.folder / "misnamed.xlsx")),
    }
    loader.drain()
    for table, file in files.items():
        assert loader.succeeded(file), table
        types = ["text", "integer", "double precision", "date", "text"]
        assert loader.types(table) == dict(zip(HEADER, types, strict=True)), table
        found = loader.rows(table)
        if table == "open":
            # OpenDocument's merged ranges are not told by the reader: the first cell has the value.
            assert found == [ROWS[0], (*ROWS[1][:4], None), ROWS[2]]
        else:
            assert found == ROWS, table
            assert "1 merged ranges" in loader.result(file)["notes"][0]


def test_cells_that_hold_errors_become_null_and_are_told(loader: Loader) -> None:
    file = loader.insert(with_errors(loader.folder / "errors.xlsx"))
    loader.drain()
    assert loader.succeeded(file)
    assert loader.types("errors") == {"id": "integer", "rate": "double precision", "mixed": "text"}
    found = {row[0]: row[1:] for row in loader.rows("errors")}
    assert len(found) == 12_000
    assert {n for n, (rate, _) in found.items() if rate is None} == {10_001, 10_002}
    assert all(rate == n / 2 for n, (rate, _) in found.items() if rate is not None)
    assert found[8_999][1] == "8999"
    assert found[9_000][1] == "from 9000"
    assert loader.result(file)["notes"] == [
        "2 cells hold errors and become NULL; the first is B10001: #DIV/0!"
    ]
