"""An HTTP server whose CSV files come chunk by chunk, until the test lets the rest through."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

CHUNK = 1 << 18
CHUNKS = 48
ROW = b"%07d,%s\n"
ROW_BYTES = 1024


class SlowSource:
    """Serves /<name>.csv: 12 MB, one chunk in `pause_s`, all of the rest after `release`."""

    def __init__(self, pause_s: float = 0.5) -> None:
        self.pause_s = pause_s
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)

    rows = CHUNK * CHUNKS // ROW_BYTES - 1

    def url(self, name: str) -> str:
        """Where a file is."""
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def hold(self) -> None:
        """From now on slowly."""
        self._released.clear()

    def release(self) -> None:
        """From now on as fast as can be."""
        self._released.set()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(CHUNK * CHUNKS))
                self.end_headers()
                for number in range(CHUNKS):
                    source._released.wait(source.pause_s)
                    try:
                        self.wfile.write(chunk(number))
                    except OSError:
                        return  # Whoever asked has been cancelled.

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def chunk(number: int) -> bytes:
    """One chunk of the file: rows of one length; the very first is the header."""
    per_chunk = CHUNK // ROW_BYTES
    first = number * per_chunk
    lines = [
        ROW % (n, b"x" * (ROW_BYTES - 9))
        if n
        else b"id".ljust(7, b"_") + b"," + b"t" * 1015 + b"\n"
        for n in range(first, first + per_chunk)
    ]
    return b"".join(lines)
