"""The web server of the local runtime: a process of its own, started again when it ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from locaria.web.sockets import bind, url_of

log = logging.getLogger(__name__)
_BACKOFF_S = (0.1, 0.5, 1.0, 5.0, 15.0)
_STEADY_S = 30.0
_TERM_S = 8.0


class WebServer:
    """Runs `python -m locaria.web` on a socket that outlives it, so its address never changes.

    Parameters
        dsn   of the login that serves clients.
        host  the interface; identity must be configured for any but loopback.
        port  wanted; the next free one is taken when it is in use. 0: any free one.
        log_path  where its log goes.
    """

    def __init__(self, dsn: str, host: str, port: int, log_path: Path) -> None:
        self._log_path = log_path
        self._environment = os.environ | {"LOCARIA_WEB_DSN": dsn}
        self._host = host
        self._socket = bind(host, port, next_free=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="web-keeper")

    @property
    def http(self) -> str:
        """The base URL."""
        return url_of(self._socket)

    @property
    def ws(self) -> str:
        """The URL of the WebSocket."""
        return f"{url_of(self._socket, 'ws')}/ws"

    @property
    def pid(self) -> int | None:
        """The process that serves now; None between two."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start serving; returns when it answers or has failed once, which is logged."""
        self._process = self._launch()
        self._thread.start()
        deadline = time.monotonic() + 15
        while self.pid is not None and time.monotonic() < deadline and not self._stopping.is_set():
            if self._answers():
                return
            time.sleep(0.05)
        log.error("the web server does not answer yet at %s", self.http)

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._stopping.set()
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.http}/live", timeout=5):  # noqa: S310 - ours
                return True
        except urllib.error.HTTPError:
            return True
        except (OSError, ValueError):
            return False

    def _launch(self) -> subprocess.Popen[bytes]:
        descriptor = self._socket.fileno()
        command = [sys.executable, "-m", "locaria.web", "--with-parent"]
        self._log_path.touch(mode=0o600)
        with self._log_path.open("ab") as output:
            return subprocess.Popen(
                [*command, "--host", self._host, "--fd", str(descriptor)],
                stdin=subprocess.PIPE,  # which ends when we do, however that happens
                stdout=output,
                stderr=output,
                pass_fds=[descriptor],
                env=self._environment,
            )

    def _keep(self) -> None:
        """Wait for the process to end, and start it again unless we are stopping."""
        failures = 0
        while True:
            process, began = self._process, time.monotonic()
            assert process is not None
            code = self._await_end(process)
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - began > _STEADY_S else failures + 1
            log.error("the web server ended with %s: starting it again", code)
            if self._stopping.wait(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]):
                return
            self._process = self._launch()
            if self._stopping.is_set():
                self._process.terminate()

    def _await_end(self, process: subprocess.Popen[bytes]) -> int:
        """The exit code; a process that does not heed SIGTERM is killed."""
        while True:
            try:
                code = process.wait(_TERM_S)
            except subprocess.TimeoutExpired:
                if self._stopping.is_set():
                    process.kill()
            else:
                if process.stdin is not None:
                    process.stdin.close()
                return code
