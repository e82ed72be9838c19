"""The Lambda function `websocketApi`: the API behind an API Gateway WebSocket API.

One function for the routes `$connect`, `$disconnect` and `$default`. It is only
a transport: requests go to `locaria.api(jsonb, jsonb)`, and replies go back through
PostToConnection, since a route without a route response returns nothing to the client. The identity
of a connection is established once, at `$connect`, and kept in `locaria.websocket_connections`.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from api_database import ApiDatabase
from api_gateway import MAX_REPLY, ApiGateway, GoneError, PostError, TooLargeError
from connecting import Doorkeeper, as_json

from locaria.web.access.identity import Identity
from locaria.web.messages import RefusedError, Request, parse

log = logging.getLogger("locaria.websocket_api")
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    # In Lambda: bare JSON lines. Elsewhere the process that loads this module decides.
    log.addHandler(logging.StreamHandler(sys.stdout))
    log.setLevel(logging.INFO)
    log.propagate = False

Event = Mapping[str, Any]
NO_PUSH = (
    "subscriptions are not served through API Gateway: ask get_container_status with the "
    "container_id every few seconds, or use a server of your own (locaria serve)"
)

_database = ApiDatabase()
_doorkeeper: Doorkeeper | None = None
_gateways: dict[str, ApiGateway] = {}


def handler(event: Event, context: object) -> dict[str, Any]:
    """Handle one invocation.

    Args:
        event: what API Gateway sends for a route of a WebSocket API.
        context: unused.

    Returns:
        `{"statusCode": 200}`; for a `$connect` that is refused 401, 403 or 503.
    """
    del context
    route = event["requestContext"]["routeKey"]
    if route == "$connect":
        return {"statusCode": _connect(event)}
    if route == "$disconnect":
        return {"statusCode": _disconnect(event)}
    return {"statusCode": _message(event)}


def _connect(event: Event) -> int:
    global _doorkeeper  # noqa: PLW0603 - settings and keys are kept while the sandbox lives
    try:
        if _doorkeeper is None:
            _doorkeeper = Doorkeeper(_database)
        identity = _doorkeeper.identify(event)
        _database.open(_connection(event), _endpoint(event), as_json(identity))
    except RefusedError as refusal:
        _log("refused", event, code=refusal.code, reason=str(refusal))
        return refusal.code
    _log("connected", event, subject=identity.subject, role=identity.role)
    return 200


def _disconnect(event: Event) -> int:
    try:
        _database.close(_connection(event))
    except RefusedError as refusal:  # tick() removes it later
        _log("not forgotten", event, reason=str(refusal))
    return 200


def _message(event: Event) -> int:
    reply, stays = _answer(event)
    connection, gateway = _connection(event), _gateway(event)
    try:
        try:
            gateway.post(connection, reply)
        except TooLargeError:
            gateway.post(connection, _too_large(event, len(reply.encode())))
        if not stays:
            gateway.close(connection)
            _database.close(connection)
    except GoneError:
        _disconnect(event)
    except (PostError, TooLargeError) as error:
        _log("not delivered", event, reason=str(error))
    return 200


def _answer(event: Event) -> tuple[str, bool]:
    """Return the reply to a message, and whether the connection stays open."""
    request: Request | None = None
    try:
        request = parse(_body(event))
        identity = _identity(event)
        if request.method in ("subscribe", "unsubscribe"):
            raise RefusedError(501, NO_PUSH)
        reply = _database.call(request.text, identity)
    except RefusedError as refusal:
        return refusal.reply(request), refusal.code != 401
    if '"code": 403' in reply:
        _log("refused", event, subject=identity.subject, role=identity.role, code=403)
    return reply, True


def _identity(event: Event) -> Identity:
    found = _database.find(_connection(event))
    if found is None:
        raise RefusedError(401, "unknown connection: connect again")
    if found["expired"]:
        raise RefusedError(401, "the token has expired")
    return Identity(found["role"], found["subject"])


def _body(event: Event) -> str | bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body)
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise RefusedError(400, "not JSON") from None


def _too_large(event: Event, size: int) -> str:
    """Return the reply to send in place of one that is too large for API Gateway."""
    refusal = RefusedError(
        413,
        f"the request was executed, but its reply of {size:,} bytes is over the limit of "
        f"{MAX_REPLY:,} bytes: ask for less, for instance with a smaller limit",
    )
    return refusal.reply(parse(_body(event)))


def _connection(event: Event) -> str:
    return str(event["requestContext"]["connectionId"])


def _endpoint(event: Event) -> str:
    """Return the URL to post to: as configured, or where the client connected."""
    given = os.environ.get("LOCARIA_CONNECTIONS_URL")
    context = event["requestContext"]
    return given or f"https://{context['domainName']}/{context['stage']}"


def _gateway(event: Event) -> ApiGateway:
    endpoint = _endpoint(event)
    if endpoint not in _gateways:
        _gateways[endpoint] = ApiGateway(endpoint)
    return _gateways[endpoint]


def _log(what: str, event: Event, **more: object) -> None:
    """Log one line of JSON: never a body, a header or a query."""
    context = event["requestContext"]
    line = {"event": what, "route": context["routeKey"], "connection": _connection(event)}
    log.info(json.dumps(line | more))
