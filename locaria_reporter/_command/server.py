"""The socket of a run: one JSON object a line from the subcommands, one in answer."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from locaria_reporter._errors import Outcome, ReporterError

_LONGEST = 1 << 20


class _Handler(socketserver.StreamRequestHandler):
    server: ReportServer

    def handle(self) -> None:
        line = self.rfile.readline(_LONGEST)
        self.wfile.write(json.dumps(self.server.answer(line)).encode() + b"\n")


class ReportServer(socketserver.ThreadingUnixStreamServer):
    """Serves until stop().

    Args:
        path: of the socket.
        apply: does a request; raises ValueError, ReporterError or an Outcome.
    """

    daemon_threads = True

    def __init__(self, path: Path, apply: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(str(path), _Handler)
        self._apply = apply
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do one request; what to say."""
        try:
            self._apply(json.loads(line))
        except (ValueError, KeyError, TypeError, ReporterError) as error:
            return {"error": f"not understood: {error}"}
        except Outcome as outcome:
            return {"error": outcome.message, "exit": outcome.exit_code}
        return {}

    def stop(self) -> None:
        """End serving and close the socket."""
        self.shutdown()
        self.server_close()
        self._thread.join()
