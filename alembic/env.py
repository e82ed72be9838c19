"""Alembic environment: migrates the tables, then applies the replaceable objects of sql/.

Both happen in one transaction under an advisory lock, so that concurrent upgrades run one after
another.
LOCARIA_DSN names the database (libpq URL or keyword string).
"""

import os

from sqlalchemy import Connection

from alembic import context
from locaria import sql_files
from locaria.install import connect_engine

VERSION_TABLE = "schema_migrations"
UPGRADE_LOCK = 4242000
PREAMBLE = (
    # The lock comes first: "create schema if not exists" fails if two sessions run it at once.
    f"select pg_advisory_xact_lock({UPGRADE_LOCK});\n"
    "create schema if not exists locaria;\n"
    "set local lock_timeout = '10s';\n"
    "set local client_min_messages = warning;\n"
    # Functions may refer to tables and views that are created later.
    "set local check_function_bodies = off;\n"
)


def is_upgrade() -> bool:
    """Return whether the running command is `upgrade`, not `current`, `history` or `stamp`."""
    command = context.get_context().opts.get("fn")
    return getattr(command, "__name__", "") == "upgrade"


def print_upgrade() -> None:
    """Print the statements of an upgrade for psql (option `--sql`)."""
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        version_table=VERSION_TABLE,
        version_table_schema="locaria",
    )
    with context.begin_transaction():
        output = context.get_context().impl.static_output
        output(PREAMBLE)
        context.run_migrations()
        for text in sql_files.replaceable():
            output(text)


def run_upgrade(connection: Connection) -> None:
    """Run the migrations, then apply the replaceable objects, on a connection."""
    connection = connection.execution_options(no_parameters=True)
    connection.exec_driver_sql(PREAMBLE)
    context.configure(
        connection=connection, version_table=VERSION_TABLE, version_table_schema="locaria"
    )
    with context.begin_transaction():
        context.run_migrations()
        if is_upgrade():
            for text in sql_files.replaceable():
                connection.exec_driver_sql(text)


if context.is_offline_mode():
    print_upgrade()
else:
    dsn = context.config.attributes.get("dsn") or os.environ.get("LOCARIA_DSN")
    if not dsn:
        raise SystemExit(
            "LOCARIA_DSN is not set: set it to the database, for example postgresql://user@host/db"
        )
    with connect_engine(dsn).connect() as engine_connection:
        run_upgrade(engine_connection)
        engine_connection.commit()
