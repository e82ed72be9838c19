"""`locaria psql`: a SQL prompt on the database, with no password to copy."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
from psycopg.conninfo import conninfo_to_dict

from locaria.cli.connection import find_dsn
from locaria.cli.errors import CommandError, ExitCode
from locaria.cli.options import dsn_option

ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""libpq's variables for the parameters of a connection string (libpq documentation, 34.15)."""


@click.command(context_settings={"ignore_unknown_options": True})
@dsn_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(dsn: str | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the database; what follows goes to psql.

    \b
    locaria psql
    locaria psql -c "select file_id, phase, why from locaria.status"

    The connection goes by libpq's environment variables, never by argv. Uses the psql on PATH, else
    the one that came with the embedded Postgres.
    """
    given = conninfo_to_dict(find_dsn(dsn))
    variables = {ENVIRONMENT[key]: str(given[key]) for key in given if key in ENVIRONMENT}
    os.execve(find_psql(), ["psql", *arguments], os.environ | variables)  # noqa: S606 - no shell


def find_psql() -> str:
    """The psql to use.

    Raises:
        CommandError: there is none.
    """
    found = shutil.which("psql")
    if found:
        return found
    from locaria.local.binaries import find_binaries  # noqa: PLC0415 - seldom needed

    program = Path(find_binaries().program("psql"))
    if program.exists():
        return str(program)
    raise CommandError(
        "there is no psql here",
        "Install your system's postgresql-client, or take the connection string of: locaria status",
        ExitCode.REFUSED,
    )
