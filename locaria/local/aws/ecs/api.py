"""The HTTP side of the local ECS: AWS JSON 1.1 for boto3, and the task metadata endpoint."""

from __future__ import annotations

import hmac
import json
import logging
import re
import threading
import uuid
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from locaria.local.aws.ecs.faults import scripted_error
from locaria.local.aws.ecs.model import EcsError

if TYPE_CHECKING:
    from locaria.local.aws.ecs.control_plane import LocalEcs

log = logging.getLogger(__name__)
TARGET = "AmazonEC2ContainerServiceV20141113"
_OPERATIONS = {
    "RunTask": "run_task",
    "StopTask": "stop_task",
    "DescribeTasks": "describe_tasks",
    "ListTasks": "list_tasks",
    "DescribeClusters": "describe_clusters",
    "DescribeTaskDefinition": "describe_task_definition",
}
_MAX_BODY = 1_000_000


class EcsApi:
    """An HTTP server on 127.0.0.1 in front of a `LocalEcs`."""

    def __init__(self, ecs: LocalEcs, access_key: str | None, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.ecs = ecs
        self._server.access_key = access_key
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="ecs")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Serve in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving; calls under way are answered."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    ecs: LocalEcs
    access_key: str | None


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """The task metadata endpoint, version 4: `/v4/<task>` and `/v4/<task>/task`."""
        found = re.fullmatch(r"/v4/([0-9a-f]{32})(/task)?", self.path)
        metadata = self.server.ecs.metadata(found[1]) if found else None
        if metadata is None:
            self._answer(404, {"message": "unknown task"})
        else:
            self._answer(200, metadata if found and found[2] else metadata["Containers"][0])

    def do_POST(self) -> None:
        """An operation; or `/_control` with "script": […], "clear": true or "interrupt": arn."""
        length = int(self.headers.get("Content-Length", 0))
        if length > _MAX_BODY:
            self.close_connection = True
            self._answer(413, {"message": f"more than {_MAX_BODY} bytes"})
            return
        body = self.rfile.read(length)
        try:
            self._check_signer()
            answer = self._control(body) if self.path == "/_control" else self._operate(body)
        except EcsError as error:
            status = 500 if error.code == "ServerException" else 400
            said = {"__type": error.code, "message": error.message, **error.members}
            self._answer(status, said)
        except (KeyError, TypeError, ValueError) as error:
            said = {"__type": "InvalidParameterException", "message": f"Bad request: {error!r}"}
            self._answer(400, said)
        except Exception:
            log.exception("%s failed", self.headers.get("X-Amz-Target"))
            self._answer(500, {"__type": "ServerException", "message": "Internal Error"})
        else:
            self._answer(200, answer)

    def _check_signer(self) -> None:
        """Admit only who knows our access key id: other users of this machine reach the port."""
        wanted = self.server.access_key
        if wanted is None:
            return
        found = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization", ""))
        if found is None or not hmac.compare_digest(found[1], wanted):
            message = "The security token included in the request is invalid."
            raise EcsError("UnrecognizedClientException", message)

    def _operate(self, body: bytes) -> dict[str, Any]:
        name = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if name not in _OPERATIONS:
            raise EcsError("UnknownOperationException", f"{name} is not implemented here")
        ecs = self.server.ecs
        if name != "RunTask":  # which asks later: a stored answer comes before any fault
            fault = ecs.script.for_call(name)
            if fault:
                raise scripted_error(fault)
        operation = getattr(ecs, _OPERATIONS[name])
        answer: dict[str, Any] = operation(json.loads(body or b"{}"))
        return answer

    def _control(self, body: bytes) -> dict[str, Any]:
        asked = json.loads(body)
        if asked.get("clear"):
            self.server.ecs.script.clear()
        self.server.ecs.script.add(asked.get("script", []))
        if "interrupt" in asked:
            self.server.ecs.interrupt(asked["interrupt"])
        return {}

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        body = json.dumps(said, default=_timestamp).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Calls go to the runtime's log at level DEBUG."""
        log.debug(format, *args)


def _timestamp(value: object) -> float:
    """Times as AWS JSON 1.1 has them: seconds since 1970."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} is not JSON")
