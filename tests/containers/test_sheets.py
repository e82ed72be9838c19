"""Spreadsheets of the older kinds, merged cells, formulas, cells that hold errors."""

import datetime
import zipfile
from pathlib import Path

import openpyxl
import xlsxwriter
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


def ods(path: Path, between: str = "", change: tuple[str, str] = ("", "")) -> Path:
    """ROWS as OpenDocument; `sum` are formulas with their values, `region` is one merged cell.

    `between` stands between elements as GDAL writes line ends; of `change` the first text in the
    content becomes the second.
    """

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
    spaces += ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc"'
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content{spaces}><office:body>'
        f'<office:spreadsheet><table:table table:name="Sales">{table}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    content = content.replace(*change) if change[0] else content
    content = content.replace("><table:", f">{between}<table:").replace(
        "</text:p><", f"</text:p>{between}<"
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
        "lines": loader.insert(ods(loader.folder / "lines.ods", "\n  ")),
        # By content, whatever the name says.
        "misnamed": loader.insert(xls(loader.folder / "misnamed.xlsx")),
        "unnamed": loader.insert(ods(loader.folder / "unnamed")),
    }
    loader.drain()
    for table, file in files.items():
        assert loader.succeeded(file), table
        types = ["text", "integer", "double precision", "date", "text"]
        assert loader.types(table) == dict(zip(HEADER, types, strict=True)), table
        assert loader.rows(table) == ROWS, table
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


def test_errors_and_formulas_of_an_opendocument_are_told(loader: Loader) -> None:
    two = 'office:value-type="float" office:value="2.5" table:formula="of:=[.B2]+1.5"/>'
    wrong = (
        'table:formula="of:=1/0" office:value-type="string" office:string-value=""'
        ' calcext:value-type="error"/>'
    )
    error = ods(loader.folder / "error.ods", change=(two, wrong))
    empty = ods(loader.folder / "empty.ods", change=(two, 'table:formula="of:=[.B2]"/>'))
    files = loader.insert(error), loader.insert(empty, table="empty")
    loader.drain()
    assert loader.succeeded(files[0])
    assert [row[2] for row in loader.rows("error")] == [None, 3.5, None]
    assert (
        "1 cells hold errors and become NULL; the first is C2" in (loader.result(files[0])["notes"])
    )
    assert "cell C2: a formula whose value was not stored" in (loader.file(files[1])["last_error"])


def test_a_table_may_begin_anywhere_in_its_sheet(loader: Loader) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row, cells in enumerate([("id", "name"), (1, "one"), (2, "two")], start=5):
        for column, cell in enumerate(cells, start=4):
            sheet.cell(row, column, cell)
    sheet.merge_cells("E6:E7")
    book.save(loader.folder / "off.xlsx")
    files = [
        loader.insert(loader.folder / "off.xlsx"),
        loader.insert(loader.folder / "off.xlsx", table="told", header_row=5),
    ]
    loader.drain()
    for file, table in zip(files, ("off", "told"), strict=True):
        assert loader.succeeded(file)
        assert loader.rows(table) == [(1, "one"), (2, "one")]


def test_days_count_from_1904_where_the_workbook_says_so(loader: Loader) -> None:
    files = {}
    for name, first in (("since_1900", False), ("since_1904", True)):
        book = xlsxwriter.Workbook(loader.folder / f"{name}.xlsx", {"date_1904": first})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["d", "n"])
        sheet.write_datetime(1, 0, datetime.datetime(2024, 2, 29), day)
        sheet.write_number(1, 1, 1)
        book.close()
        files[name] = loader.insert(loader.folder / f"{name}.xlsx")
    loader.drain()
    for name, file in files.items():
        assert loader.succeeded(file)
        assert loader.rows(name) == [(datetime.date(2024, 2, 29), 1)]
