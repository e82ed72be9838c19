"""The application: which path is answered by what."""

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
LOOK_S = 1.0
"""How often is looked whether tokens were revoked."""


class Server:
    """What the routes share: the database, the subscriptions, the settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = ApiDatabase(settings.dsn, connections=settings.connections)
        self.hub = Hub(self.database, settings.dsn)
        self.caller = Caller(self.database)
        self.gate = Gate(settings, self.database)
        self._sessions: set[Session] = set()
        self.monitoring = Monitoring(self.gate, self.database, self.hub, self.caller)

    async def socket(self, socket: WebSocket) -> None:
        """`/ws`."""
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
        """Close the connections whose token was revoked, for as long as the server runs.

        Twice in a row it must be unknown: a file that is just being written is no revocation.
        """
        unknown: set[Session] = set()
        while True:
            await asyncio.sleep(LOOK_S)
            before = unknown
            unknown = {each for each in self._sessions if not self.gate.knows(each.identity)}
            for session in unknown & before:
                session.revoke()

    async def api(self, asking: HttpRequest) -> Response:
        """`POST /api`: one request, one reply, the same JSON as over the WebSocket."""
        request = None
        try:
            identity = await self._identify(asking)
            request = parse((await self._body(asking)).decode(), self.settings.limit)
            if request.method in ("subscribe", "unsubscribe"):
                raise RefusedError(501, "subscriptions need the WebSocket, at /ws")
            reply = await self.caller.call(request, identity)
        except UnicodeDecodeError:
            return _refusal(RefusedError(400, "not UTF-8"))
        except RefusedError as refusal:
            return _refusal(refusal, request)
        return _json(reply.text, reply.code if reply.code and reply.code >= 400 else 200)

    async def ticket(self, asking: HttpRequest) -> Response:
        """`POST /ticket`: with it a browser, which can't send a token there, opens a WebSocket."""
        try:
            identity = await self._identify(asking)
            ticket = await self.gate.issue(identity)
        except RefusedError as refusal:
            return _refusal(refusal)
        who = {"role": identity.role, "subject": identity.subject}
        return _json(json.dumps({"ticket": ticket, "expires_in": TICKET_S} | who))

    async def _identify(self, asking: HttpRequest) -> Identity:
        kind = asking.headers.get("content-type", "").partition(";")[0].strip().lower()
        identity = await self.gate.identify(asking)
        if kind != "application/json":  # which a page of another origin can't send unasked
            raise RefusedError(415, "the header Content-Type must be application/json")
        return identity

    async def _body(self, asking: HttpRequest) -> bytes:
        """The body, of which no more is kept than is allowed."""
        limit, body = self.settings.limit, bytearray()
        async for part in asking.stream():
            body += part
            if len(body) > limit:
                raise too_large(limit)
        return bytes(body)

    async def dashboard(self, asking: HttpRequest) -> Response:
        """`/`: the page."""
        del asking
        if not DASHBOARD.exists():
            return PlainTextResponse("Locaria. The API is at /ws and POST /api.\n")
        return FileResponse(DASHBOARD)

    async def description(self, asking: HttpRequest) -> Response:
        """`/openapi.json`, `/asyncapi.json`: this API, for machines."""
        return FileResponse(HERE / asking.url.path.lstrip("/"), media_type="application/json")

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Open the database before the first request, close it after the last."""
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
    """The ASGI application."""
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
