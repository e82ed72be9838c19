"""Installing the stand-ins for the extensions aws_commons and aws_lambda."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import cast

import psycopg
from psycopg import sql

from locaria.resources import STANDIN_SQL

FUNCTIONS = ("ecsRunTask", "taskEvents")
_LOCK = 7_203_411_905  # any number, used for nothing else
_Connection = psycopg.Connection[tuple[object, ...]]


class StandinError(Exception):
    """The stand-in can't be installed in this database; the message says what to do."""


def install_standin(
    superuser_dsn: str, owner_role: str | None = None, functions: Iterable[str] = FUNCTIONS
) -> None:
    """Install or bring up to date the stand-in, and let `owner_role` invoke the `functions`.

    Works in a clone (`create database … template …`) of a database that has it, too.
    Raises StandinError where the DSN is not a superuser's, where dblink is missing, or where the
    real extension is installed.
    """
    with psycopg.connect(superuser_dsn) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        _check(connection)
        connection.execute("set local client_min_messages = warning")
        connection.execute("create schema if not exists aws_lambda_dblink")
        connection.execute("revoke all on schema aws_lambda_dblink from public")
        connection.execute("create extension if not exists dblink schema aws_lambda_dblink")
        for path in sorted(STANDIN_SQL.glob("*.sql")):
            connection.execute(path.read_bytes())
        _make_writer(connection)
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into aws_lambda.functions (function_name) values (%s) "
                "on conflict do nothing",
                [(name,) for name in functions],
            )
        if owner_role is not None:
            _grant(connection, owner_role)
    with psycopg.connect(superuser_dsn, autocommit=True) as connection:
        _find_host(connection)


def install_queue(owner_dsn: str, functions: Iterable[str] = FUNCTIONS) -> None:
    """Install or bring up to date the stand-in for agents, as the owner of Locaria's schema.

    It needs no superuser and no dblink, only CREATE on the database: an invocation is written in
    the transaction that asks for it.
    Raises StandinError where the real extension is, or somebody else's stand-in.
    """
    with psycopg.connect(owner_dsn) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        row = connection.execute(_OTHERS).fetchone()
        real, foreign = cast(tuple[bool, bool], row)
        if real:
            raise StandinError("the extension aws_lambda is installed here: it needs no agent")
        if foreign:
            raise StandinError(
                "the schema aws_lambda belongs to somebody else (locaria up on this database?): "
                "give its owner's DSN, or as a superuser: "
                "drop schema aws_lambda, aws_commons cascade"
            )
        connection.execute("set local client_min_messages = warning")
        paths = {path.name: path for path in STANDIN_SQL.glob("*.sql")}
        paths |= {path.name: path for path in (STANDIN_SQL / "queue").glob("*.sql")}
        for name in sorted(paths):
            connection.execute(paths[name].read_bytes())
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into aws_lambda.functions (function_name) values (%s) "
                "on conflict do nothing",
                [(name,) for name in functions],
            )


_OTHERS = """
    select exists (select from pg_extension where extname = 'aws_lambda'),
           exists (select from pg_namespace
                    where nspname in ('aws_lambda', 'aws_commons')
                      and not pg_has_role(nspowner, 'usage'))
"""


def _check(connection: _Connection) -> None:
    row = connection.execute(
        """
        select current_setting('is_superuser') = 'on',
               exists (select from pg_available_extensions where name = 'dblink'),
               exists (select from pg_extension where extname = 'aws_lambda')
        """
    ).fetchone()
    superuser, dblink, real = cast(tuple[bool, bool, bool], row)
    if real:
        raise StandinError("the real extension aws_lambda is installed here: it needs no stand-in")
    if not superuser:
        raise StandinError(
            "only a superuser can install the stand-in for aws_lambda: give a superuser's DSN"
        )
    if not dblink:
        raise StandinError(
            "the extension dblink is missing on this server: install its contrib package "
            "(for instance postgresql-contrib)"
        )


def _make_writer(connection: _Connection) -> None:
    """The role of the writing connection: it may add invocations, and nothing else.

    Every session that invoked holds such a connection, and dblink lets everybody who may call it
    use a session's open connections: so it must not be a superuser's.
    """
    kept = connection.execute("select role_name, password from aws_lambda.writer").fetchone()
    if kept is None:
        database = connection.execute(
            "select oid from pg_database where datname = current_database()"
        ).fetchone()
        assert database is not None
        kept = (f"aws_lambda_standin_{database[0]}", secrets.token_urlsafe(24))
        connection.execute(
            "insert into aws_lambda.writer (host, role_name, password) "
            "values ('127.0.0.1', %s, %s)",
            kept,
        )
    name = sql.Identifier(str(kept[0]))
    known = connection.execute("select from pg_roles where rolname = %s", [kept[0]]).fetchone()
    if known is None:
        connection.execute(sql.SQL("create role {}").format(name))
    statement = sql.SQL("alter role {} login nosuperuser nocreaterole nocreatedb password {}")
    connection.execute(statement.format(name, sql.Literal(str(kept[1]))))
    connection.execute(sql.SQL("grant usage on schema aws_lambda to {}").format(name))
    connection.execute(sql.SQL("grant select, insert on aws_lambda.invocations to {}").format(name))


def _grant(connection: _Connection, role: str) -> None:
    grants = (
        "grant usage on schema aws_commons, aws_lambda to {}",
        "grant execute on all functions in schema aws_commons to {}",
    )
    for text in grants:
        connection.execute(sql.SQL(text).format(sql.Identifier(role)))
    callable_ones = connection.execute(
        """
        select oid::regprocedure::text
          from pg_proc
         where pronamespace = 'aws_lambda'::regnamespace and proname in ('invoke', '_invoke')
        """
    ).fetchall()
    for (signature,) in callable_ones:
        text = f"grant execute on function {signature} to {{}}"
        connection.execute(sql.SQL(text).format(sql.Identifier(role)))


def _find_host(connection: _Connection) -> None:
    """Store a host by which the server reaches itself with a password."""
    row = connection.execute(
        """
        select host(inet_server_addr()),
               split_part(current_setting('unix_socket_directories'), ',', 1)
        """
    ).fetchone()
    address, sockets = cast(tuple[str | None, str], row)
    failures = []
    for host in ("127.0.0.1", address, sockets):
        if not host:
            continue
        try:
            with connection.transaction():
                connection.execute("update aws_lambda.writer set host = %s", [host])
                connection.execute("select aws_lambda._remotely('select 1::text')")
            return
        except psycopg.OperationalError as error:
            failures.append(f"{host}: {error}")
    raise StandinError(
        "the server can't connect to itself by password, which the stand-in for aws_lambda needs "
        "(see pg_hba.conf): " + "; ".join(failures)
    )
