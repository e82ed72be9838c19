"""COPY a block into its staging table."""

from __future__ import annotations

from psycopg import sql

from locaria_reporter._channel import Block
from locaria_reporter.session import Connection

# 01/02/2024 is January or February: refused, whatever the server is set to. Years come first.
PLAIN_DATES = "set local datestyle to 'ISO, YMD'"


def copy_statement(block: Block) -> sql.Composed:
    """COPY … FROM STDIN for the block's table, columns and format."""
    # The staging name comes quoted from the database, the options from Staging.write().
    names = sql.SQL(", ").join(map(sql.Identifier, block.columns))
    return sql.SQL("copy {}{} from stdin{}").format(
        sql.SQL(block.staging),
        sql.SQL(" ({})").format(names) if block.columns else sql.SQL(""),
        sql.SQL(f" with ({block.options})" if block.options else ""),
    )


def copy_into(connection: Connection, statement: sql.Composed, block: Block) -> int:
    """Send the block; the number of rows that arrived."""
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            if block.data is not None:
                copy.write(block.data)
            for row in block.rows or ():
                copy.write_row(row)
        return cursor.rowcount


def count_rows(staging: str) -> sql.Composed:
    """The statement that counts a table's rows."""
    return sql.SQL("select count(*) as rows from {}").format(sql.SQL(staging))
