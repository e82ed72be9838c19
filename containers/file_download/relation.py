"""A table or view as it may be downloaded, and the statement that reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql
from request import Condition, Request

from locaria_reporter import Fatal

SPATIAL = ("geometry", "geography")
# Formats that hold the geometry itself.
WITH_GEOMETRY = ("geojson", "gpkg", "parquet", "shapefile")


@dataclass(frozen=True)
class Column:
    """A column that may be read.

    Attributes:
        type: as Postgres writes it; `base`: the type below a domain, 'text' for what no format
            knows (arrays, ranges, enums, composite types).
    """

    name: str
    type: str
    base: str

    @property
    def plain(self) -> str:
        """The type without its modifier in parentheses, such as 'numeric'."""
        before, _, rest = self.base.partition("(")
        return " ".join((before + rest.partition(")")[2]).split()).rpartition(".")[2]

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.name)


@dataclass(frozen=True)
class Relation:
    """A table or view, with the columns and rows of it that are wanted.

    Attributes:
        label: its name, for files, sheets and layers.
        columns: in the order wanted.
        readable: all columns that may be read, for filter and order.
        postgis: the schema of PostGIS's functions, if the database has it.
        srid: of a geometry that is WKB, as the load that made the table reported it.
    """

    schema: str
    name: str
    label: str
    columns: tuple[Column, ...]
    readable: tuple[Column, ...]
    postgis: str | None
    srid: int | None
    request: Request

    def select(self, express: Callable[[Column], sql.Composable]) -> sql.Composed:
        """The statement that reads the wanted columns of the wanted rows."""
        return sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(map(express, self.columns)),
            self.rows(ordered=True),
        )

    def rows(self, *, ordered: bool = False) -> sql.Composed:
        """What stands behind FROM: the wanted rows."""
        parts: list[sql.Composable] = [sql.Identifier(self.schema, self.name)]
        conditions = [self._condition(each) for each in self.request.filter]
        if conditions:
            parts += [sql.SQL("where"), sql.SQL(" and ").join(conditions)]
        request = self.request
        if request.order_by and (ordered or request.limit is not None):
            parts += [sql.SQL("order by"), sql.SQL(", ").join(map(self._order, request.order_by))]
        if request.limit is not None:
            parts.append(sql.SQL("limit {}").format(sql.Literal(request.limit)))
            if not ordered:
                # Not *: some of the columns may be withheld from the loaders.
                names = sql.SQL(", ").join(column.identifier for column in self.readable)
                inner = sql.SQL("(select {} from {}) as wanted")
                return inner.format(names, sql.SQL(" ").join(parts))
        return sql.SQL(" ").join(parts)

    def find(self, name: str, attribute: str) -> Column:
        """The readable column of this name.

        Raises:
            Fatal: there is none.
        """
        for column in self.readable:
            if column.name == name:
                return column
        known = ", ".join(column.name for column in self.readable[:20])
        raise Fatal(
            f"attribute {attribute}: {self.label} has no column {name!r} that may be read; "
            f"there are: {known}",
            kind="data",
        )

    def _order(self, wanted: tuple[str, bool]) -> sql.Composed:
        name, descending = wanted
        column = self.find(name, "order_by").identifier
        return sql.SQL("{} desc" if descending else "{}").format(column)

    def _condition(self, condition: Condition) -> sql.Composable:
        column = self.find(condition.column, "filter")
        name, operator = column.identifier, condition.operator
        if operator in ("is null", "is not null"):
            return sql.SQL("{} " + operator).format(name)
        if operator == "intersects":
            return self._intersects(column, condition.values)
        # The type is the catalog's own text; the values are literals, cast to it.
        kind = sql.SQL(cast_of(column, operator))
        values = [sql.SQL("cast({} as {})").format(sql.Literal(v), kind) for v in condition.values]
        if operator in ("in", "not in"):
            return sql.SQL("{} " + operator + " ({})").format(name, sql.SQL(", ").join(values))
        if operator == "between":
            return sql.SQL("{} between {} and {}").format(name, *values)
        if operator in ("like", "ilike"):
            return sql.SQL("cast({} as text) " + operator + " {}").format(name, *values)
        return sql.SQL("{} " + operator + " {}").format(name, *values)

    def _intersects(self, column: Column, values: Sequence[str]) -> sql.Composed:
        """Meets the box [west, south, east, north], in the column's own coordinates."""
        if column.plain not in SPATIAL or self.postgis is None:
            raise Fatal(f"attribute filter: {column.name} is no geometry", kind="data")
        corners = sql.SQL(", ").join(
            sql.SQL("cast({} as float8)").format(sql.Literal(v)) for v in values
        )
        geometry = self.geometry_of(column)
        call = sql.SQL("{0}.st_intersects({1}, {0}.st_makeenvelope({2}, {0}.st_srid({1})))")
        return call.format(sql.Identifier(self.postgis), geometry, corners)

    def geometry_of(self, column: Column) -> sql.Composable:
        """A spatial column as PostGIS's geometry."""
        if column.plain == "geometry" or self.postgis is None:
            return column.identifier
        kind = sql.Identifier(self.postgis, "geometry")
        return sql.SQL("cast({} as {})").format(column.identifier, kind)


def cast_of(column: Column, operator: str) -> str:
    """The type that the values of a condition are cast to."""
    if operator == "intersects":
        return "float8"
    return "text" if operator in ("like", "ilike") else column.type


def find_relation(
    connection: psycopg.Connection[Any], run: int, table: str, request: Request
) -> tuple[Relation, float]:
    """The table, if it may be downloaded, and for how many seconds a snapshot may be held.

    Raises:
        Fatal: it may not, there is none, or a wanted column is missing.
    """
    try:
        row = connection.execute(
            "select table_schema, table_name, columns, postgis, srid,"
            " extract(epoch from longest)::float8 from locaria.check_download(%s, %s)",
            [run, table],
        ).fetchone()
    except psycopg.Error as error:
        if error.sqlstate not in ("LC007", "LC008", "LC009"):
            raise
        hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
        raise Fatal(f"{error.diag.message_primary}{hint}", kind="data") from None
    assert row is not None
    schema, name, listed, postgis, srid, longest = row
    readable = tuple(Column(c["name"], c["type"], c["base"]) for c in listed)
    every = Relation(schema, name, name, readable, readable, postgis, srid, request)
    if request.columns is not None:
        chosen = tuple(every.find(wanted, "columns") for wanted in request.columns)
    elif request.format in WITH_GEOMETRY:
        companions = {wkb: f"{wkb}_geojson" for wkb in wkb_columns(readable)}
        chosen = tuple(c for c in readable if c.name not in companions.values())
    else:
        chosen = readable
    return replace(every, columns=chosen), longest


def wkb_columns(columns: Sequence[Column]) -> list[str]:
    """Columns that hold geometries where there is no PostGIS: a loader puts GeoJSON beside them."""
    names = {c.name for c in columns if c.plain == "jsonb"}
    return [c.name for c in columns if c.plain == "bytea" and f"{c.name}_geojson" in names]
