"""Whether the database has PostGIS, and what it says of a table."""

from __future__ import annotations

from math import isfinite
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from locaria_reporter import Run, Staging


def postgis_schema(connection: psycopg.Connection[Any]) -> str | None:
    """Where PostGIS is installed, None where it is not."""
    row = connection.execute(
        "select n.nspname as schema from pg_catalog.pg_extension e"
        " join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'postgis'"
    ).fetchone()
    return None if row is None else str(dict(row)["schema"])


def bounding_box(
    run: Run, staging: Staging, column: str, postgis: str | None
) -> list[float] | None:
    """xmin, ymin, xmax, ymax of all geometries, on a connection of its own; None without any."""
    statement = sql.SQL(
        "select {0}.st_xmin(b), {0}.st_ymin(b), {0}.st_xmax(b), {0}.st_ymax(b)"
        " from (select {0}.st_extent({1}) as b from {2}) as e"
    ).format(sql.Identifier(postgis or ""), sql.Identifier(column), sql.SQL(staging.name))
    with run.connect() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        # Parallel workers would take the cores from the index that is built at the same time.
        cursor.execute("set max_parallel_workers_per_gather = 0")
        found = cursor.execute(statement).fetchone()
    # JSON has no number for infinity, which a geometry may have.
    return list(found) if found and all(n is not None and isfinite(n) for n in found) else None


def knows_srid(run: Run, postgis: str | None, srid: int) -> bool:
    """Whether PostGIS has a reference system of this number: its own table is older than some."""
    statement = sql.SQL("select exists (select from {} where srid = %s) as known").format(
        sql.Identifier(postgis or "", "spatial_ref_sys")
    )
    row = run.connection().execute(statement, [srid]).fetchone()
    return row is not None and bool(dict(row)["known"])
