"""API Gateway's WebSocket API as far as a client and a Lambda function see it, limits included.

Enforced as AWS documents them (API Gateway: quotas for WebSocket APIs; botocore:
apigatewaymanagementapi): frames of 32 KB, messages of 128 KB, close code 1009 beyond; messages
posted up to 128 KB, else 413; 410 for a connection that has gone or is not established yet; 429
when a test says that the client's buffer is full; a connection stands only when `$connect` says
200.
"""

import base64
import json
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

MAX_FRAME, MAX_MESSAGE = 32 * 1024, 128 * 1024
Handler = Callable[[dict[str, Any], object], dict[str, Any]]


class FakeApiGateway:
    """Serves clients on one port and `@connections` on another."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._lock = threading.Lock()  # one sandbox: Lambda gives it one event at a time
        self._open: dict[str, ServerConnection] = {}
        self._ids: dict[ServerConnection, str] = {}
        self.authorizer: dict[str, Any] = {}
        self.full_buffers = 0  # so many posts are answered by 429
        self.posts = 0
        self.loses_disconnects = False
        self.events: list[dict[str, Any]] = []
        self._sockets: Server = serve(
            self._serve, "127.0.0.1", 0, process_request=self._admit, max_size=MAX_MESSAGE
        )
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._make_http())
        self._threads = [
            threading.Thread(target=self._sockets.serve_forever),
            threading.Thread(target=self._http.serve_forever),
        ]

    @property
    def ws(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self._sockets.socket.getsockname()[1]}/v1"

    @property
    def endpoint(self) -> str:
        """Where the function posts to connections."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def is_open(self, connection: str) -> bool:
        """Whether a client is connected."""
        return connection in self._open

    def invoke(self, route: str, connection: str, **more: Any) -> dict[str, Any]:
        """Give the function an event of a route."""
        kinds = {"$connect": "CONNECT", "$disconnect": "DISCONNECT"}
        event = {
            "requestContext": {
                "routeKey": route,
                "eventType": kinds.get(route, "MESSAGE"),
                "connectionId": connection,
                "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
                "stage": "v1",
                "apiId": "abc",
                "identity": {"sourceIp": "192.0.2.1"},
                **({"authorizer": self.authorizer} if self.authorizer else {}),
            },
            "isBase64Encoded": False,
            **more,
        }
        with self._lock:
            self.events.append(event)
            return self._handler(event, None)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        made = base64.b64encode(uuid.uuid4().bytes).decode()  # with "=", "/" and "+", as theirs
        query = {k: v[-1] for k, v in parse_qs(urlsplit(request.path).query).items()}
        headers = dict(request.headers.raw_items())
        answer = self.invoke("$connect", made, headers=headers, queryStringParameters=query or None)
        if answer["statusCode"] != 200:
            status = HTTPStatus(answer["statusCode"])
            return connection.respond(status, "refused\n")
        self._ids[connection] = made
        return None

    def _serve(self, connection: ServerConnection) -> None:
        made = self._ids[connection]
        self._open[made] = connection
        try:
            while True:
                self._pass_on(made, connection)
        except ConnectionClosed:
            pass
        finally:
            del self._open[made]
            if not self.loses_disconnects:
                self.invoke("$disconnect", made)

    def _pass_on(self, made: str, connection: ServerConnection) -> None:
        """One message of a client, if no frame of it is too large."""
        frames: list[Any] = []
        for frame in connection.recv_streaming():
            if len(frame.encode() if isinstance(frame, str) else frame) > MAX_FRAME:
                connection.close(1009, "frame too large")
            frames.append(frame)
        if isinstance(frames[0], bytes):
            body = base64.b64encode(b"".join(frames)).decode()
            self.invoke("$default", made, body=body, isBase64Encoded=True)
        else:
            self.invoke("$default", made, body="".join(frames))

    def _make_http(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Connections(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(*gateway._post(self._connection(), data))

            def do_DELETE(self) -> None:
                connection = gateway._open.get(self._connection())
                if connection is None:
                    self._answer(410, "GoneException")
                    return
                connection.close()
                self._answer(204, "")

            def _connection(self) -> str:
                return unquote(self.path.rpartition("/@connections/")[2])

            def _answer(self, status: int, kind: str) -> None:
                body = json.dumps({"message": kind}).encode() if kind else b""
                self.send_response(status)
                if kind:
                    self.send_header("x-amzn-ErrorType", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Connections

    def _post(self, made: str, data: bytes) -> tuple[int, str]:
        self.posts += 1
        connection = self._open.get(made)
        if connection is None:
            return 410, "GoneException"
        if len(data) > MAX_MESSAGE:
            return 413, "PayloadTooLargeException"
        if self.full_buffers:
            self.full_buffers -= 1
            return 429, "LimitExceededException"
        text = data.decode()
        with suppress(ConnectionClosed):
            connection.send([text[at : at + 8_000] for at in range(0, len(text), 8_000)])
        return 200, ""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._sockets.shutdown()
        self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            thread.join()
