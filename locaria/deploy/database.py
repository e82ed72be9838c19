"""The deployment's side in the database: logins, extension, schema, containers, configuration."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from sqlalchemy.exc import DBAPIError

from locaria import sql_files
from locaria.deploy.errors import DeployError
from locaria.install import DOCKERS_JSON, install, register_containers

Connection = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class Login:
    """A login that the deployment makes: one per kind of program, with one group role each.

    Attributes:
        variable: the last part of its secret's name.
        groups: the group roles that it is in.
    """

    variable: str
    suffix: str
    groups: tuple[str, ...]

    def role(self, stage: str) -> str:
        """The role's name: logins belong to the server, on which several stages may be."""
        return f"locaria_{stage.replace('-', '_')}_{self.suffix}"


_KEPT = ("host", "port", "dbname", "sslmode")
LOADER = Login("LOCARIA_DSN", "loader", ("locaria_loader",))
EVENTS = Login("events", "events", ("locaria_events",))
WEB = Login("web", "web", ("locaria_app", "locaria_reader", "locaria_operator", "locaria_web"))


class SiteDatabase:
    """The database of one stage, as the owner of Locaria's schema.

    Parameters:
        dsn: libpq connection string of the owner.
        host: where tasks find the database; None: where the DSN says. `port` alike.
    """

    def __init__(self, dsn: str, host: str | None = None, port: int | None = None) -> None:
        self.dsn = dsn
        self._over = {"host": host, "port": port}
        self._password = conninfo_to_dict(dsn).get("password")

    def connect(self) -> Connection:
        """Connect. Raises DeployError, in which no password stands."""
        try:
            return psycopg.connect(
                self.dsn, autocommit=True, connect_timeout=10, row_factory=dict_row
            )
        except psycopg.Error as error:
            raise DeployError(
                f"can't connect to the database: {self._masked(error)}",
                "Give the owner's connection string: LOCARIA_DSN, --dsn, or owner_secret.",
            ) from None

    def new_dsn(self, role: str, sslmode: str = "require") -> str:
        """A connection string of the same database for another login, with a new password.

        Parameters:
            sslmode: where the owner's string says nothing; RDS and Aurora speak TLS.
        """
        given: dict[str, Any] = dict(conninfo_to_dict(self.dsn))
        kept = {key: value for key, value in given.items() if key in _KEPT}
        kept |= {key: value for key, value in self._over.items() if value is not None}
        kept.setdefault("sslmode", sslmode)
        return make_conninfo(user=role, password=secrets.token_urlsafe(32), **kept)

    def ensure_login(self, role: str, dsn: str, groups: tuple[str, ...]) -> bool:
        """Make a login as its secret has it, and put it in its groups; whether anything changed.

        Raises:
            psycopg.errors.InsufficientPrivilege: the owner may not.
        """
        password = str(conninfo_to_dict(dsn).get("password") or "")
        name, changed = sql.Identifier(role), False
        with self.connect() as connection:
            known = connection.execute("select from pg_roles where rolname = %s", [role]).fetchone()
            if known is None or not self._opens(role, password):
                verb = sql.SQL("create" if known is None else "alter")
                statement = sql.SQL("{} role {} login password {}")
                connection.execute(statement.format(verb, name, sql.Literal(password)))
                changed = True
            for group in groups:
                changed |= self._ensure_member(connection, role, group)
        return changed

    def _opens(self, role: str, password: str) -> bool:
        try:
            psycopg.connect(self.dsn, user=role, password=password, connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True

    def _ensure_member(self, connection: Connection, role: str, group: str) -> bool:
        row = connection.execute(
            "select pg_has_role(%s, oid, 'member') as member from pg_roles where rolname = %s",
            [role, group],
        ).fetchone()
        if row is None or row["member"]:
            return False
        statement = sql.SQL("grant {} to {}")
        connection.execute(statement.format(sql.Identifier(group), sql.Identifier(role)))
        return True

    # -- schema ----------------------------------------------------------------------------------

    def deployed(self) -> dict[str, Any]:
        """What the last deployment wrote about itself; empty before the first."""
        with self.connect() as connection:
            found = connection.execute("select to_regclass('locaria.parameters') as it").fetchone()
            if found is None or found["it"] is None:
                return {}
            return self._parameter(connection, "deployment")

    def upgrade(self) -> None:
        """Extension, schema, functions. Raises DeployError."""
        try:
            with self.connect() as connection:
                ensure_extension(connection)
            install(self.dsn)
        except (psycopg.Error, DBAPIError) as error:
            cause = getattr(error, "orig", None) or error
            raise DeployError(f"the database refused the upgrade: {self._masked(cause)}") from None

    def register(self, dockers: Path) -> list[str]:
        """Register the containers of a dockers.json. Raises DeployError."""
        try:
            with psycopg.connect(self.dsn, connect_timeout=10) as connection:
                return register_containers(connection, dockers)
        except psycopg.Error as error:
            raise DeployError(f"a container can't be registered: {self._masked(error)}") from None

    def fargate_config(self) -> dict[str, Any]:
        """How containers are started, as it stands in the database."""
        with self.connect() as connection:
            return self._parameter(connection, "fargate_config")

    def save_parameter(self, name: str, value: dict[str, Any]) -> None:
        """Write one parameter."""
        with self.connect() as connection:
            connection.execute(
                "insert into locaria.parameters (parameter_name, parameter) values (%s, %s::jsonb) "
                "on conflict (parameter_name) do update set parameter = excluded.parameter",
                [name, json.dumps(value)],
            )

    def _parameter(self, connection: Connection, name: str) -> dict[str, Any]:
        row = connection.execute(
            "select parameter from locaria.parameters where parameter_name = %s", [name]
        ).fetchone()
        return dict(row["parameter"]) if row else {}

    def _masked(self, error: BaseException) -> str:
        text = str(error).strip()
        return text.replace(self._password, "***") if isinstance(self._password, str) else text


_INVOKE = """
    select from pg_proc where pronamespace = to_regnamespace('aws_lambda') and proname = 'invoke'
"""


def ensure_extension(connection: Connection) -> None:
    """`aws_lambda`, which rds_superuser installs; a stand-in in its place will do.

    Raises:
        DeployError: it is not there and can't be installed.
    """
    if connection.execute(_INVOKE).fetchone() is not None:
        return
    try:
        connection.execute("create extension if not exists aws_lambda cascade")
    except psycopg.Error as error:
        raise DeployError(
            f"the extension aws_lambda is missing: {error.diag.message_primary or error}",
            "As rds_superuser: create extension aws_lambda cascade; then grant usage on schemas "
            "aws_lambda, aws_commons and execute on their functions to the owner of Locaria",
        ) from None


def sql_digest() -> str:
    """Names the SQL of this checkout."""
    digest = hashlib.sha256()
    for text in (*sql_files.schema(), *sql_files.replaceable()):
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]


def containers_digest() -> str:
    """Names the content of dockers.json."""
    return hashlib.sha256(DOCKERS_JSON.read_bytes()).hexdigest()[:16]
