"""The ASGI application: the routes and what they share."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from locaria.web.access.gate import TICKET_S, Gate
from locaria.web.access.headers import SafeHeaders
from locaria.web.access.identity import Identity
from locaria.web.calls import Caller
from locaria.web.database import ApiDatabase
from locaria.web.messages import RefusedError, Request, parse, too_large
from locaria.web.monitoring import Monitoring
from locaria.web.push.hub import Hub
from locaria.web.session import Session
from locaria.web.settings import Settings

log = logging.getLogger(__name__)
HERE = Path(__file__).parent
STATIC = HERE / "static"
DASHBOARD = STATIC / "index.html"
REVOCATION_CHECK_S = 1.0
"""Seconds between two checks for revoked tokens."""


class Server:
    """The handlers of the routes, and what they share: settings, database and subscriptions."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = ApiDatabase(settings.dsn, connections=settings.connections)
        self.hub = Hub(self.database, settings.dsn)
        self.caller = Caller(self.database)
        self.gate = Gate(settings, self.database)
        self._sessions: set[Session] = set()
        self.monitoring = Monitoring(self.gate, self.database, self.hub, self.caller)

    async def socket(self, socket: WebSocket) -> None:
        """Serve `/ws`: one WebSocket connection."""
        try:
            identity = await self.gate.identify(socket, ticket=True)
        except RefusedError as refusal:
            await socket.send_denial_response(_refusal(refusal))
            return
        await socket.accept()
        self.monitoring.connections += 1
        session = Session(socket, identity, self.caller, self.hub, self.settings.limit)
        self._sessions.add(session)
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
            self.monitoring.connections -= 1

    async def watch_tokens(self) -> None:
        """Close connections whose token has been revoked, until cancelled.

        A token counts as revoked after two checks in a row, because a token file that is just
        being written is incomplete.
        """
        unknown: set[Session] = set()
        while True:
            await asyncio.sleep(REVOCATION_CHECK_S)
            before = unknown
            unknown = {each for each in self._sessions if not self.gate.knows(each.identity)}
            for session in unknown & before:
                session.revoke()

    async def api(self, http: HttpRequest) -> Response:
        """Serve `POST /api`: one request and its reply, the same JSON as over the WebSocket."""
        request = None
        try:
            identity = await self._identify(http)
            request = parse((await self._body(http)).decode(), self.settings.limit)
            if request.method in ("subscribe", "unsubscribe"):
                raise RefusedError(
                    501, "subscriptions are available over the WebSocket at /ws only"
                )
            reply = await self.caller.call(request, identity)
        except UnicodeDecodeError:
            return _refusal(RefusedError(400, "the body is not valid UTF-8"))
        except RefusedError as refusal:
            return _refusal(refusal, request)
        return _json(reply.text, reply.code if reply.code and reply.code >= 400 else 200)

    async def ticket(self, http: HttpRequest) -> Response:
        """Serve `POST /ticket`: browsers open a WebSocket with it."""
        try:
            identity = await self._identify(http)
            ticket = await self.gate.issue(identity)
        except RefusedError as refusal:
            return _refusal(refusal)
        who = {"role": identity.role, "subject": identity.subject}
        return _json(json.dumps({"ticket": ticket, "expires_in": TICKET_S} | who))

    async def _identify(self, http: HttpRequest) -> Identity:
        kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
        identity = await self.gate.identify(http)
        if kind != "application/json":  # a form on another origin's page can't send this type
            raise RefusedError(415, f"Content-Type is {kind!r}: it must be application/json")
        return identity

    async def _body(self, http: HttpRequest) -> bytes:
        """Read the body, but no more of it than the limit allows."""
        limit, body = self.settings.limit, bytearray()
        async for part in http.stream():
            body += part
            if len(body) > limit:
                raise too_large(limit)
        return bytes(body)

    async def dashboard(self, http: HttpRequest) -> Response:
        """Serve `/`: the dashboard."""
        del http
        if not DASHBOARD.exists():
            return PlainTextResponse("Locaria. The API is at /ws and at POST /api.\n")
        return FileResponse(DASHBOARD)

    async def description(self, http: HttpRequest) -> Response:
        """Serve `/openapi.json` and `/asyncapi.json`: the descriptions of the API."""
        return FileResponse(HERE / http.url.path.lstrip("/"), media_type="application/json")

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Open the database before the first request and close it after the last one."""
        del app
        await self.database.open()
        watching = asyncio.create_task(self.watch_tokens(), name="tokens")
        try:
            yield
        finally:
            watching.cancel()
            await self.hub.stop()
            await self.database.close()


def make_app(server: Server) -> Starlette:
    """Return the ASGI application of a server."""
    routes = [
        WebSocketRoute("/ws", server.socket),
        Route("/api", server.api, methods=["POST"]),
        Route("/ticket", server.ticket, methods=["POST"]),
        Route("/live", server.monitoring.live),
        Route("/healthz", server.monitoring.healthz),
        Route("/metrics", server.monitoring.metrics),
        Route("/openapi.json", server.description),
        Route("/asyncapi.json", server.description),
        Route("/", server.dashboard),
        Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
    ]
    return Starlette(routes=routes, lifespan=server.lifespan, middleware=[Middleware(SafeHeaders)])


def _refusal(refusal: RefusedError, request: Request | None = None) -> Response:
    answer = _json(refusal.reply(request), refusal.code)
    if refusal.code == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _json(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type="application/json")
