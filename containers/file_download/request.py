"""What a file's attributes ask for, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from locaria_reporter import Fatal

FORMATS = ("csv", "xlsx", "geojson", "gpkg", "parquet", "shapefile")
_OTHER_NAMES = {"excel": "xlsx", "geopackage": "gpkg", "shp": "shapefile", "json": "geojson"}
_OPERATORS = {
    "=": "=",
    "!=": "<>",
    "<>": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "like": "like",
    "ilike": "ilike",
    "in": "in",
    "not in": "not in",
    "between": "between",
    "is null": "is null",
    "is not null": "is not null",
    "intersects": "intersects",
}
_WITHOUT_VALUE = ("is null", "is not null")
_MOST_TABLES = 100
_MOST_VALUES = 10_000
_LONGEST_LINK = 7 * 24 * 3600


@dataclass(frozen=True)
class Condition:
    """One condition that a row must meet; conditions are joined by AND.

    Attributes:
        operator: one of the operators above; each is a word of ours, never a client's text.
        values: as text; cast to the column's type by the database.
    """

    column: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """The attributes of a file, checked.

    Attributes:
        tables: 'table' or 'schema.table', taken literally.
        columns: those wanted, in this order; None: all.
        order_by: (column, descending).
        geometry: the geometry column, where there are several.
        srs: what the coordinates of WKB are, where nobody knows: 'EPSG:27700'.
        name: of the file that comes out, without its ending.
        delimiter, header, null: of CSV.
        expires: how long the link shall work.
    """

    tables: tuple[str, ...]
    format: str = "csv"
    columns: tuple[str, ...] | None = None
    filter: tuple[Condition, ...] = ()
    order_by: tuple[tuple[str, bool], ...] = ()
    limit: int | None = None
    geometry: str | None = None
    srs: str | None = None
    name: str | None = None
    delimiter: str = ","
    header: bool = True
    null: str = ""
    expires: timedelta = timedelta(seconds=_LONGEST_LINK)

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Request:
        """The request in a run's parameters; null, "" and [] mean: not given.

        Raises:
            Fatal: an attribute is missing or makes no sense; the text says which and what may be.
        """
        given = {k: v for k, v in parameters.items() if v is not None and v not in ("", [], {})}
        return cls(
            tables=_tables(given),
            format=_format(given),
            columns=_names(given, "columns") or None,
            filter=_filter(given),
            order_by=tuple(
                (name.removeprefix("-"), name.startswith("-")) for name in _names(given, "order_by")
            ),
            limit=_whole_number(given, "limit", 0, 10**15),
            geometry=_text(given, "geometry"),
            srs=_srs(given),
            name=_text(given, "name"),
            delimiter=_delimiter(given),
            header=_flag(given, "header", True),
            null=_null(parameters),
            expires=timedelta(
                seconds=_whole_number(given, "expires", 1, _LONGEST_LINK) or _LONGEST_LINK
            ),
        )


def wrong(name: str, value: Any, wanted: str) -> Fatal:
    """The error for an attribute that makes no sense."""
    return Fatal(f"attribute {name}: {value!r} is given, {wanted} is needed", kind="data")


def _tables(given: Mapping[str, Any]) -> tuple[str, ...]:
    tables = _names(given, "tables")
    single = _text(given, "table")
    wanted = tuple(dict.fromkeys(([single] if single else []) + list(tables)))
    if not wanted:
        raise Fatal(
            "attribute table is missing: the table or view to download, or tables for several",
            kind="data",
        )
    if len(wanted) > _MOST_TABLES:
        raise wrong("tables", f"{len(wanted)} tables", f"at most {_MOST_TABLES}")
    return wanted


def _format(given: Mapping[str, Any]) -> str:
    asked = str(given.get("format", "csv")).lower().removeprefix(".")
    found = _OTHER_NAMES.get(asked, asked)
    if found not in FORMATS:
        raise wrong("format", given["format"], f"one of {', '.join(FORMATS)}")
    return found


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and (not isinstance(value, str) or "\0" in value):
        raise wrong(name, value, "a text")
    return value


def _srs(given: Mapping[str, Any]) -> str | None:
    value = given.get("srs")
    text = f"EPSG:{value}" if isinstance(value, int) else str(value or "").upper()
    number = text.removeprefix("EPSG:")
    if value is not None and not (number.isdecimal() and 0 < int(number) < 1_000_000):
        raise wrong("srs", value, 'a number of EPSG, like "EPSG:27700",')
    return f"EPSG:{number}" if number else None


def _names(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = given.get(name, [])
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(
        isinstance(each, str) and each and "\0" not in each for each in value
    ):
        raise wrong(name, value, "a list of names")
    return tuple(dict.fromkeys(value))


def _whole_number(given: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise wrong(name, value, f"a whole number from {least} to {most:,}")
    return value


def _flag(given: Mapping[str, Any], name: str, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise wrong(name, value, "true or false")
    return value


def _delimiter(given: Mapping[str, Any]) -> str:
    value = given.get("delimiter", ",")
    value = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(value, value)
    if not isinstance(value, str) or len(value) != 1 or not "\t" <= value < "\x7f":
        raise wrong("delimiter", value, 'one ASCII character, or "tab",')
    if value in '\r\n"' or value.isalnum():
        raise wrong("delimiter", value, "another character")
    return value


def _null(parameters: Mapping[str, Any]) -> str:
    value = parameters.get("null") or ""
    if not isinstance(value, str) or any(c in value for c in '\r\n\0"'):
        raise wrong("null", value, "a text without quotes and line ends")
    return value


def _filter(given: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Out of {"column": value, …} or [{"column", "operator", "value"}, …]."""
    value = given.get("filter", [])
    if isinstance(value, dict):
        value = [{"column": column, "value": wanted} for column, wanted in value.items()]
    if not isinstance(value, list):
        raise wrong("filter", value, 'a list of {"column": …, "operator": …, "value": …}')
    return tuple(_condition(each) for each in value)


def _condition(given: Any) -> Condition:
    if not isinstance(given, dict) or not isinstance(given.get("column"), str):
        raise wrong("filter", given, '{"column": …, "operator": …, "value": …}')
    unknown = given.keys() - {"column", "operator", "value"}
    if unknown:
        raise wrong("filter", given, f"column, operator and value, and no {min(unknown)!r},")
    value = given.get("value")
    usual = "in" if isinstance(value, list) else "is null" if value is None else "="
    asked = " ".join(str(given.get("operator", usual)).lower().split())
    if asked not in _OPERATORS:
        raise wrong("filter", given.get("operator"), f"one of {', '.join(_OPERATORS)}")
    operator = _OPERATORS[asked]
    values = _values(value, operator, given)
    return Condition(given["column"], operator, values)


def _values(value: Any, operator: str, given: Any) -> tuple[str, ...]:
    if operator in _WITHOUT_VALUE:
        if value is not None:
            raise wrong("filter", given, f"no value with {operator}")
        return ()
    several = operator in ("in", "not in", "between", "intersects")
    wanted = {"between": 2, "intersects": 4}.get(operator)
    listed = value if several and isinstance(value, list) else [value]
    if wanted is not None and len(listed) != wanted:
        raise wrong("filter", given, f"{operator} with a list of {wanted} values")
    if len(listed) > _MOST_VALUES:
        raise wrong("filter", f"{len(listed)} values", f"at most {_MOST_VALUES}")
    return tuple(_as_text(each, given) for each in listed)


def _as_text(value: Any, given: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | str) and "\0" not in str(value):
        return str(value)
    raise wrong("filter", given, "a text, number or boolean as value")
