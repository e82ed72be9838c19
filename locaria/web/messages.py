"""Requests and error replies as text: limits, parsing and form.

The server and the Lambda function `websocket_api` share this module; it uses only the standard
library. A request reaches the database as the original text, so that only the database decides what
a number or a repeated key means.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_MESSAGE = 131_072
"""The maximum size of a message in bytes: the limit of API Gateway (AWS: WebSocket API quotas), so
that a client written for one transport works with the other."""
MAX_DEPTH = 64
"""How deeply arrays and objects may be nested."""

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Request:
    """A client's message: a JSON object and its original text."""

    text: str
    body: dict[str, Any]

    @property
    def method(self) -> Any:
        """The value of the key `method`: any JSON value; None if absent."""
        return self.body.get("method")


class RefusedError(Exception):
    """A request is refused with an error reply.

    Args:
        code: The code of the reply: 400, 401, 403, 404, 413, 415, 422, 500, 501 or 503.
        message: The reason, for people.
        request_id: Returned in the reply, if given.
    """

    def __init__(self, code: int, message: str, request_id: Any = _ABSENT) -> None:
        super().__init__(message)
        self.code = code
        self._request_id = request_id

    def reply(self, request: Request | None = None) -> str:
        """Return the error reply to `request`, which is None if the message could not be parsed."""
        body: dict[str, Any] = {"code": self.code, "message": str(self)}
        given = request.body.get("request_id", _ABSENT) if request else self._request_id
        if given is not _ABSENT:
            body["request_id"] = given
        return json.dumps(body)


def parse(message: str | bytes, limit: int = MAX_MESSAGE) -> Request:
    """Parse a message of a client.

    Raises:
        RefusedError: The message is larger than `limit` bytes (413), or is binary, not JSON, nested
            too deeply or not an object (400).
    """
    if isinstance(message, bytes):
        raise RefusedError(400, "binary messages are not supported: send JSON as a text message")
    size = len(message) if message.isascii() else len(message.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise too_large(limit)
    try:
        body = json.loads(message, parse_constant=_refuse_constant)
    except RecursionError:
        raise RefusedError(400, f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise RefusedError(400, f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "a request must be a JSON object with the key method")
    if _is_deeper(body, MAX_DEPTH):
        raise RefusedError(400, f"nested deeper than {MAX_DEPTH} levels")
    return Request(message, body)


def too_large(limit: int) -> RefusedError:
    """Return the refusal of a message of more than `limit` bytes."""
    return RefusedError(413, f"the message is too large: the limit is {limit:,} bytes")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _is_deeper(value: object, levels: int) -> bool:
    """Return whether `value` is nested deeper than `levels`, without recursion."""
    found = [value]
    for _ in range(levels + 1):
        found = [
            child
            for each in found
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not found:
            return False
    return True
