"""Credentials for what a loader reads: from the file's attributes, a secret store, the environment.

The attribute `credentials` is one of
    {"key": "…"}                  the values themselves (Locaria keeps them apart from the file)
    {"secret": "name or ARN"}     a secret of AWS Secrets Manager, a text or a JSON object
    {"environment": "OPEN_DATA"}  the container's variable LOCARIA_CREDENTIAL_OPEN_DATA
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from locaria_reporter import Fatal, Retry

# Only variables that were set for this purpose: not the database's password.
PREFIX = "LOCARIA_CREDENTIAL_"
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,80}")
_PASSING = ("ThrottlingException", "InternalServiceError", "RequestTimeout")


def resolve(given: Any) -> dict[str, str]:
    """The credentials as texts by name; {} when none are given. A single text is called `key`.

    Raises:
        Fatal: what they refer to is not there, or may not be read.
        Retry: the secret store did not answer.
    """
    if given in (None, "", {}):
        return {}
    if not isinstance(given, dict) or not all(isinstance(v, str) for v in given.values()):
        raise Fatal("attribute credentials: an object of texts is needed", kind="data")
    if set(given) == {"secret"}:
        return _values(_read_secret(given["secret"]))
    if set(given) == {"environment"}:
        return _values(_read_variable(given["environment"]))
    return dict(given)


def _values(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, Mapping):
        return {str(name): str(value) for name, value in found.items()}
    return {"key": text.strip()}


def _read_variable(name: str) -> str:
    value = os.environ.get(PREFIX + name) if _NAME.fullmatch(name) else None
    if value is None:
        raise Fatal(
            f"attribute credentials: the container has no variable {PREFIX}{name[:80]}",
            kind="config",
        )
    return value


def _read_secret(name: str) -> str:
    import boto3  # noqa: PLC0415  # only where a secret store is used
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        answer = boto3.client("secretsmanager").get_secret_value(SecretId=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        words = f"attribute credentials: secret {name}: {code}"
        raise (Retry(words) if code in _PASSING else Fatal(words, kind="config")) from None
    except BotoCoreError as error:
        raise Retry(f"attribute credentials: secret {name}: {error}") from None
    return str(answer["SecretString"])
