"""Staging tables on a database without Locaria: for a loader's author, on a laptop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from locaria_reporter._channel import Block, StagingTable
from locaria_reporter._copying import PLAIN_DATES, copy_into, copy_statement
from locaria_reporter._errors import OutsideLocaria
from locaria_reporter._session import make_session

_MODES = ("create", "replace", "append")
# As where Locaria runs: a table without a schema is in public, whatever the search_path says.
_DEFAULT_SCHEMA = "public"
_LOCARIAS = ("locaria", "locaria_staging")


@dataclass(frozen=True)
class _Target:
    table: sql.Composable
    name: str
    mode: str


class PlainDatabase:
    """Does what Locaria's SQL functions do for a staging table, without fence and retries.

    Args:
        dsn: libpq connection string; "" means the PG… variables.
    """

    def __init__(self, dsn: str) -> None:
        self._session = make_session(dsn, "locaria outside", patience=5.0)
        self._targets: dict[str, _Target] = {}

    def connect(self) -> psycopg.Connection[Any]:
        """A connection for the loader's own statements."""
        return self._session.connect()

    def create_staging(
        self, target: str, columns: Sequence[Mapping[str, str]], mode: str
    ) -> StagingTable:
        """A fresh table beside the target."""
        if mode not in _MODES:
            raise OutsideLocaria(f"mode must be one of {', '.join(_MODES)}, not {mode!r}")
        schema, _, name = target.rpartition(".")
        schema = schema or _DEFAULT_SCHEMA
        if schema in _LOCARIAS:
            raise OutsideLocaria(f"{target} is in a schema of Locaria's own: name another one")
        connection = self._session.connection()
        table = sql.Identifier(schema, name)
        staging = sql.Identifier(schema, f"{name[:50]}__staging").as_string(connection)
        there = self._exists(table.as_string(connection))
        if mode == "create" and there:
            raise OutsideLocaria(f"{target} exists already: use mode='replace' or 'append'")
        with connection.transaction():
            connection.execute(sql.SQL("drop table if exists {}").format(_raw(staging)))
            connection.execute(
                sql.SQL("create table {} ({})").format(_raw(staging), _definition(columns, table))
            )
        self._targets[staging] = _Target(table, name, mode if there else "create")
        return StagingTable(staging)

    def copy_block(self, block: Block) -> int:
        """Copy rows; how many."""
        connection = self._session.connection()
        with connection.transaction():
            connection.execute(PLAIN_DATES)
            return copy_into(connection, copy_statement(block), block)

    def publish(self, staging: str) -> int:
        """Swap or append, in one transaction; the number of rows."""
        target = self._targets.pop(staging)
        connection = self._session.connection()
        with connection.transaction():
            row = connection.execute(
                sql.SQL("select count(*) as rows from {}").format(_raw(staging))
            ).fetchone()
            if target.mode == "append":
                connection.execute(
                    sql.SQL("insert into {} select * from {}").format(target.table, _raw(staging))
                )
                connection.execute(sql.SQL("drop table {}").format(_raw(staging)))
            else:
                connection.execute(sql.SQL("drop table if exists {}").format(target.table))
                connection.execute(
                    sql.SQL("alter table {} rename to {}").format(
                        _raw(staging), sql.Identifier(target.name)
                    )
                )
        return int(row["rows"]) if row else 0

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _exists(self, name: str) -> bool:
        return self._session.value("select to_regclass(%s)", name) is not None


def _definition(columns: Sequence[Mapping[str, str]], target: sql.Composable) -> sql.Composable:
    if not columns:
        return sql.SQL("like {} including defaults").format(target)
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column["name"]), _raw(column["type"]))
        for column in columns
    )


def _raw(text: str) -> sql.SQL:
    return sql.SQL(text)
