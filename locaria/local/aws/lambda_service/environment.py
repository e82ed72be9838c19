"""The execution environments of a Lambda function, as seen by the queue that uses them."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from locaria.local.aws.lambda_service import worker as lambda_worker

LOG_TAIL_BYTES = 4096  # of `log_type => 'Tail'`
_MAX_LOG_BYTES = 10_000_000


class EnvironmentsClosedError(Exception):
    """A handler was to be called after the environments were ended."""


@dataclass(frozen=True)
class LambdaFunction:
    """A deployed function: its handler's file, its environment variables, its limits."""

    name: str
    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 60.0

    @property
    def arn(self) -> str:
        """The ARN under which local functions go."""
        return f"arn:aws:lambda:local:000000000000:function:{self.name}"


@dataclass(frozen=True)
class Reply:
    """What became of one call of a handler."""

    payload: Any
    failed: bool
    log_tail: str


class LambdaEnvironment:
    """One process that takes one request after another, as an environment on AWS does."""

    def __init__(self, function: LambdaFunction, log_path: Path) -> None:
        self._function = function
        self._log_path = log_path
        with ExitStack() as undo, log_path.open("ab") as log:
            log_path.chmod(0o600)
            read_end, write_end = os.pipe()
            self._replies = undo.enter_context(os.fdopen(read_end, "rb", buffering=0))
            with os.fdopen(write_end, "wb", buffering=0):
                self._process = subprocess.Popen(
                    [sys.executable, "-Pu", lambda_worker.__file__, function.path, str(write_end)],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(write_end,),
                    env=_base_environment() | dict(function.environment),
                    start_new_session=True,  # Ctrl-C in a terminal is for the runtime, not for it
                )
            undo.pop_all()

    @property
    def alive(self) -> bool:
        """Whether it can take a request."""
        return self._process.poll() is None

    def invoke(
        self, event: Any, request_id: str, client_context: dict[str, Any] | None = None
    ) -> Reply:
        """Call the handler. Never raises for what the handler does: the reply says it."""
        started_at = self._log_path.stat().st_size
        context = {
            "request_id": request_id,
            "function_name": self._function.name,
            "arn": self._function.arn,
            "timeout_s": self._function.timeout_s,
            "client_context": client_context,
        }
        line = self._exchange(json.dumps({"event": event, "context": context}))
        tail = self._log_since(started_at)
        if isinstance(line, dict):
            return Reply(line | {"requestId": request_id}, failed=True, log_tail=tail)
        said = json.loads(line)
        failed = "error" in said
        return Reply(said["error"] if failed else said["payload"], failed, tail)

    def kill(self) -> None:
        """End the process, together with whatever the handler started."""
        if self.alive:
            with suppress(ProcessLookupError):  # gone, and taken note of by the call under way
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the process and let go of its pipes; not while a call is under way."""
        self.kill()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # a request that it died before reading
                self._process.stdin.close()
        self._replies.close()

    def _exchange(self, request: str) -> bytes | dict[str, Any]:
        """Send a line and return the line that answers it, or the error of a dead environment."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request.encode() + b"\n")
            self._process.stdin.flush()
            line = self._read_line()
        except BrokenPipeError:
            line = b""
        except TimeoutError:
            self.kill()
            seconds = self._function.timeout_s
            message = f"Task timed out after {seconds:.2f} seconds"
            return {"errorMessage": message, "errorType": "Sandbox.Timedout"}
        if line:
            return line
        status = self._process.wait()
        message = f"Runtime exited with error: exit status {status}"
        return {"errorMessage": message, "errorType": "Runtime.ExitError"}

    def _read_line(self) -> bytes:
        deadline = time.monotonic() + self._function.timeout_s
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                chunk = self._replies.read(65536)
                if not chunk:
                    return b""
                received += chunk
        return received

    def _log_since(self, start: int) -> str:
        with self._log_path.open("r+b") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(start, size - LOG_TAIL_BYTES))
            tail = log.read()
            if size > _MAX_LOG_BYTES:
                log.truncate(0)
        return tail.decode(errors="replace").replace("\0", "")


class LambdaEnvironments:
    """The environments of all functions: an idle one is used again, else one is started."""

    def __init__(self, functions: Mapping[str, LambdaFunction], log_dir: Path) -> None:
        self._functions = functions
        self._log_dir = log_dir
        self._lock = threading.Lock()
        self._idle: dict[str, list[LambdaEnvironment]] = {name: [] for name in functions}
        self._all: set[LambdaEnvironment] = set()
        self._started = 0
        self._closed = False
        log_dir.mkdir(parents=True, exist_ok=True)

    def warm(self) -> None:
        """Start one environment of each function, so that the first call need not wait for it."""
        for function in self._functions.values():
            self._give_back(function.name, self._start(function))

    def invoke(
        self, name: str, event: Any, request_id: str, client_context: dict[str, Any] | None = None
    ) -> Reply:
        """Call the handler of function `name` in an environment that is free.

        Raises EnvironmentsClosedError, or OSError where the system has no disk or process for one.
        """
        environment = self._take(name)
        try:
            return environment.invoke(event, request_id, client_context)
        except OSError:
            environment.kill()
            raise
        finally:
            self._give_back(name, environment)

    def kill(self) -> None:
        """End all environments; calls that are under way answer with an error, new ones raise."""
        with self._lock:
            self._closed = True
            ending = list(self._all)
        for environment in ending:
            environment.kill()

    def close(self) -> None:
        """Let go of everything; not while a call is under way."""
        self.kill()
        for environment in self._all:
            environment.close()
        self._all.clear()

    def _take(self, name: str) -> LambdaEnvironment:
        with self._lock:
            idle = self._idle[name]
            while idle:
                environment = idle.pop()
                if environment.alive:
                    return environment
                self._forget(environment)
        return self._start(self._functions[name])

    def _start(self, function: LambdaFunction) -> LambdaEnvironment:
        with self._lock:
            if self._closed:
                raise EnvironmentsClosedError
            self._started += 1
            log_path = self._log_dir / f"{function.name}-{self._started}.log"
            environment = LambdaEnvironment(function, log_path)
            self._all.add(environment)
        return environment

    def _give_back(self, name: str, environment: LambdaEnvironment) -> None:
        with self._lock:
            if environment.alive:
                self._idle[name].append(environment)
            elif not self._closed:
                self._forget(environment)

    def _forget(self, environment: LambdaEnvironment) -> None:
        environment.close()
        self._all.discard(environment)


def _base_environment() -> dict[str, str]:
    """The few variables that a process needs to run at all; a function gets no others of ours."""
    wanted = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in wanted if name in os.environ}
