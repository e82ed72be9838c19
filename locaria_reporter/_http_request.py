"""One connection of a listener's HTTP side: one JSON object in, one JSON object out."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from locaria_reporter._channel import Json
from locaria_reporter._commands import BadCommand, Command

if TYPE_CHECKING:
    from locaria_reporter._http import CommandServer

_SILENCE = 30.0
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")


class HttpError(Exception):
    """An answer that is no success.

    Args:
        status: of HTTP.
        message: for the caller.
        errors: path → reason.
        headers: further ones.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = dict(errors or {})
        self.headers = dict(headers or {})
        self.more: Json = {}

    def body(self) -> Json:
        """As JSON, in the words of the WebSocket API."""
        body: Json = {"code": self.status, "message": self.message, **self.more}
        if self.errors:
            body["errors"] = [{"path": p, "reason": r} for p, r in self.errors.items()]
        return body


class RequestHandler(BaseHTTPRequestHandler):
    """Reads requests, has the server perform them, writes the answers."""

    server: CommandServer
    protocol_version = "HTTP/1.1"
    server_version = "Locaria"
    sys_version = ""
    timeout = _SILENCE

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, act: Callable[[], Json]) -> None:
        with self.server.answering():
            try:
                self._admit()
                self._send(200, act())
            except HttpError as error:
                # Something of the request may not have been read.
                self.close_connection = True
                self._send(error.status, error.body(), error.headers)

    def _admit(self) -> None:
        token = self.server.token
        if token is not None:
            given = self.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                raise HttpError(
                    401, "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"}
                )
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if self.server.local_only and host.lower() not in _LOCAL_NAMES:
            # A page in a browser whose name was made to point here (DNS rebinding).
            raise HttpError(421, f"this is not {host}")
        if self.path.partition("?")[0] != "/":
            raise HttpError(404, "the only path is /: GET describes it, POST takes a command")

    def _get(self) -> Json:
        return self.server.describe()

    def _post(self) -> Json:
        request = self._read()
        echo = {"request_id": request["request_id"]} if "request_id" in request else {}
        try:
            return self._perform(request) | echo
        except HttpError as error:
            error.more = echo
            raise

    def _perform(self, request: Json) -> Json:
        name = request.get("command")
        if not isinstance(name, str) or not name:
            raise HttpError(422, "no command", errors={"command": "must be a text"})
        parameters = request.get("parameters", {})
        if not isinstance(parameters, dict):
            raise HttpError(422, "no parameters", errors={"parameters": "must be an object"})
        unknown = request.keys() - {"command", "parameters", "request_id"}
        if unknown:
            errors = dict.fromkeys(sorted(unknown), "is unknown; known: command, parameters")
            raise HttpError(422, "the request is not understood", errors=errors)
        command = Command(name, parameters)
        try:
            self.server.check(command)
        except BadCommand as bad:
            raise HttpError(422, bad.message, errors=bad.errors) from None
        return self.server.perform(command, self.client_address[0])

    def _read(self) -> Json:
        # A page of another site can send a form, but no JSON unless it is allowed to.
        kind = self.headers.get_content_type()
        if kind != "application/json":
            raise HttpError(415, f"the command must be application/json, not {kind}")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise HttpError(411, "Content-Length is needed")
        if len(length) > 12 or int(length) > self.server.limits.body:
            raise HttpError(413, f"more than {self.server.limits.body} bytes")
        try:
            request = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise HttpError(400, f"not JSON: {error}") from None
        if not isinstance(request, dict):
            raise HttpError(400, 'not an object like {"command": "…", "parameters": {…}}')
        return request

    def _send(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body, default=str).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library finds wrong, as JSON like everything else."""
        self.close_connection = True
        status = 405 if code == 501 else code
        allow = {"Allow": "GET, POST"} if status == 405 else {}
        words = message or explain or self.responses.get(code, ("",))[0]
        self._send(status, HttpError(status, words).body(), allow)

    def log_message(self, format: str, *args: Any) -> None:
        """Commands are logged with their outcome; requests are not."""
