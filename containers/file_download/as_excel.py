"""Excel, one sheet a table, written row by row."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
from psycopg import sql
from relation import SPATIAL, Column, Relation
from snapshot import Snapshot

from locaria_reporter import Fatal

# Limits of the format: "Excel specifications and limits" (Microsoft).
_MOST_ROWS = 1_048_576
_MOST_COLUMNS = 16_384
_LONGEST_TEXT = 32_767
_LONGEST_SHEET_NAME = 31
_EXACT_DIGITS = 15
_NO_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
_FIRST_DAY = date(1900, 3, 1)  # before it Excel's days are off by one
_KEPT = (
    "boolean",
    "smallint",
    "integer",
    "bigint",
    "real",
    "double precision",
    "numeric",
    "date",
    "timestamp without time zone",
)


class _Exact(float):
    """A float that is written with all its digits: XlsxWriter would write 16 of them."""

    def __format__(self, spec: str) -> str:
        return repr(float(self))


class ExcelFile:
    """A workbook in the making.

    Args:
        path: of the file.
        folder: for what waits on the disk until the workbook is closed.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        options = {"constant_memory": True, "tmpdir": str(folder), "default_date_format": "General"}
        self._book = xlsxwriter.Workbook(str(path), options)
        self._book.use_zip64()
        self._formats = {
            "date": self._book.add_format({"num_format": "yyyy-mm-dd"}),
            "timestamp": self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            "header": self._book.add_format({"bold": True}),
        }
        self._sheets: set[str] = set()

    def add(self, snapshot: Snapshot, relation: Relation) -> None:
        """Add a table as a sheet.

        Raises:
            Fatal: a sheet has no room for it.
        """
        if len(relation.columns) > _MOST_COLUMNS:
            raise Fatal(
                f"{len(relation.columns):,} columns: a sheet takes {_MOST_COLUMNS:,}", kind="data"
            )
        sheet = self._book.add_worksheet(self._sheet_name(relation.label))
        sheet.freeze_panes(1, 0)
        for number, column in enumerate(relation.columns):
            sheet.write_string(0, number, _text(column.name, column), self._formats["header"])
        at = 0
        for rows in snapshot.read(relation, lambda c: _express(c, relation)):
            if at + len(rows) >= _MOST_ROWS:
                raise Fatal(
                    f"{relation.label} has more than the {_MOST_ROWS - 1:,} rows that a sheet "
                    "takes: narrow the filter, or download as csv or parquet",
                    kind="data",
                )
            for row in rows:
                at += 1
                for number, value in enumerate(row):
                    if value is not None:
                        self._write(sheet, at, number, value, relation.columns[number])

    def close(self) -> None:
        """Write the file."""
        self._book.close()

    def _write(self, sheet: Any, row: int, number: int, value: Any, column: Column) -> None:
        if isinstance(value, bool):
            sheet.write_boolean(row, number, value)
        elif isinstance(value, float) and math.isfinite(value):
            sheet.write_number(row, number, _Exact(value))
        elif isinstance(value, int | Decimal) and _is_exact(value):
            sheet.write_number(row, number, value)
        elif isinstance(value, datetime) and _is_exact_time(value):
            sheet.write_datetime(row, number, value, self._formats["timestamp"])
        elif isinstance(value, date) and not isinstance(value, datetime) and value >= _FIRST_DAY:
            sheet.write_datetime(
                row, number, datetime.combine(value, time()), self._formats["date"]
            )
        else:
            sheet.write_string(row, number, _text(str(value), column))

    def _sheet_name(self, label: str) -> str:
        plain = _NO_SHEET_NAME.sub("_", label).strip("'")[:_LONGEST_SHEET_NAME] or "Sheet"
        name, number = plain, 1
        while name.lower() in self._sheets or name.lower() == "history":
            number += 1
            name = f"{plain[: _LONGEST_SHEET_NAME - 4]}_{number}"
        self._sheets.add(name.lower())
        return name


def _express(column: Column, relation: Relation) -> sql.Composable:
    if column.plain in SPATIAL and relation.postgis is not None:
        function = sql.Identifier(relation.postgis, "st_astext")
        return sql.SQL("{}({})").format(function, column.identifier)
    if column.plain in _KEPT:
        return column.identifier
    return sql.SQL("cast({} as text)").format(column.identifier)


def _is_exact_time(value: datetime) -> bool:
    """Whether a day and its fraction, in milliseconds, are the same."""
    return value.date() >= _FIRST_DAY and value.microsecond % 1000 == 0


def _is_exact(value: int | Decimal) -> bool:
    """Whether Excel, which keeps 15 digits, shows the same number."""
    if isinstance(value, int):
        return len(str(abs(value))) <= _EXACT_DIGITS
    digits = value.as_tuple().digits
    return value.is_finite() and len(digits) <= _EXACT_DIGITS


def _text(text: str, column: Column) -> str:
    if len(text) > _LONGEST_TEXT:
        raise Fatal(
            f'column "{column.name}" has a text of {len(text):,} characters, a cell has room for '
            f"{_LONGEST_TEXT:,}: leave it out, or download as csv",
            kind="data",
        )
    return text
