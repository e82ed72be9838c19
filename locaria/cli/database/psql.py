"""`locaria psql`: a SQL prompt on the database, without copying a password."""

from __future__ import annotations

import os

import click
from psycopg.conninfo import conninfo_to_dict

from locaria.cli.connection import find_dsn
from locaria.cli.errors import CommandError, ExitCode
from locaria.cli.options import dsn_option
from locaria.local.postgres.binaries import find_psql

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
"""libpq's environment variable for each parameter of a connection string."""


@click.command(context_settings={"ignore_unknown_options": True}, short_help="Open a SQL prompt.")
@dsn_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(dsn: str | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the database; further arguments are passed to psql.

    \b
    locaria psql
    locaria psql -c "select file_id, phase, why from locaria.status"

    Uses the psql on PATH, else the one of the embedded Postgres. The connection is passed in
    environment variables, so that no password appears among the arguments of a process.
    """
    given = conninfo_to_dict(find_dsn(dsn))
    variables = {ENVIRONMENT[key]: str(given[key]) for key in given if key in ENVIRONMENT}
    program = _psql()
    # argv[0] is the path: the embedded psql finds its files relative to it.
    os.execve(program, [program, *arguments], os.environ | variables)  # noqa: S606 - no shell


def _psql() -> str:
    """Return the path of the psql to use.

    Raises:
        CommandError: There is none.
    """
    found = find_psql()
    if found is None:
        raise CommandError(
            "no psql found",
            "Install your system's package postgresql-client, or use another client with the "
            "connection string that `locaria status` prints.",
            ExitCode.REFUSED,
        )
    return str(found)
