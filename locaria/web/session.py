"""One WebSocket connection: requests in order, with events in between."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from locaria.web.access.identity import Identity
from locaria.web.calls import Caller
from locaria.web.messages import RefusedError, Request, parse
from locaria.web.push.hub import Hub
from locaria.web.push.outbox import Outbox
from locaria.web.push.watchers import Subscriber

log = logging.getLogger(__name__)

MAX_SUBSCRIPTIONS = 1_000
EXPIRED = 4401
"""Close code: the token of the connection has expired or was revoked (like HTTP's 401)."""


class Session:
    """Serves one accepted connection.

    Args:
        socket: The connection.
        identity: The identity of the client.
        caller: Answers all requests except those about subscriptions.
        hub: The subscriptions of the server.
        limit: The maximum size of a request in bytes.
    """

    def __init__(
        self, socket: WebSocket, identity: Identity, caller: Caller, hub: Hub, limit: int
    ) -> None:
        self._socket = socket
        self._identity = identity
        self._caller = caller
        self._hub = hub
        self._limit = limit
        self._outbox = Outbox(socket)
        self._revoked = asyncio.Event()
        self._subscriber = Subscriber(identity.database_role, self._outbox)
        self._methods: dict[str, Callable[[Request], Awaitable[None]]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
        }

    @property
    def identity(self) -> Identity:
        """The identity of the client."""
        return self._identity

    def revoke(self) -> None:
        """Close the connection because its token was revoked."""
        self._revoked.set()

    async def run(self) -> None:
        """Serve until the client disconnects, or its token expires or is revoked."""
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._write()),
            asyncio.create_task(self._revoked.wait()),
        ]
        try:
            await asyncio.wait(
                tasks, timeout=self._time_left(), return_when=asyncio.FIRST_COMPLETED
            )
            if self._identity.is_expired or self._revoked.is_set():
                reason = f"the token {'was revoked' if self._revoked.is_set() else 'has expired'}"
                log.info("closing the connection of %s: %s", self._identity.subject, reason)
                await self._close(EXPIRED, reason)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            self._hub.unsubscribe(self._subscriber, None)
        for each in ended:
            if isinstance(each, Exception) and not isinstance(each, WebSocketDisconnect | OSError):
                raise each

    def _time_left(self) -> float | None:
        expires = self._identity.expires
        return None if expires is None else max(0.0, expires - time.time())

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect, OSError, TimeoutError):
                await asyncio.wait_for(self._socket.close(code, reason), 5)

    async def _write(self) -> None:
        while True:
            await self._outbox.send_all()
            if self._outbox.missed:
                await self._hub.catch_up(self._subscriber)

    async def _read(self) -> None:
        while True:
            await self._outbox.has_room()
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            await self._answer(text if text is not None else message.get("bytes") or b"")

    async def _answer(self, message: str | bytes) -> None:
        request: Request | None = None
        try:
            request = parse(message, self._limit)
            method = self._methods.get(request.method) if _is_text(request.method) else None
            if method is not None:
                await method(request)
            else:
                self._outbox.put((await self._caller.call(request, self._identity)).text)
        except RefusedError as refusal:
            self._outbox.put(refusal.reply(request))

    async def _subscribe(self, request: Request) -> None:
        file = _number(request, "container_id")
        after = _number(request, "after_log", least=0) or 0
        if file is not None and len(self._subscriber.files) >= MAX_SUBSCRIPTIONS:
            raise RefusedError(
                422,
                f"a connection can subscribe to {MAX_SUBSCRIPTIONS:,} files: subscribe to all "
                "instead, without container_id",
            )
        reply = _reply(request, subscribed="all" if file is None else file)
        if not await self._hub.subscribe(self._subscriber, file, after, reply):
            raise RefusedError(404, f"there is no file with container_id {file}")

    async def _unsubscribe(self, request: Request) -> None:
        file = _number(request, "container_id")
        self._hub.unsubscribe(self._subscriber, file)
        self._outbox.put(_reply(request, unsubscribed="all" if file is None else file))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _number(request: Request, key: str, least: int = 1) -> int | None:
    """Return the integer under a key of a request; None if it is absent."""
    value = request.body.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise RefusedError(422, f"{key} must be an integer of at least {least}")
    return value


def _reply(request: Request, **body: Any) -> str:
    if "request_id" in request.body:
        body["request_id"] = request.body["request_id"]
    return json.dumps(body)
