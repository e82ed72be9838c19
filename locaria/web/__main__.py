"""Run the server as a process.

    LOCARIA_WEB_DSN=… python -m locaria.web [--host H] [--port P | --fd N] [--with-parent]

The DSN comes from the environment, because every user of the machine can read the command line.
`--fd` serves an inherited socket that already listens. `--with-parent` ends the server when its
standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys

from locaria.web.serve import serve
from locaria.web.settings import SettingsError, read_settings
from locaria.web.sockets import DEFAULT_PORT, bind

DSN_VARIABLE = "LOCARIA_WEB_DSN"


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m locaria.web")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--fd", type=int)
    parser.add_argument("--with-parent", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    dsn = os.environ.pop(DSN_VARIABLE, "")
    if not dsn:
        sys.exit(f"{DSN_VARIABLE} is not set: set it to the DSN of the database")
    try:
        settings = read_settings(dsn, given.host, os.environ)
        listening = socket.socket(fileno=given.fd) if given.fd else bind(given.host, given.port)
        asyncio.run(serve(settings, listening, until_eof=given.with_parent))
    except (SettingsError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
