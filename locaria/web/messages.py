"""What a client sends and what it is answered, as text: limits, shape, error replies.

Shared by the server and by the Lambda function `websocket_api`; nothing but the standard library.
A request is passed on to the database as the text in which it came: what a number or a repeated
key means is decided in one place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_MESSAGE = 131_072
"""Bytes of one message: what API Gateway takes (AWS: WebSocket API quotas), so a client written
for one transport works with the other."""
MAX_DEPTH = 64
"""How deep arrays and objects may be nested."""

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Request:
    """One message of a client that is a JSON object."""

    text: str
    body: dict[str, Any]

    @property
    def method(self) -> Any:
        """What is asked for; any JSON value, None when it is not said."""
        return self.body.get("method")


class RefusedError(Exception):
    """A message gets an error reply instead of an answer.

    Parameters
        code        of the reply: 400, 401, 403, 404, 413, 422, 500, 501 or 503.
        message     for people.
        request_id  is echoed when given.
    """

    def __init__(self, code: int, message: str, request_id: Any = _ABSENT) -> None:
        super().__init__(message)
        self.code = code
        self._request_id = request_id

    def reply(self, request: Request | None = None) -> str:
        """The reply as text; `request` is the message that it answers, if it could be read."""
        body: dict[str, Any] = {"code": self.code, "message": str(self)}
        given = request.body.get("request_id", _ABSENT) if request else self._request_id
        if given is not _ABSENT:
            body["request_id"] = given
        return json.dumps(body)


def parse(message: str | bytes, limit: int = MAX_MESSAGE) -> Request:
    """Read one message of a client.

    Raises:
        RefusedError: it is binary, too large (413), no JSON, too deep, or no object (400).
    """
    if isinstance(message, bytes):
        raise RefusedError(400, "binary messages are not understood: send JSON as text")
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
        raise RefusedError(400, "a request is a JSON object with the key method")
    if _is_deeper(body, MAX_DEPTH):
        raise RefusedError(400, f"nested deeper than {MAX_DEPTH} levels")
    return Request(message, body)


def too_large(limit: int) -> RefusedError:
    """The refusal of a message of more than `limit` bytes."""
    return RefusedError(413, f"the message is too large: {limit:,} bytes are the limit")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _is_deeper(value: object, levels: int) -> bool:
    """Whether `value` is nested deeper than `levels`, found without recursion."""
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
