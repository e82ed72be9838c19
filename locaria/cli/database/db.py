"""`locaria db`: install and upgrade Locaria, register containers, show the version."""

from __future__ import annotations

from pathlib import Path

import click
import psycopg
from psycopg import errors as pg

from locaria.cli.connection import Session, describe, find_dsn
from locaria.cli.errors import CommandError, ExitCode, translate
from locaria.cli.options import dsn_option, json_option
from locaria.cli.render import facts, out, print_json, say

OWNER_HINT = (
    "Run it as the owner of Locaria, who needs CREATE on the database and, for the first "
    "installation, CREATEROLE: grant create on database <database> to <owner>"
)
VERSION = """
select
  locaria.schema_version() as schema_version,
  (select max(version_num) from locaria.schema_migrations) as revision,
  current_setting('server_version') as postgres,
  current_database() as database
"""


@click.group(short_help="Install or upgrade Locaria in a database.")
def db() -> None:
    """Install or upgrade Locaria in a database.

    \b
    locaria db upgrade                        # as the owner; may be repeated
    locaria db sql > locaria.sql              # or read the SQL first, then psql -f locaria.sql
    locaria db register my/dockers.json
    locaria db version
    """


@db.command(short_help="Install or upgrade Locaria.")
@dsn_option
def upgrade(dsn: str | None) -> None:
    """Install Locaria, or upgrade it to the version of this command.

    \b
    LOCARIA_DSN=postgresql://owner@host/database locaria db upgrade

    Run it as the owner of Locaria, who need not be a superuser. It may be repeated.
    """
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - slow to import, for this alone

    from locaria.install import install  # noqa: PLC0415 - as above

    target = find_dsn(dsn)
    place = describe(target)
    Session(target, "db upgrade").close()
    try:
        install(target)
    except (psycopg.Error, DBAPIError) as error:
        raise explain_failure(error, place) from error
    with Session(target, "db upgrade") as session:
        found = session.row(VERSION)
    say(f"Locaria is at revision {found['revision']} in {place}.")


def explain_failure(error: Exception, place: str) -> Exception:
    """Translate a database error of an installation; return any other error unchanged."""
    cause = getattr(error, "orig", error)
    if not isinstance(cause, psycopg.Error):
        return error
    if isinstance(cause, pg.InsufficientPrivilege):
        message = cause.diag.message_primary or str(cause)
        return CommandError(f"{message} ({place})", cause.diag.message_hint or OWNER_HINT)
    return translate(cause, place)


@db.command("sql", short_help="Print the SQL of an installation.")
def print_sql() -> None:
    """Print a complete installation as one SQL script for psql.

    \b
    locaria db sql | psql -v ON_ERROR_STOP=1 postgresql://owner@host/database
    """
    from locaria.install import plain_sql  # noqa: PLC0415 - slow to import, for this alone

    click.echo(plain_sql(), nl=False)


@db.command(short_help="Register containers.")
@click.argument(
    "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@json_option
@dsn_option
def register(path: Path | None, as_json: bool, dsn: str | None) -> None:
    """Register the containers of a dockers.json, or update them.

    \b
    locaria db register                       # the containers that ship with Locaria
    locaria db register my/dockers.json

    A limit that an entry does not set is left unchanged. --json prints an array of names.
    """
    from locaria.install import register_containers  # noqa: PLC0415 - as above
    from locaria.resources import DOCKERS_JSON  # noqa: PLC0415 - as above

    source = path or DOCKERS_JSON
    target = find_dsn(dsn)
    place = describe(target)
    Session(target, "db register").close()
    try:
        with psycopg.connect(target) as connection:
            names = register_containers(connection, source)
    except psycopg.Error as error:
        raise translate(error, place) from error
    except (ValueError, OSError) as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from error
    if as_json:
        print_json(names)
    else:
        say(f"Registered containers: {', '.join(names) or 'none'}.")


@db.command(short_help="Show the installed version.")
@json_option
@dsn_option
def version(as_json: bool, dsn: str | None) -> None:
    """Show which version of Locaria is installed in the database.

    \b
    locaria db version

    --json prints an object with schema_version, revision, postgres and database.
    """
    with Session(find_dsn(dsn), "db version") as session:
        found = session.row(VERSION)
    if as_json:
        print_json(found)
        return
    out(
        facts(
            (
                ("database", session.place),
                ("schema version", found["schema_version"]),
                ("revision", found["revision"]),
                ("PostgreSQL", found["postgres"]),
            )
        )
    )
