"""How a Lambda function logs in to the database; no password reaches any message."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from locaria_reporter.session import Connection

SECRET_FIELDS = {
    "host": "host",
    "port": "port",
    "username": "user",
    "password": "password",
    "dbname": "dbname",
}
"""Fields of a secret of RDS, and libpq's names for them. Other fields (engine, …) are ignored."""

_CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    # A sandbox sleeps between invocations; a connection that died meanwhile must not hang one.
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class DatabaseUnavailable(Exception):  # noqa: N818 - part of the protocol
    """No connection to the database, or it failed twice in a row. Another delivery may work."""


class DatabaseSettings:
    """Where the database is, as the environment or a secret names it.

    The connection string is `LOCARIA_DSN`. If `LOCARIA_DSN_SECRET` names a secret of Secrets
    Manager, the secret holds it: either a connection string, or an object as RDS writes it
    (username, password, host, port, dbname), whose fields replace those of `LOCARIA_DSN`, so that
    a secret that RDS itself manages and rotates (username and password alone) is enough.

    Args:
        name: shown, after "locaria", as application_name in pg_stat_activity.
    """

    def __init__(self, name: str) -> None:
        self._name = f"locaria {name}"
        self._secret: str | None = None
        self._hidden: set[str] = set()

    def connect(self) -> Connection:
        """Open a connection.

        If that fails with a secret read earlier, read the secret again and try once more: it may
        have been rotated. (libpq reports a wrong password only by a text in the server's
        language, and after other failures the secret may name a new host.)

        Raises:
            DatabaseUnavailable: no connection, or no settings for one.
        """
        remembered = self._secret is not None
        connection, problem = self._try_to_connect()
        if connection is None and remembered:
            self._secret = None
            connection, problem = self._try_to_connect()
        if connection is None:
            raise DatabaseUnavailable(f"no connection to the database: {problem}")
        return connection

    def masked(self, error: psycopg.Error) -> str:
        """Return an error's SQLSTATE and message, without the password."""
        message = error.diag.message_primary or str(error).strip()
        for secret in self._hidden:
            message = message.replace(secret, "***")
        return f"{error.sqlstate}: {message}" if error.sqlstate else message

    def _try_to_connect(self) -> tuple[Connection | None, str]:
        given = self._read()
        self._hidden = {str(given["password"])} if given.get("password") else set()
        settings: dict[str, Any] = _CONNECTION | {"application_name": self._name} | given
        try:
            # No prepared statements: a pooler may give each transaction another server process.
            return psycopg.connect(
                autocommit=True, prepare_threshold=None, row_factory=dict_row, **settings
            ), ""
        except psycopg.Error as error:
            return None, self.masked(error)

    def _read(self) -> dict[str, Any]:
        """The connection's parameters, under libpq's names."""
        dsn, arn = os.environ.get("LOCARIA_DSN", ""), os.environ.get("LOCARIA_DSN_SECRET", "")
        if not arn and not dsn:
            raise DatabaseUnavailable("set LOCARIA_DSN, or LOCARIA_DSN_SECRET to a secret's ARN")
        if not arn:
            return _parsed(dsn, "LOCARIA_DSN")
        if self._secret is None:
            self._secret = _read_secret(arn)
        fields = _fields(self._secret)
        if fields is None:
            return _parsed(self._secret.strip(), "the secret of LOCARIA_DSN_SECRET")
        return (_parsed(dsn, "LOCARIA_DSN") if dsn else {}) | fields


def _parsed(dsn: str, where: str) -> dict[str, Any]:
    try:
        # make_conninfo checks more than conninfo_to_dict does.
        return conninfo_to_dict(make_conninfo(dsn))
    except psycopg.Error:
        pass  # libpq's message would quote the string with its password
    raise DatabaseUnavailable(f"{where} is no connection string (postgresql://… or host=… user=…)")


def _fields(secret: str) -> dict[str, Any] | None:
    """Return the settings in a secret as RDS writes it, or None if it is not a JSON object."""
    try:
        fields = json.loads(secret)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    return {libpq: fields[name] for name, libpq in SECRET_FIELDS.items() if fields.get(name)}


def _read_secret(arn: str) -> str:
    """Read the text of a secret, in the region that its ARN names."""
    parts = arn.split(":")
    region = parts[3] if len(parts) > 3 else None
    try:
        client = boto3.client("secretsmanager", region_name=region)
        text: str = client.get_secret_value(SecretId=arn)["SecretString"]
    except (ClientError, BotoCoreError) as error:
        raise DatabaseUnavailable(
            f"can't read the secret {arn}: {error}. The role of this Lambda function needs "
            "secretsmanager:GetSecretValue on it (and kms:Decrypt, if your own key encrypts it)"
        ) from error
    except KeyError:
        raise DatabaseUnavailable(f"the secret {arn} is binary; store it as text") from None
    return text
