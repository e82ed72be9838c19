"""CSV, as COPY writes it."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql
from relation import Column, Relation
from snapshot import Snapshot


def write_csv(snapshot: Snapshot, relation: Relation, path: Path) -> None:
    """Write a table as CSV in UTF-8: NULL is empty (or what is asked for), "" an empty text."""
    request = relation.request
    statement = sql.SQL(
        "copy ({}) to stdout with (format csv, encoding 'UTF8', header {}, delimiter {}, null {})"
    ).format(
        relation.select(_express),
        sql.SQL("true" if request.header else "false"),
        sql.Literal(request.delimiter),
        sql.Literal(request.null),
    )
    before = snapshot.rows
    header = int(request.header)
    with path.open("wb", buffering=1 << 20) as file:
        for number, row in enumerate(snapshot.copy(statement), start=1):
            file.write(row)
            snapshot.rows = before + number - header


def _express(column: Column) -> sql.Composable:
    # COPY would write t and f, which a loader takes for text.
    if column.plain == "boolean":
        return sql.SQL("cast({0} as text) as {0}").format(column.identifier)
    return column.identifier
