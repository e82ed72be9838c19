"""Answers in JSON, errors too: Pacifica's clients parse whatever they get."""

from __future__ import annotations

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

_LOG = logging.getLogger("bundle_ingest")
_LINGER_S = 30.0


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.more = more


def error(status: int, message: str, **more: Any) -> JSONResponse:
    """An error in the shape of the released service, with what else is known of the job."""
    known = status in HTTPStatus._value2member_map_  # 460 is tus's own.
    words = f"{status} {HTTPStatus(status).phrase if known else message}"
    return Lingering({"status": words, "message": message, **more}, status_code=status)


class Lingering(JSONResponse):
    """Answers while the client may still be sending, and reads on for a while.

    A client that writes its whole body before it reads would otherwise see a broken connection
    instead of the reason. HTTP servers call it a lingering close.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; its end only when the client is done, or 30 seconds are over."""
        del scope
        self.headers["connection"] = "close"
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        deadline = time.monotonic() + _LINGER_S
        try:
            async with asyncio.timeout(_LINGER_S):
                while time.monotonic() < deadline:
                    message = await receive()
                    if message["type"] != "http.request" or not message.get("more_body"):
                        break
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def on_refused(request: Request, refused: Exception) -> Response:
    """A refusal as JSON."""
    del request
    assert isinstance(refused, Refused)
    return error(refused.status, refused.message, **refused.more)


async def on_http(request: Request, raised: Exception) -> Response:
    """Unknown paths and methods."""
    assert isinstance(raised, HTTPException)
    return error(raised.status_code, f"{request.method} {request.url.path}: {raised.detail}")


async def on_outage(request: Request, raised: Exception) -> Response:
    """The database is away."""
    del request
    _LOG.warning("the database did not answer: %s", raised)
    return error(503, "the database does not answer")


async def on_trouble(request: Request, raised: Exception) -> Response:
    """What should not happen; the log has the rest."""
    del request
    return error(500, f"{type(raised).__name__}: {raised}")
