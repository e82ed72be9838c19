"""The HTTP side of a listener: one JSON object in, one JSON object out.

Only requests are read and answers written here, in a thread for each connection; what they ask for
is done by the loader's own thread, one after the other.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from ._channel import Json
from ._commands import BadCommand, Command

_LOG = logging.getLogger("locaria_reporter")
_CONNECTIONS = 100
_SILENCE = 30.0
_TO_ANSWER = 5.0
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Limits:
    """What one listener takes on.

    Attributes:
        body: bytes of a request, at most.
        waiting: commands that wait for their turn, at most; further ones get 503.
        patience: seconds that a command waits for its turn, at most.
    """

    body: int = 1 << 20
    waiting: int = 16
    patience: float = 60.0


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


@dataclass(eq=False)
class Call:
    """A command on its way: from the thread of its connection to the loader's and back."""

    command: Command
    caller: str
    reply: Json | HttpError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def answer(self, reply: Json | HttpError) -> None:
        """Let the caller have it."""
        self.reply = reply
        self.done.set()


class CommandServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Takes commands over HTTP until stop().

    Args:
        listening: a bound and listening socket.
        check: raises BadCommand for a command that can't be done.
        describe: what GET / says.
        wake: called, in any thread, when there is something to do.
        token: a bearer token that every request must bring.
        limits: see Limits.
    """

    daemon_threads = True

    def __init__(
        self,
        listening: socket.socket,
        *,
        check: Callable[[Command], None],
        describe: Callable[[], Json],
        wake: Callable[[], None],
        token: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        address = listening.getsockname()
        self.address_family = listening.family
        super().__init__(address, _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_address = address
        self.check = check
        self.describe = describe
        self.token = token
        self.limits = limits or Limits()
        self.local_only = str(address[0]) in ("127.0.0.1", "::1")
        self.stopping: str | None = None
        self._wake = wake
        self._lock = threading.Condition()
        self._waiting: deque[Call] = deque()
        self._in_hand: Call | None = None
        self._answering = 0
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.2,), name="locaria-http", daemon=True
        )

    def start(self) -> None:
        """Serve, in threads of its own."""
        self._thread.start()

    def stop(self, reason: str) -> None:
        """Refuse what waits, let the answers under way be written, close; twice is fine."""
        self.refuse(reason)
        if self._in_hand is not None and not self._in_hand.done.is_set():
            self._in_hand.answer(HttpError(503, f"the listener stops: {self.stopping}"))
        self.shutdown()
        with self._lock:
            self._lock.wait_for(lambda: self._answering == 0, timeout=_TO_ANSWER)
        self.server_close()

    def refuse(self, reason: str) -> None:
        """From now on every command gets 503."""
        with self._lock:
            self.stopping = self.stopping or reason
            waiting, self._waiting = list(self._waiting), deque()
        for call in waiting:
            call.answer(HttpError(503, f"the listener stops: {self.stopping}"))

    @property
    def waiting(self) -> int:
        """How many commands wait for their turn."""
        return len(self._waiting)

    def next_call(self) -> Call | None:
        """The command whose turn it is."""
        with self._lock:
            if not self._waiting:
                return None
            self._in_hand = self._waiting.popleft()
            return self._in_hand

    def perform(self, call: Call) -> Json:
        """Called by a connection's thread: wait for the turn and for the reply."""
        with self._lock:
            if self.stopping is not None:
                raise HttpError(503, f"the listener stops: {self.stopping}")
            if len(self._waiting) >= self.limits.waiting:
                raise _busy(f"{len(self._waiting)} commands are waiting already")
            self._waiting.append(call)
        self._wake()
        if not call.done.wait(self.limits.patience):
            with self._lock:
                if call in self._waiting:
                    self._waiting.remove(call)
                    raise _busy(f"its turn did not come within {self.limits.patience:.0f} s")
            call.done.wait()
        assert call.reply is not None, "a call that is done has its reply"
        if isinstance(call.reply, HttpError):
            raise call.reply
        return call.reply

    # Connections

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            _LOG.warning("more than %s connections at once: one is refused", _CONNECTIONS)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _LOG.debug("connection %s of %s broke", request, client_address[0], exc_info=True)

    @contextlib.contextmanager
    def answering(self) -> Any:
        """While a request is answered; stop() waits for it."""
        with self._lock:
            self._answering += 1
        try:
            yield
        finally:
            with self._lock:
                self._answering -= 1
                self._lock.notify_all()


def _busy(why: str) -> HttpError:
    return HttpError(503, f"busy: {why}", headers={"Retry-After": "1"})


class _Handler(BaseHTTPRequestHandler):
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
            raise HttpError(404, "there is only /: GET tells what this is, POST takes a command")

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
        return self.server.perform(Call(command, self.client_address[0]))

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
