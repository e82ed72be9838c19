"""`locaria db`: install, upgrade, and say what is installed."""

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
    "Run it as the owner of Locaria, who needs CREATE on the database and, for the first time, "
    "CREATEROLE: grant create on database <database> to <owner>"
)
VERSION = """
select
  locaria.schema_version() as schema_version,
  (select max(version_num) from locaria.schema_migrations) as revision,
  current_setting('server_version') as postgres,
  current_database() as database
"""


@click.group()
def db() -> None:
    """Install or upgrade Locaria in a database.

    \b
    locaria db upgrade                        # as the owner; again is fine
    locaria db sql > locaria.sql              # or: read it, then psql -f locaria.sql
    locaria db version
    """


@db.command()
@dsn_option
def upgrade(dsn: str | None) -> None:
    """Install Locaria, or bring it up to date. Needs no superuser. Twice is fine.

    \b
    LOCARIA_DSN=postgresql://owner@host/database locaria db upgrade
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
    say(f"{place}: Locaria is at revision {found['revision']}.")


def explain_failure(error: Exception, place: str) -> Exception:
    """Turn an error of an installation into words; what is no error of the database stays."""
    cause = getattr(error, "orig", error)
    if not isinstance(cause, psycopg.Error):
        return error
    if isinstance(cause, pg.InsufficientPrivilege):
        message = cause.diag.message_primary or str(cause)
        return CommandError(f"{message} ({place})", cause.diag.message_hint or OWNER_HINT)
    return translate(cause, place)


@db.command("sql")
def print_sql() -> None:
    """Print everything that an installation does, as one SQL script, for psql.

    \b
    locaria db sql | psql -v ON_ERROR_STOP=1 postgresql://owner@host/database
    """
    from locaria.install import plain_sql  # noqa: PLC0415 - slow to import, for this alone

    click.echo(plain_sql(), nl=False)


@db.command()
@click.argument(
    "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@json_option
@dsn_option
def register(path: Path | None, as_json: bool, dsn: str | None) -> None:
    """Register the containers of a dockers.json, or bring them up to date.

    \b
    locaria db register                       # containers/dockers.json of the checkout
    locaria db register my/dockers.json

    Limits that an entry does not name stay as they are. With --json, one array of names.
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
        say(f"Registered: {', '.join(names) or 'none'}.")


@db.command()
@json_option
@dsn_option
def version(as_json: bool, dsn: str | None) -> None:
    """Say which version of Locaria the database has.

    With --json, one object: schema_version, revision, postgres, database.
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
