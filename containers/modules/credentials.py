"""Credentials for what a container reads: from the file's attributes, Secrets Manager, a variable.

The attribute `credentials` is one of
    {"secret": "name or ARN"}     a secret of AWS Secrets Manager, a text or a JSON object
    {"environment": "OPEN_DATA"}  the container's variable LOCARIA_CREDENTIAL_OPEN_DATA, likewise
    {"token": "…"}, {"username": "…", "password": "…"}, …  the values (Locaria keeps them apart)
A text that is no JSON object is a token.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from locaria_reporter import Fatal, Retry, Run

# Only variables that were set for this purpose: others hold secrets of the container itself.
PREFIX = "LOCARIA_CREDENTIAL_"
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,80}")
_PUBLIC = {"username", "access_key_id"}
_PASSING = ("ThrottlingException", "RequestTimeout", "RequestLimitExceeded")
_FORMS = 'an object of texts is needed, {"secret": …}, {"environment": …} or the values themselves'


def resolve(run: Run, given: Any) -> dict[str, str]:
    """The credentials that attribute `credentials` names, as texts; {} when none are given.

    Args:
        run: its messages, errors and result never show what is found.
        given: the attribute.

    Raises:
        Fatal: what they refer to is not there, or may not be read. The error names it.
        Retry: Secrets Manager did not answer.
    """
    if given in (None, "", {}):
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(v, str) for v in given.values()):
        raise Fatal(f"attribute credentials: {_FORMS}", kind="data")
    found = dict(given)
    if set(given) == {"secret"}:
        found = _values(_read_secret(given["secret"]))
    elif set(given) == {"environment"}:
        found = _values(_read_variable(given["environment"]))
    run.mask(*(value for name, value in found.items() if name not in _PUBLIC))
    return found


def headers_for(credentials: Mapping[str, str]) -> dict[str, str]:
    """What is sent to an http(s) server."""
    if "token" in credentials:
        return {"Authorization": f"Bearer {credentials['token']}"}
    if "username" in credentials:
        pair = f"{credentials['username']}:{credentials.get('password', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _values(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, Mapping):
        return {str(name): str(value) for name, value in found.items() if value is not None}
    return {"token": text.strip()}


def _read_variable(name: str) -> str:
    value = os.environ.get(PREFIX + name) if _VARIABLE.fullmatch(name) else None
    if not value:
        raise Fatal(
            f"attribute credentials: the container has no variable {PREFIX}{name[:80]}",
            kind="config",
        )
    return value


def _read_secret(name: str) -> str:
    # Imported where it is needed: it takes time and memory.
    import boto3  # noqa: PLC0415
    from botocore import exceptions  # noqa: PLC0415

    words = f"attribute credentials: secret {name!r} can't be read"
    try:
        answer = boto3.client("secretsmanager").get_secret_value(SecretId=name)
    except exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        passing = code in _PASSING or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
        words = f"{words}: {code}: {error.response['Error'].get('Message', '')}"
        raise (Retry(words) if passing else Fatal(words, kind="config")) from None
    except (exceptions.NoRegionError, exceptions.ParamValidationError) as error:
        raise Fatal(f"{words}: {error}", kind="config") from None
    except exceptions.BotoCoreError as error:
        raise Retry(f"{words}: {error}") from None
    if "SecretString" not in answer:
        raise Fatal(f"{words}: it holds bytes, a text is needed", kind="config")
    return str(answer["SecretString"])
