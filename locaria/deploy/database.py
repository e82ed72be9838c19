"""The deployment's side in the database: logins, extension, schema, containers, configuration."""

from __future__ import annotations

import getpass
import hashlib
import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from sqlalchemy.exc import DBAPIError

from locaria import sql_files
from locaria.deploy.errors import BadInput, DeployError, Refused, Unreachable
from locaria.install import container_entries, install, register_containers

Connection = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class Login:
    """A login that the deployment makes: one per kind of program, with one group role each.

    Attributes:
        variable: the last part of its secret's name.
        groups: the group roles that it is in.
        inherits: whether it has their rights at once, or only where it becomes one of them.
    """

    variable: str
    suffix: str
    groups: tuple[str, ...]
    inherits: bool = True

    def role(self, stage: str) -> str:
        """The role's name: logins belong to the server, on which several stages may be."""
        return f"locaria_{stage.replace('-', '_')}_{self.suffix}"


_KEPT = ("host", "port", "dbname", "sslmode")
LOADER = Login("LOCARIA_DSN", "loader", ("locaria_loader",))
EVENTS = Login("events", "events", ("locaria_events",))
_WEB_GROUPS = ("locaria_app", "locaria_reader", "locaria_operator", "locaria_web")
WEB = Login("web", "web", _WEB_GROUPS, inherits=False)
LOGINS = (LOADER, EVENTS, WEB)
DEPLOYING = "locaria deploy"
UNREADABLE = "the owner's connection string can't be read (it is not shown: a password is in it)"
CONNECTION_HINT = "Give the owner's connection string: LOCARIA_DSN, --dsn, or owner_secret."


class SiteDatabase:
    """The database of one stage, as the owner of Locaria's schema.

    Parameters:
        dsn: libpq connection string of the owner.
        host: where tasks find the database; None: where the DSN says. `port` alike.
    """

    def __init__(self, dsn: str, host: str | None = None, port: int | None = None) -> None:
        self.dsn = dsn
        self._over = {"host": host, "port": port}
        try:
            self.parts: dict[str, Any] = dict(conninfo_to_dict(dsn))
        except psycopg.ProgrammingError:
            raise BadInput(UNREADABLE, CONNECTION_HINT) from None

    def connect(self, application: str = DEPLOYING) -> Connection:
        """Connect. Raises Unreachable, in which no password stands."""
        try:
            return psycopg.connect(
                self.dsn,
                autocommit=True,
                connect_timeout=10,
                keepalives_idle=30,
                application_name=application,
                row_factory=dict_row,
            )
        except psycopg.Error as error:
            raise Unreachable(
                f"can't connect to the database: {self._masked(error)}", CONNECTION_HINT
            ) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only deployment to this database; a process that dies leaves nothing locked.

        Raises:
            Refused: there is another; the message says whose.
        """
        application = f"{DEPLOYING} by {getpass.getuser()}@{socket.gethostname()}"[:63]
        with self.connect(application) as connection:
            taken = connection.execute(_TRY).fetchone()
            if taken is None or not taken["it"]:
                raise Refused(
                    f"somebody deploys to this database now: {self._who(connection)}",
                    "Wait until it is done. A deployment whose machine is gone is given up by the "
                    "database's own keepalive, or by pg_terminate_backend(<pid>).",
                )
            yield

    def _who(self, connection: Connection) -> str:
        """The deployment that holds the lock, in words."""
        row = connection.execute(_HOLDER).fetchone()
        return f"{row['who']}, pid {row['pid']}, since {row['since']}" if row else "see pg_locks"

    def new_dsn(self, role: str, sslmode: str = "require") -> str:
        """A connection string of the same database for another login, with a new password.

        Parameters:
            sslmode: where the owner's string says nothing; RDS and Aurora speak TLS.
        """
        kept = {key: value for key, value in self.parts.items() if key in _KEPT}
        kept |= {key: value for key, value in self._over.items() if value is not None}
        kept.setdefault("sslmode", sslmode)
        return make_conninfo(user=role, password=secrets.token_urlsafe(32), **kept)

    def login_is_right(
        self, role: str, dsn: str, groups: tuple[str, ...], *, inherits: bool = True
    ) -> bool:
        """Whether a login is there, as its secret has it, and in its groups."""
        with self.connect() as connection:
            row = connection.execute(_LOGIN, [list(groups), role]).fetchone()
        return bool(
            row
            and row["inherits"] == inherits
            and row["groups"] == len(groups)
            and self._opens(role, _password(dsn))
        )

    def ensure_login(
        self, role: str, dsn: str, groups: tuple[str, ...], *, inherits: bool = True
    ) -> bool:
        """Make a login as its secret has it, and put it in its groups; whether anything changed.

        Parameters:
            inherits: whether it has the groups' rights at once, or only where it becomes one.

        Raises:
            psycopg.errors.InsufficientPrivilege: the owner may not.
        """
        if self.login_is_right(role, dsn, groups, inherits=inherits):
            return False
        name, verb = sql.Identifier(role), sql.SQL("inherit" if inherits else "noinherit")
        with self.connect() as connection, connection.transaction():
            known = connection.execute("select from pg_roles where rolname = %s", [role]).fetchone()
            statement = sql.SQL("{} role {} login {} password {}")
            made = sql.SQL("create" if known is None else "alter")
            connection.execute(statement.format(made, name, verb, sql.Literal(_password(dsn))))
            for group in groups:
                self._ensure_member(connection, role, group)
        return True

    def _opens(self, role: str, password: str) -> bool:
        try:
            psycopg.connect(self.dsn, user=role, password=password, connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True

    def _ensure_member(self, connection: Connection, role: str, group: str) -> None:
        row = connection.execute(
            "select pg_has_role(%s, oid, 'member') as member from pg_roles where rolname = %s",
            [role, group],
        ).fetchone()
        if row is not None and not row["member"]:
            statement = sql.SQL("grant {} to {}")
            connection.execute(statement.format(sql.Identifier(group), sql.Identifier(role)))

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

    def retire(self, names: list[str]) -> list[str]:
        """Retire containers that are not deployed any more."""
        with self.connect() as connection:
            for name in names:
                connection.execute("select locaria.retire_container(%s)", [name])
        return names

    def count_waiting(self, name: str) -> int:
        """How many files wait for a container."""
        with self.connect() as connection:
            row = connection.execute(
                "select coalesce(sum(due + scheduled + held), 0)::integer as it "
                "from locaria.queue where container = %s",
                [name],
            ).fetchone()
        return int(row["it"]) if row else 0

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
        text, password = str(error).strip(), self.parts.get("password")
        return text.replace(password, "***") if isinstance(password, str) and password else text


_TRY = "select pg_try_advisory_lock(hashtextextended('locaria: deployment', 0)) as it"
_HOLDER = """
    select a.application_name as who, a.pid, a.backend_start::timestamptz(0) as since
    from pg_locks l join pg_stat_activity a using (pid)
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.objid::bigint = (hashtextextended('locaria: deployment', 0) & 4294967295)
      and l.database = (select oid from pg_database where datname = current_database())
"""
_LOGIN = """
    select r.rolinherit as inherits,
      (select count(*) from pg_roles g
        where g.rolname = any(%s) and pg_has_role(r.oid, g.oid, 'member')) as groups
    from pg_roles r where r.rolname = %s and r.rolcanlogin
"""
_INVOKE = """
    select from pg_proc where pronamespace = to_regnamespace('aws_lambda') and proname = 'invoke'
"""


def _password(dsn: str) -> str:
    return str(conninfo_to_dict(dsn).get("password") or "")


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


def containers_digest(dockers: Path) -> str:
    """Names what is registered of the containers: dockers.json, and their scripts."""
    entries = json.dumps(container_entries(dockers), sort_keys=True)
    return hashlib.sha256(entries.encode()).hexdigest()[:16]
