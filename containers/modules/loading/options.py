"""What a file's attributes may ask for, checked before anything is read."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from locaria_reporter import Fatal

MODES = ("create", "replace", "append", "merge")
INVALID = ("keep", "fix", "refuse")
_NAMED_DELIMITERS = {
    "tab": "\t",
    "\\t": "\t",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
    "space": " ",
}
_LONGEST_DELIMITER = 8
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True)
class Options:
    """The attributes of a file, checked. None: to be found out.

    Attributes:
        delimiter: what stands between fields: one character, or several.
        quote: one character; '' when the file quotes nothing.
        escape: what stands before a quote within quotes; '' where it is doubled.
        null: how the file writes NULL (unquoted, or quoted in columns that are no text).
        columns: names in the file's order, instead of those of its header.
        types: by column name, instead of the types inferred.
        allow_empty: a header without rows makes an empty table.
        layers: names of layers, sheets or members; all when not given.
        key: columns by which rows are merged, or that get a unique index.
        index: further columns to be indexed.
        srs, source_srs: what geometries are reprojected to; what they are, whatever the file says.
        invalid_geometries: keep, fix or refuse.
        header_row: of a sheet, counted as there.
        load_run: a column `_load_run` says which run loaded a row.
        keep_previous: what is replaced or merged away is kept for undo().
        before, after: names of scripts to run in the publishing transaction.
        labels: data_set, category, tags: kept with the table.
    """

    path: str
    table: str | None = None
    mode: str = "replace"
    delimiter: str | None = None
    quote: str | None = None
    escape: str = ""
    header: bool | None = None
    encoding: str | None = None
    null: str = ""
    columns: tuple[str, ...] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    allow_empty: bool = False
    layers: tuple[str, ...] | None = None
    key: tuple[str, ...] = ()
    index: tuple[str, ...] = ()
    srs: str | None = None
    source_srs: str | None = None
    invalid_geometries: str = "keep"
    header_row: int | None = None
    load_run: bool = False
    keep_previous: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def adds(self) -> bool:
        """Whether the rows go into the table that is there (where none is, merge makes one)."""
        return self.mode in ("append", "merge")

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Options:
        """The options in a run's parameters; null and "auto" mean: not given.

        Raises:
            Fatal: an attribute is missing or makes no sense; the text says which and what may be.
        """
        given = {k: v for k, v in parameters.items() if v is not None and v not in ("auto", [])}
        columns, types = _columns(given)
        _check_limit(given)
        options = cls(
            path=_path(given),
            table=_text(given, "table"),
            mode=str(given.get("mode", "replace")),
            delimiter=_delimiter(given),
            quote=_quote(given),
            escape=_escape(given),
            header=_flag(given, "header"),
            encoding=_encoding(given),
            null=_null(given),
            columns=columns,
            types=types,
            allow_empty=bool(_flag(given, "allow_empty")),
            layers=_names(given, "layers") or None,
            key=_names(given, "key"),
            index=_names(given, "index"),
            srs=_srs(given, "srs"),
            source_srs=_srs(given, "source_srs"),
            invalid_geometries=str(given.get("invalid_geometries", "keep")),
            header_row=_number(given, "header_row"),
            load_run=bool(_flag(given, "load_run")),
            keep_previous=bool(_flag(given, "keep_previous")),
            before=_names(given, "preSQL"),
            after=_names(given, "postSQL"),
            labels=_labels(given),
        )
        if options.mode not in MODES:
            raise wrong("mode", options.mode, "create, replace, append or merge")
        if options.mode == "merge" and not options.key:
            raise wrong("key", None, "with mode merge a column, or several,")
        if options.invalid_geometries not in INVALID:
            raise wrong("invalid_geometries", options.invalid_geometries, "keep, fix or refuse")
        _check_marks(options)
        return options


def wrong(name: str, value: Any, wanted: str) -> Fatal:
    """The error for an attribute that makes no sense."""
    return Fatal(f"attribute {name}: {value!r} is given, {wanted} is needed", kind="data")


def _path(given: Mapping[str, Any]) -> str:
    path = given.get("path", given.get("url"))
    if path is None or path == "":
        raise Fatal(
            "attribute path is missing: the file to load, a local path, s3:// or an http(s) URL",
            kind="data",
        )
    if not isinstance(path, str) or "\0" in path:
        raise wrong("path", path, "a local path, s3:// or an http(s) URL")
    return path


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise wrong(name, value, "a text")
    return value


def _names(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A name, or a list of names."""
    value = given.get(name)
    if value is None or value in ("", []):
        return ()
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
        raise wrong(name, value, "a name or a list of names")
    return tuple(names)


def _srs(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"EPSG:{value}"
    return _text(given, name)


def _number(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise wrong(name, value, "a number from 1 on")


def _check_limit(given: Mapping[str, Any]) -> None:
    """The database counts; of what it does not understand, it would take the container's own."""
    value = given.get("reject_limit")
    if value is not None and not re.fullmatch("[0-9]{1,9}", str(value)):
        raise wrong("reject_limit", value, "a number of rows")


def _labels(given: Mapping[str, Any]) -> dict[str, Any]:
    labels = {name: _text(given, name) for name in ("data_set", "category")}
    tags = _names(given, "tags")
    return {k: v for k, v in labels.items() if v} | ({"tags": list(tags)} if tags else {})


def _flag(given: Mapping[str, Any], name: str) -> bool | None:
    value = given.get(name)
    if value is None or isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in _TRUE | _FALSE:
        raise wrong(name, value, "true, false or auto" if name == "header" else "true or false")
    return word in _TRUE


def _delimiter(given: Mapping[str, Any]) -> str | None:
    value = given.get("delimiter")
    if value is None:
        return None
    delimiter = _NAMED_DELIMITERS.get(str(value).lower(), value)
    if (
        not isinstance(delimiter, str)
        or not 1 <= len(delimiter) <= _LONGEST_DELIMITER
        or any(c in delimiter for c in "\r\n\0")
    ):
        wanted = f'1 to {_LONGEST_DELIMITER} characters without a line end, or "tab",'
        raise wrong("delimiter", value, wanted)
    return delimiter


def _quote(given: Mapping[str, Any]) -> str | None:
    value = given.get("quote")
    if value is None:
        return None
    if value in ("", "none", False):
        return ""
    if not _is_one_byte(value) or value in "\r\n\\":
        raise wrong("quote", value, 'one ASCII character, or "none",')
    return str(value)


def _escape(given: Mapping[str, Any]) -> str:
    value = given.get("escape")
    if value in (None, "", "none", False):
        return ""
    escape = "\\" if value == "backslash" else value
    if not _is_one_byte(escape) or escape.isalnum() or escape.isspace():
        wanted = r'one ASCII character, no letter, digit or space, or "backslash", or "none",'
        raise wrong("escape", value, wanted)
    # That is how it is without an escape.
    return "" if escape == given.get("quote", '"') else str(escape)


def _check_marks(options: Options) -> None:
    """What stands between fields, around them, before quotes and for NULL must be told apart."""
    quote = '"' if options.quote is None else options.quote
    delimiter = options.delimiter or ""
    if quote and quote in delimiter:
        wanted = f"a text without the quote, {quote}"
        if options.quote is None:
            wanted += ' (where " is a character like others: with attribute quote "none"),'
        raise wrong("delimiter", delimiter, wanted)
    if options.escape and not quote:
        raise wrong("quote", "none", "with attribute escape a character")
    if options.escape and options.escape in delimiter:
        raise wrong("escape", options.escape, "a character that is not in the delimiter")
    if quote and quote in options.null:
        raise wrong("null", options.null, "a text without the quote")


def _null(given: Mapping[str, Any]) -> str:
    value = given.get("null", "")
    if not isinstance(value, str) or any(c in value for c in '\r\n\0"'):
        raise wrong("null", value, "a text without quotes and line ends")
    return value


def _is_one_byte(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 1 and "\0" < value < "\x7f"


def _encoding(given: Mapping[str, Any]) -> str | None:
    value = given.get("encoding")
    if value is None:
        return None
    wanted = 'the name of a text encoding, like "utf-8", "cp1252", "latin-1", "utf-16",'
    try:
        info = codecs.lookup(str(value))
        "".encode(info.name)  # refuses codecs that are no text encodings: hex, zlib
    except LookupError as error:
        raise wrong("encoding", value, wanted) from error
    return info.name


def _columns(given: Mapping[str, Any]) -> tuple[tuple[str, ...] | None, dict[str, str]]:
    """Out of `columns` ([name or {"name", "type"}, …]) and `types` ({name: type})."""
    types = given.get("types", {})
    if not isinstance(types, dict) or not all(isinstance(t, str) for t in types.values()):
        raise wrong("types", types, 'an object like {"id": "bigint"}')
    columns = given.get("columns")
    if columns is None:
        return None, dict(types)
    names, more = [], dict(types)
    for column in columns if isinstance(columns, list) else [None]:
        name = column.get("name") if isinstance(column, dict) else column
        if not isinstance(name, str) or not name:
            raise wrong("columns", columns, 'a list of names, or of {"name": …, "type": …},')
        names.append(name)
        if isinstance(column, dict) and isinstance(column.get("type"), str):
            more[name] = column["type"]
    if not names:
        raise wrong("columns", columns, "at least one name")
    return tuple(names), more
