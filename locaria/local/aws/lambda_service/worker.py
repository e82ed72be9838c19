"""One execution environment of one Lambda function: a process that calls its handler.

Run as a script, with the handler's file as its argument: it must not import Locaria, as on AWS.
A request is one line of JSON on stdin, its reply one line on the file descriptor given as the
second argument. What the handler prints goes to stdout and stderr, its log. Ends when stdin ends,
so that no environment outlives a runtime that was killed.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Handler = Callable[[Any, Any], Any]


class LambdaContext:
    """What Lambda passes to a handler as its second argument."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.aws_request_id: str = given["request_id"]
        self.function_name: str = given["function_name"]
        self.function_version = "$LATEST"
        self.invoked_function_arn: str = given["arn"]
        self.memory_limit_in_mb = "128"
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = f"local/[$LATEST]{os.getpid()}"
        self.identity = None
        client = given.get("client_context")
        self.client_context = None if client is None else SimpleNamespace(**client)
        self._deadline = time.monotonic() + given["timeout_s"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until this environment is killed."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def load(path: Path) -> Handler:
    """The function `handler` of the module `path`, imported from its own folder."""
    sys.path.insert(0, str(path.parent))
    handler: Handler = importlib.import_module(path.stem).handler
    return handler


def describe(error: BaseException, request_id: str) -> dict[str, Any]:
    """An error in the shape in which the Python runtime of Lambda returns it."""
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_tb(error.__traceback__)[1:],  # without this module
    }


def reply_to(handler: Handler | Exception, line: str) -> str:
    """Call the handler with one request and put its result, or its error, in a line of JSON."""
    request = json.loads(line)
    context = LambdaContext(request["context"])
    print(f"START RequestId: {context.aws_request_id} Version: $LATEST", flush=True)
    try:
        if isinstance(handler, Exception):
            raise handler
        reply = json.dumps({"payload": handler(request["event"], context)})
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the reply says it, as on AWS
        described = describe(error, context.aws_request_id)
        print(f"[ERROR] {described['errorType']}: {described['errorMessage']}")
        print("Traceback (most recent call last):\n", *described["stackTrace"], sep="")
        reply = json.dumps({"error": described})
    print(f"END RequestId: {context.aws_request_id}")
    sys.stdout.flush()
    sys.stderr.flush()
    return reply


def main() -> None:
    """Serve requests until stdin ends."""
    path, reply_fd = Path(sys.argv[1]), int(sys.argv[2])
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="[%(levelname)s] %(message)s")
    handler: Handler | Exception
    try:
        handler = load(path)
    except Exception as error:  # noqa: BLE001 - whatever it is, every invocation answers with it
        handler = error
    with os.fdopen(reply_fd, "w") as replies:
        for line in sys.stdin:
            replies.write(reply_to(handler, line) + "\n")
            replies.flush()


if __name__ == "__main__":
    main()
