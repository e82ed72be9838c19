"""`locaria psql`: a SQL prompt on the database, with no password to copy."""

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
    program = _psql()
    # By its path: it looks for itself where it was started from.
    os.execve(program, [program, *arguments], os.environ | variables)  # noqa: S606 - no shell


def _psql() -> str:
    """The psql to use.

    Raises:
        CommandError: there is none.
    """
    found = find_psql()
    if found is None:
        raise CommandError(
            "there is no psql here",
            "Install your system's postgresql-client, or take the connection string of: locaria "
            "status",
            ExitCode.REFUSED,
        )
    return str(found)
