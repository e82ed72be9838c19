"""metadata.txt: a JSON array of objects, read entry by entry, so that 50 MB take no 500."""

from __future__ import annotations

import codecs
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from object_store import Source

_CHUNK = 1 << 16
_LONGEST_ENTRY = 1 << 20
_WHITE = " \t\n\r"
_MOST_OTHERS = 10_000
_PROJECT = ("Transactions.project", "Transactions.proposal")  # Clients before 2019 say proposal.
_FIELDS = {
    "Transactions.submitter": "submitter",
    "Transactions.instrument": "instrument",
    **dict.fromkeys(_PROJECT, "project"),
}


class BadMetadataError(Exception):
    """The document can't be read; the message says where."""


@dataclass(slots=True)
class FileEntry:
    """A file as the metadata describes it; what is missing is None.

    Attributes:
        n: its place among the files of the document, from 0.
        path: subdir and name, without doubled slashes; None when it has no usable name.
    """

    n: int
    name: str | None
    subdir: str
    path: str | None
    size: int | None
    hashtype: str | None
    hashsum: str | None
    mimetype: str | None
    ctime: str | None
    mtime: str | None
    source: str | None
    trouble: str | None = None

    @property
    def shown(self) -> str:
        """How an error names it."""
        return self.path or f"file {self.n + 1} of the metadata"


@dataclass
class Metadata:
    """What the document says."""

    fields: dict[str, str] = field(default_factory=dict)
    key_values: list[dict[str, str | None]] = field(default_factory=list)
    files: list[FileEntry] = field(default_factory=list)
    other: list[dict[str, Any]] = field(default_factory=list)
    trouble: str | None = None


def read_metadata(source: Source, limit: int) -> Metadata:
    """Read a document.

    Args:
        source: its bytes, to their end.
        limit: how many they may be.

    Raises:
        BadMetadataError: it is no JSON array of objects, too long, or nested too deeply.
    """
    found = Metadata()
    for entry in _entries(source, limit):
        if not isinstance(entry, dict):
            raise BadMetadataError(f"metadata.txt: {_short(entry)} is no object")
        _take(found, entry)
    return found


def _take(found: Metadata, entry: dict[str, Any]) -> None:
    table = entry.get("destinationTable")
    if table == "Files":
        found.files.append(_file(len(found.files), entry))
    elif table == "TransactionKeyValue":
        pair = {"key": _text(entry.get("key")), "value": _text(entry.get("value"))}
        found.key_values.append(pair)
        if None in pair.values():
            found.trouble = found.trouble or "a TransactionKeyValue lacks its key or its value"
    elif isinstance(table, str) and table in _FIELDS:
        value = _text(entry.get("value"))
        name = _FIELDS[table]
        if value is not None:
            if found.fields.get(name, value) != value:
                found.trouble = found.trouble or f"{table} is there twice, with different values"
            found.fields[name] = value
    elif len(found.other) < _MOST_OTHERS:
        found.other.append(entry)
    else:
        raise BadMetadataError(f"metadata.txt has more than {_MOST_OTHERS:,} unknown entries")


def _file(n: int, entry: dict[str, Any]) -> FileEntry:
    hashtype, hashsum = _text(entry.get("hashtype")), _text(entry.get("hashsum"))
    if hashsum is not None:
        before, colon, after = hashsum.partition(":")
        if colon:
            hashtype, hashsum = hashtype or before, after
        hashsum = hashsum.strip().lower()
    name, subdir = _text(entry.get("name")), _text(entry.get("subdir")) or ""
    made = FileEntry(
        n=n,
        name=name,
        subdir=subdir,
        path=None,
        size=None,
        hashtype=hashtype.strip().lower() if hashtype else None,
        hashsum=hashsum,
        mimetype=_text(entry.get("mimetype")),
        ctime=_time(entry.get("ctime")),
        mtime=_time(entry.get("mtime")),
        source=_text(entry.get("source")),
    )
    parts = [part for part in f"{subdir}/{name or ''}".split("/") if part not in ("", ".")]
    if name and ".." not in parts:
        made.path = "/".join(parts)
    elif name:
        made.trouble = f"{subdir}/{name} leads out of the bundle (..)"
    _size(made, entry.get("size"))
    for key in ("name", "size", "hashtype", "hashsum", "mimetype", "ctime", "mtime"):
        if getattr(made, key) in (None, "") and made.trouble is None:
            made.trouble = f"{made.shown}: {key} is missing"
    return made


def _size(made: FileEntry, value: Any) -> None:
    """Whole numbers, also as text."""
    text = _text(value)
    if text is None or text == "":
        return
    if text.lstrip("+-").isdecimal() and text.isascii() and len(text) < 20:
        made.size = int(text)
    else:
        made.trouble = f"{made.shown}: size {text[:40]!r} is no whole number"


def _text(value: Any) -> str | None:
    """A value as text: numbers may come as either. None for null; objects as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _time(value: Any) -> str | None:
    """A time for Postgres; a number is seconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(value, UTC).isoformat()
    return _text(value)


def _entries(source: Source, limit: int) -> Iterator[Any]:
    """The elements of the array, one after another."""
    text = _Text(source, limit)
    if text.next_character() != "[":
        raise BadMetadataError("metadata.txt is no JSON array")
    if text.next_character(peek=True) == "]":
        text.next_character()
    else:
        while True:
            yield text.value()
            separator = text.next_character()
            if separator == "]":
                break
            if separator != ",":
                raise BadMetadataError(
                    f"metadata.txt: expected , or ] at character {text.position:,}"
                )
    if text.next_character() != "":
        raise BadMetadataError(f"metadata.txt goes on after its end, character {text.position:,}")


class _Text:
    """JSON text that is decoded and looked at piece by piece."""

    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._left = limit
        self._limit = limit
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(parse_constant=_refuse_constant)
        self._buffer = ""
        self._at = 0
        self._before = 0
        self._end = False

    @property
    def position(self) -> int:
        """The character that was looked at last, from 1."""
        return self._before + self._at

    def next_character(self, *, peek: bool = False) -> str:
        """The next that is no white space; "" at the end."""
        while True:
            while self._at < len(self._buffer):
                character = self._buffer[self._at]
                self._at += 1
                if character not in _WHITE:
                    self._at -= peek
                    return character
            self._before += len(self._buffer)
            self._buffer, self._at = "", 0
            if not self._more():
                return ""

    def value(self) -> Any:
        """The next value."""
        self.next_character(peek=True)
        while True:
            try:
                value, end = self._json.raw_decode(self._buffer, self._at)
            except RecursionError:
                raise BadMetadataError("metadata.txt is nested too deeply") from None
            except ValueError as error:
                trouble: ValueError | None = error
            else:
                # What ends with the buffer may go on: 12|34.
                if end < len(self._buffer) or self._end:
                    self._at = end
                    return value
                trouble = None
            if len(self._buffer) - self._at > _LONGEST_ENTRY:
                raise BadMetadataError(
                    f"metadata.txt: the entry at character {self.position:,} is no JSON, "
                    f"or longer than {_LONGEST_ENTRY:,} characters"
                )
            if not self._more() and trouble is not None:
                raise BadMetadataError(f"metadata.txt is not JSON: {trouble}") from None

    def _more(self) -> bool:
        if self._end:
            return False
        self._before += self._at
        rest, self._at = self._buffer[self._at :], 0
        data = self._source.read(max(_CHUNK, len(rest)))
        self._left -= len(data)
        if self._left < 0:
            raise BadMetadataError(f"metadata.txt has more than {self._limit:,} bytes")
        try:
            piece = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise BadMetadataError(f"metadata.txt is not UTF-8: {error.reason}") from None
        self._end = not data
        self._buffer = rest + piece
        return bool(data)


def _refuse_constant(name: str) -> None:
    raise BadMetadataError(f"metadata.txt is not JSON: {name} is no value")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:60]}…"
