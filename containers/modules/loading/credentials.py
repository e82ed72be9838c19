"""Credentials for a download: never in attributes that stay, resolved when they are needed."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from locaria_reporter import Fatal, Run

_VARIABLES = "LOCARIA_CREDENTIALS_"
_PUBLIC = {"username", "access_key_id"}


def resolve(run: Run, given: Any) -> dict[str, str]:
    """The credentials that attribute `credentials` names.

    Args:
        run: its messages and errors never show what is found.
        given: {"secret": name or ARN} in Secrets Manager, {"environment": NAME} for the variable
            LOCARIA_CREDENTIALS_<NAME> (a JSON object, or a token), or the values themselves.

    Returns:
        username and password, or token, or access_key_id, secret_access_key (and session_token).

    Raises:
        Fatal: there are none of that name.
    """
    found = given
    if isinstance(given, Mapping) and set(given) == {"secret"}:
        found = _from_secrets_manager(str(given["secret"]))
    elif isinstance(given, Mapping) and set(given) == {"environment"}:
        found = _from_environment(str(given["environment"]))
    elif isinstance(given, str) and given:
        found = _from_secrets_manager(given)
    if not found:
        return {}
    if isinstance(found, str):
        found = _parsed(found)
    values = {str(name): str(value) for name, value in dict(found).items()}
    run.mask(*(value for name, value in values.items() if name not in _PUBLIC))
    return values


def headers_for(credentials: Mapping[str, str]) -> dict[str, str]:
    """What is sent to an http(s) server."""
    if "token" in credentials:
        return {"Authorization": f"Bearer {credentials['token']}"}
    if "username" in credentials:
        pair = f"{credentials['username']}:{credentials.get('password', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {"token": text}
    return value if isinstance(value, dict) else {"token": text}


def _from_environment(name: str) -> str:
    # Only variables that are meant for it: others hold secrets of the container itself.
    value = os.environ.get(f"{_VARIABLES}{name}")
    if not value:
        raise Fatal(f"credentials: {_VARIABLES}{name} is not set in the loader", kind="config")
    return value


def _from_secrets_manager(name: str) -> str:
    # Imported where it is needed: it takes time and memory.
    import boto3  # noqa: PLC0415
    import botocore.exceptions  # noqa: PLC0415

    try:
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=name)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        problem = f"credentials: the secret {name!r} can't be read: {error}"
        raise Fatal(problem, kind="config") from None
    return str(secret["SecretString"])
