#!/opt/venv/bin/python
"""HEALTHCHECK of a listener: does it answer HTTP on LOCARIA_PORT? Exit code 1 when it does not.

A refusal (401, 404) is an answer. One that hangs accepts connections, and answers nothing.
Where LOCARIA_PORT is 0, it listens on a port that nobody could know, and is not asked.
"""

from __future__ import annotations

import http.client
import os
import sys


def main() -> None:
    """Ask once."""
    port = int(os.environ.get("LOCARIA_PORT") or 0)
    if port == 0:
        return
    connection = http.client.HTTPConnection(os.environ.get("LOCARIA_HOST") or "127.0.0.1", port, 4)
    try:
        connection.request("GET", "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"port {port}: {error}")
    if status >= 500:
        sys.exit(f"port {port}: HTTP {status}")


if __name__ == "__main__":
    main()
