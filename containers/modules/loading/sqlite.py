"""SQLite databases without geometries.

Any value may stand in any column, and an INTEGER has 64 bits; who goes by what columns are declared
as takes 9,999,999,999 for 2,147,483,647, and a text for 0. So all values are looked at, as of JSON.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from loading.documents import layer_of
from loading.infer import DATE
from loading.layers import Layer
from locaria_reporter import Fatal

_TABLES = (
    "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite~_%'"
    " escape '~' and coalesce(sql, '') not like 'create virtual%' order by rowid"
)
_SPATIAL = "select 1 from sqlite_master where name = 'geometry_columns'"


def layers(path: Path, name: str, wanted: list[str] | None) -> list[Layer] | None:
    """The tables and views of a database; None where it has geometries, which GDAL reads.

    Raises:
        Fatal: it is damaged, or there is no such table.
    """
    try:
        with closing(_open(path)) as database:
            if database.execute(_SPATIAL).fetchone() is not None:
                return None
            there = [str(table) for (table,) in database.execute(_TABLES)]
    except sqlite3.Error as error:
        raise Fatal(f"{name} can't be read: {error}", kind="data") from None
    if missing := [each for each in wanted or [] if each not in there]:
        raise Fatal(
            f"{name} has no table {missing[0]!r}; it has {', '.join(map(repr, there[:50]))}",
            kind="data",
        )
    if not there:
        raise Fatal(f"{name} has no table", kind="data")
    return [layer_of(_Table(path, name, each), each) for each in wanted or there]


def _open(path: Path) -> sqlite3.Connection:
    # Another thread may close it; and nothing is written beside the file.
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    database = sqlite3.connect(uri, uri=True, check_same_thread=False)
    # Views may call functions, but none that does more than compute.
    database.execute("pragma trusted_schema = off")
    return database


def _kind(declared: str) -> str:
    words = {"INT": "int", "REAL": "float", "FLOA": "float", "DOUB": "float", "BLOB": "bytes"}
    words |= {"DATE": DATE, "TIME": DATE}
    return next((kind for word, kind in words.items() if word in declared), "str")


class _Table:
    def __init__(self, path: Path, name: str, table: str) -> None:
        self._path, self._where = path, f"{name}, table {table!r}"
        quoted = table.replace('"', '""')
        self._columns = f'pragma table_xinfo("{quoted}")'
        self._select = f'select * from "{quoted}"'  # noqa: S608 - quoted

    @property
    def keys(self) -> dict[str, str]:
        """Its columns, and what they are declared as, by SQLite's own rules."""
        try:
            with closing(_open(self._path)) as database:
                found = database.execute(f"{self._select} limit 0").description
                declared = {name: kind for _, name, kind, *_ in database.execute(self._columns)}
        except sqlite3.Error as error:
            raise Fatal(f"{self._where}, can't be read: {error}", kind="data") from None
        return {name: _kind(declared.get(name, "").upper()) for name, *_ in found}

    def items(self) -> Iterator[dict[str, Any]]:
        """Its rows."""
        keys, row = self.keys, 0
        try:
            with closing(_open(self._path)) as database:
                for values in database.execute(self._select):
                    yield dict(zip(keys, values, strict=True))
                    row += 1
        except sqlite3.Error as error:
            raise Fatal(
                f"{self._where}, behind row {row:,}, can't be read: {error}", kind="data"
            ) from None
