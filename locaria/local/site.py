"""Locaria in one database for the local runtime: roles, schema, stand-in, configuration."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from locaria.install import install, register_containers
from locaria.local.aws.lambda_service.environment import LambdaFunction
from locaria.local.aws.standin import install_standin
from locaria.local.postgres.server import PostgresServer
from locaria.local.private_file import PrivateFile
from locaria.local.status import read_status

DATABASE = "locaria"
OWNER = "locaria"
LOADER = "locaria_local_loader"
WEB = "locaria_local_web"
GROUPS = {
    LOADER: ("locaria_loader",),
    WEB: ("locaria_reader", "locaria_app", "locaria_operator", "locaria_web"),
}
CLUSTER = "locaria"
SECRETS_FILE = "secrets.json"
_OURS = "made by locaria up"


@dataclass(frozen=True)
class Site:
    """The DSNs of one database with Locaria in it."""

    superuser_dsn: str
    owner_dsn: str
    loader_dsn: str
    web_dsn: str


class SiteError(Exception):
    """The database can't be used by the local runtime; the message says why."""


def prepare_embedded(server: PostgresServer, kept: PrivateFile) -> Site:
    """Make the database `locaria` on our own server, when it isn't there yet, and its roles."""
    passwords = _passwords(kept)
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        _ensure_login(connection, OWNER, passwords[OWNER], "createrole")
        found = connection.execute(
            "select from pg_database where datname = %s", [DATABASE]
        ).fetchone()
        if found is None:
            statement = sql.SQL("create database {} owner {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))
    return Site(
        superuser_dsn=server.dsn_for(DATABASE),
        owner_dsn=server.dsn_for(DATABASE, OWNER, passwords[OWNER]),
        loader_dsn=server.dsn_for(DATABASE, LOADER, passwords[LOADER]),
        web_dsn=server.dsn_for(DATABASE, WEB, passwords[WEB]),
    )


def prepare_given(dsn: str, kept: PrivateFile) -> Site:
    """Make the roles in a database of somebody else's server.

    The logins `locaria`, `locaria_local_loader` and `locaria_local_web` are the local runtime's:
    they get the passwords that it keeps. Raises SiteError when the DSN doesn't work or is no
    superuser's, and where the schema or the login `locaria` is somebody else's.
    """
    passwords = _passwords(kept)
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
            if connection.info.parameter_status("is_superuser") != "on":
                raise SiteError(
                    "the local runtime stands in for aws_lambda, which only a superuser can "
                    "install: give a superuser's DSN"
                )
            _refuse_what_is_not_ours(connection)
            _ensure_login(connection, OWNER, passwords[OWNER], "createrole")
            statement = sql.SQL("comment on role {} is {}")
            connection.execute(statement.format(sql.Identifier(OWNER), sql.Literal(_OURS)))
            statement = sql.SQL("grant create, connect, temporary on database {} to {}")
            connection.execute(
                statement.format(sql.Identifier(connection.info.dbname), sql.Identifier(OWNER))
            )
            connection.execute(
                sql.SQL("grant create, usage on schema public to {}").format(sql.Identifier(OWNER))
            )
    except psycopg.OperationalError as error:
        raise SiteError(f"can't connect to the given database: {error}") from error
    return Site(
        superuser_dsn=dsn,
        owner_dsn=make_conninfo(dsn, user=OWNER, password=passwords[OWNER]),
        loader_dsn=make_conninfo(dsn, user=LOADER, password=passwords[LOADER]),
        web_dsn=make_conninfo(dsn, user=WEB, password=passwords[WEB]),
    )


def install_site(site: Site, kept: PrivateFile, dockers_json: Path) -> list[str]:
    """Install or upgrade everything in the database; returns the registered containers' names."""
    install_standin(site.superuser_dsn, OWNER)
    install(site.owner_dsn)
    with psycopg.connect(site.superuser_dsn, autocommit=True) as connection:
        _ensure_login(connection, LOADER, _passwords(kept)[LOADER])
        _ensure_login(connection, WEB, _passwords(kept)[WEB], "noinherit")
        for login, groups in GROUPS.items():
            statement = sql.SQL("grant {} to {}")
            roles = sql.SQL(", ").join(map(sql.Identifier, groups))
            connection.execute(statement.format(roles, sql.Identifier(login)))
    with psycopg.connect(site.owner_dsn, autocommit=True) as connection:
        names = register_containers(connection, dockers_json) if dockers_json.exists() else []
        for name in names:
            configure_launch(connection, name)
    return names


def read_web_dsn(state_dir: Path) -> str | None:
    """Return the DSN of the login under which a running runtime serves the API.

    It contains a password: pass it on in memory or in the environment, never as an argument.

    Args:
        state_dir: The folder of the runtime.

    Returns:
        The DSN; None if no runtime is running on the folder.
    """
    status = read_status(state_dir)
    password = PrivateFile(state_dir / SECRETS_FILE).get(WEB)
    if status["state"] != "running" or password is None:
        return None
    return make_conninfo(status["dsn"], user=WEB, password=password)


def configure_launch(connection: psycopg.Connection[tuple[object, ...]], container: str) -> None:
    """Write how a container is started here; what a person added for it is kept."""
    ours = {
        "arn": LambdaFunction("ecsRunTask", Path()).arn,
        "region": "local",
        "mode": "Event",
        "task": container,
        "cluster": CLUSTER,
        "subnets": ["subnet-local"],
        "security_groups": ["sg-local"],
    }
    connection.execute(
        """
        update locaria.parameters p
           set parameter = p.parameter || jsonb_build_object(
                 %(name)s::text, coalesce(p.parameter -> %(name)s, '{}') || %(ours)s::jsonb
               )
         where p.parameter_name = 'fargate_config'
           and not coalesce(p.parameter -> %(name)s @> %(ours)s::jsonb, false)
        """,
        {"name": container, "ours": json.dumps(ours)},
    )


def _refuse_what_is_not_ours(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Raises SiteError before a password is changed by which somebody else logs in."""
    row = connection.execute(
        "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'locaria'"
    ).fetchone()
    if row is not None and row[0] != OWNER:
        raise SiteError(
            f"Locaria is installed here, and belongs to {row[0]}: run locaria agent with that "
            "login, or give locaria up another database"
        )
    row = connection.execute(
        "select coalesce(shobj_description(oid, 'pg_authid'), '') from pg_roles where rolname = %s",
        [OWNER],
    ).fetchone()
    if row is not None and row[0] != _OURS:
        raise SiteError(
            f"this server has a login {OWNER} that is not the local runtime's, which would change "
            f"its password. Rename it, or, if nobody else uses it: comment on role {OWNER} is "
            f"'{_OURS}'"
        )


def _passwords(kept: PrivateFile) -> dict[str, str]:
    known = kept.load()
    kept.save(**{role: known.get(role, secrets.token_urlsafe(24)) for role in (OWNER, LOADER, WEB)})
    return {role: str(kept.get(role)) for role in (OWNER, LOADER, WEB)}


def _ensure_login(
    connection: psycopg.Connection[tuple[object, ...]],
    role: str,
    password: str,
    attributes: str = "",
) -> None:
    name = sql.Identifier(role)
    if connection.execute("select from pg_roles where rolname = %s", [role]).fetchone() is None:
        connection.execute(sql.SQL("create role {}").format(name))
    statement = sql.SQL("alter role {} login nosuperuser " + attributes + " password {}")
    connection.execute(statement.format(name, sql.Literal(password)))
