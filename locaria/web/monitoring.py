"""The monitoring endpoints `/live`, `/healthz` and `/metrics`."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from locaria.web.access.gate import Gate
from locaria.web.calls import Caller
from locaria.web.database import ApiDatabase
from locaria.web.messages import RefusedError
from locaria.web.metrics import Sample, render
from locaria.web.push.hub import Hub

_METRICS = "select metric, labels, value from locaria.get_metrics() order by metric, labels"
_TICK = """
select level, value from locaria.health where "check" = 'tick'
"""


class Monitoring:
    """The handlers of the monitoring endpoints."""

    def __init__(self, gate: Gate, database: ApiDatabase, hub: Hub, caller: Caller) -> None:
        self._gate = gate
        self._database = database
        self._hub = hub
        self._caller = caller
        self.connections = 0

    async def live(self, request: Request) -> Response:
        """Serve `/live`: 200 while this process runs, with or without its database."""
        del request
        return _json({"status": "ok"})

    async def healthz(self, request: Request) -> Response:
        """Serve `/healthz`: 200 if the database answers and tick() runs, else 503."""
        del request
        try:
            level, tick = (await self._database.rows("locaria_reader", _TICK))[0]
        except RefusedError as refusal:
            return _json({"status": "fail", "database": str(refusal), "tick": "unknown"}, 503)
        is_ok = level == "ok"
        body = {"status": "ok" if is_ok else "fail", "database": "ok", "tick": tick}
        return _json(body, 200 if is_ok else 503)

    async def metrics(self, request: Request) -> Response:
        """Serve `/metrics`; it takes a reader's token if identity is configured."""
        try:
            await self._gate.identify(request)
            rows = await self._database.rows("locaria_web", _METRICS)
        except RefusedError as refusal:
            return PlainTextResponse(f"{refusal}\n", refusal.code)
        text = render([*((row[0], row[1], row[2]) for row in rows), *self._own()])
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    def _own(self) -> list[Sample]:
        answered = self._caller.answered.items()
        return [
            ("locaria_web_connections", {}, self.connections),
            ("locaria_web_subscriptions", {}, self._hub.subscriptions),
            *(("locaria_web_requests_total", {"code": str(k)}, n) for k, n in sorted(answered)),
            ("locaria_web_request_seconds_total", {}, self._caller.seconds),
        ]


def _json(body: dict[str, str], status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")
