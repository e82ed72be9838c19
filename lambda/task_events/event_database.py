"""The database behind `taskEvents`: one connection, two SQL functions, no secret in any message."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

RECORD = "select locaria.record_task_event(%s::jsonb)"
TICK = "select locaria.tick()"

SECRET_FIELDS = {
    "host": "host",
    "port": "port",
    "username": "user",
    "password": "password",
    "dbname": "dbname",
}
"""Fields of a secret of RDS, and libpq's words for them. Other fields (engine, …) are ignored."""

_CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    # a sandbox sleeps between invocations; a connection that died meanwhile must not hang one
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

_WORTH_ANOTHER_CONNECTION = (
    psycopg.OperationalError,  # broken, going down, a deadlock, …
    psycopg.InterfaceError,  # found closed
    psycopg.errors.ReadOnlySqlTransaction,  # after a failover: this is the old primary
)


class EventRefused(Exception):  # noqa: N818 - what was done, not an error of this function
    """The event has an unknown shape, or the SQL function raised. The message says which."""


class DatabaseUnavailable(Exception):  # noqa: N818 - a state, which may pass
    """No connection to the database, or it failed twice in a row. Another delivery may work."""


class EventDatabase:
    """Keeps one connection for as long as the sandbox lives, and makes a new one when it breaks.

    The connection string is `LOCARIA_DSN`. Where `LOCARIA_DSN_SECRET` names a secret of Secrets
    Manager, the secret gives it: either a connection string, or an object as RDS writes it
    (username, password, host, port, dbname), whose fields are laid over `LOCARIA_DSN`, so that a
    secret which RDS itself manages and rotates (username and password alone) is enough.
    """

    def __init__(self, name: str = "task_events") -> None:
        self._name = f"locaria {name}"
        self._connection: psycopg.Connection | None = None
        self._secret: str | None = None
        self._hidden: set[str] = set()

    def record(self, event: object) -> None:
        """Call `locaria.record_task_event` with one event, in a transaction of its own.

        Raises:
            EventRefused: the SQL function raised.
            DatabaseUnavailable: no connection, or the database failed twice.
        """
        self._call(RECORD, [json.dumps(_storable(event))], "record_task_event")

    def tick(self) -> dict[str, Any]:
        """Call `locaria.tick()`; returns what it did. Raises as `record`."""
        done: dict[str, Any] = self._call(TICK, [], "tick")
        return done

    def _call(self, query: str, values: list[str], function: str) -> Any:
        """Call one SQL function; on a connection that turns out to be dead, once more."""
        problem: Exception
        for _ in range(2):
            connection = self.connected()
            try:
                row = connection.execute(query, values).fetchone()
            except _WORTH_ANOTHER_CONNECTION as error:
                problem = DatabaseUnavailable(f"the database failed twice: {self._told(error)}")
                self.close()
            except psycopg.Error as error:
                problem = EventRefused(f"{function} refused: {self._told(error)}")
                break
            else:
                return row[0] if row else None
        # outside of the except: nothing that prints the cause can print an unmasked message
        raise problem

    def close(self) -> None:
        """Give up the connection. The next event makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def connected(self) -> psycopg.Connection:
        """The kept connection, or a new one.

        When connecting fails, the secret is read again and tried once more: it may have been
        rotated. (libpq tells a wrong password from other failures only by a text in the server's
        language, and after other failures the secret may name a new host.)
        """
        if self._connection is not None and not self._connection.closed:
            return self._connection
        remembered = self._secret is not None
        self._connection, problem = self._connect()
        if self._connection is None and remembered:
            self._secret = None
            self._connection, problem = self._connect()
        if self._connection is None:
            raise DatabaseUnavailable(f"no connection to the database: {problem}")
        return self._connection

    def _connect(self) -> tuple[psycopg.Connection | None, str]:
        given = self._settings()
        self._hidden = {str(given["password"])} if given.get("password") else set()
        try:
            # prepare_threshold: a pooler may give every transaction another server process
            named = {"application_name": self._name}
            settings: dict[str, Any] = _CONNECTION | named | given
            return psycopg.connect(autocommit=True, prepare_threshold=None, **settings), ""
        except psycopg.Error as error:
            return None, self._told(error)

    def _settings(self) -> dict[str, Any]:
        """What the environment and the secret say about the connection, in libpq's words."""
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

    def _told(self, error: psycopg.Error) -> str:
        message = error.diag.message_primary or str(error).strip()
        for secret in self._hidden:
            message = message.replace(secret, "***")
        return f"{error.sqlstate}: {message}" if error.sqlstate else message


def _parsed(dsn: str, where: str) -> dict[str, Any]:
    try:
        # make_conninfo checks what conninfo_to_dict lets pass
        return conninfo_to_dict(make_conninfo(dsn))
    except psycopg.Error:
        pass  # libpq's own message would quote the string, password and all
    raise DatabaseUnavailable(f"{where} is no connection string (postgresql://… or host=… user=…)")


def _fields(secret: str) -> dict[str, Any] | None:
    """The settings in a secret as RDS writes it, or None when the secret is no JSON object."""
    try:
        fields = json.loads(secret)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    return {libpq: fields[name] for name, libpq in SECRET_FIELDS.items() if fields.get(name)}


def _read_secret(arn: str) -> str:
    """The text of a secret. Its region is in its ARN: it may be another than this function's."""
    parts = arn.split(":")
    region = parts[3] if len(parts) > 3 else None
    try:
        client = boto3.client("secretsmanager", region_name=region)
        text: str = client.get_secret_value(SecretId=arn)["SecretString"]
    except (ClientError, BotoCoreError) as error:
        raise DatabaseUnavailable(
            f"can't read the secret {arn}: {error}. The role of this Lambda function needs "
            "secretsmanager:GetSecretValue on it (and kms:Decrypt, if a key of yours encrypts it)"
        ) from error
    except KeyError:
        raise DatabaseUnavailable(f"the secret {arn} is binary; store it as text") from None
    return text


def _storable(value: object) -> object:
    """The value without what `jsonb` refuses: NUL and halves of surrogate pairs in strings.

    An event must not be lost because a program printed a zero byte before it died.
    """
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(each) for name, each in value.items()}
    return value
