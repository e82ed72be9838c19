"""Alembic's environment: migrates the tables, then applies everything replaceable from sql/.

Both happen in one transaction, behind an advisory lock: two upgrades at once do the work once.
The database is named by LOCARIA_DSN (libpq URL or keyword string).
"""

import os

from sqlalchemy import Connection

from alembic import context
from locaria import sql_files
from locaria.install import connect_engine

VERSION_TABLE = "schema_migrations"
UPGRADE_LOCK = 4242000
PREAMBLE = (
    # First of all: two sessions can't make one schema at once, not even "if not exists".
    f"select pg_advisory_xact_lock({UPGRADE_LOCK});\n"
    "create schema if not exists locaria;\n"
    "set local lock_timeout = '10s';\n"
    "set local client_min_messages = warning;\n"
    # Functions may name tables and views that come after them.
    "set local check_function_bodies = off;\n"
)


def is_upgrade() -> bool:
    """Whether the running command is `alembic upgrade` (and not `current`, `history`, `stamp`)."""
    command = context.get_context().opts.get("fn")
    return getattr(command, "__name__", "") == "upgrade"


def print_upgrade() -> None:
    """`--sql`: print what an upgrade would do, for psql."""
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
    """Migrate and apply through a connection."""
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
            "LOCARIA_DSN is not set: name the database, e.g. postgresql://user@host/db"
        )
    with connect_engine(dsn).connect() as engine_connection:
        run_upgrade(engine_connection)
        engine_connection.commit()
