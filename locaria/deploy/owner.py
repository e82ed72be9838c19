"""The connection string of the owner of Locaria's schema: given, or in a secret."""

from __future__ import annotations

import json

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from locaria.deploy.aws import Aws
from locaria.deploy.database import CONNECTION_HINT, UNREADABLE
from locaria.deploy.errors import BadInput, Refused

# Fields of a secret of RDS, and libpq's words for them; the functions in lambda/ read it alike.
_FIELDS = {
    "host": "host",
    "port": "port",
    "username": "user",
    "password": "password",
    "dbname": "dbname",
}


def owner_dsn(aws: Aws, secret: str | None, given: str | None) -> str:
    """The owner's connection string.

    Parameters:
        secret: ARN of `owner_secret`: a connection string, or an object as RDS writes it, whose
            fields are laid over `given`.
        given: --dsn or LOCARIA_DSN; with a password it is enough.

    Raises:
        BadInput: there is none, or it can't be read. Refused: the secret is not there.
    """
    try:
        if given and (not secret or conninfo_to_dict(given).get("password")):
            return given
        if secret:
            return _laid_over(_read_secret(aws, secret), given or "")
    except psycopg.ProgrammingError:
        raise BadInput(UNREADABLE, CONNECTION_HINT) from None
    raise BadInput(
        "no database: who owns Locaria's schema there?",
        "export LOCARIA_DSN=postgresql://owner@host/database, or name owner_secret in locaria.toml",
    )


def _read_secret(aws: Aws, secret: str) -> str:
    missing = ("ResourceNotFoundException", "InvalidRequestException")
    told = aws.find(missing, "secretsmanager", "GetSecretValue", SecretId=secret)
    if told is None:
        raise Refused(f"the secret {secret} (owner_secret in locaria.toml) is not there")
    return str(told.get("SecretString", ""))


def _laid_over(text: str, given: str) -> str:
    try:
        fields = json.loads(text)
    except ValueError:
        return text
    if not isinstance(fields, dict):
        return text
    parts = {ours: str(fields[theirs]) for theirs, ours in _FIELDS.items() if theirs in fields}
    dsn = make_conninfo(given, **parts)
    if not conninfo_to_dict(dsn).get("host"):
        raise BadInput(
            "owner_secret holds a password, but no host",
            "Say the rest: export LOCARIA_DSN=postgresql://host/database",
        )
    return dsn
