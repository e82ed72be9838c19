"""The process of `locaria up`: runs until it is told to stop.

    python -m locaria.local.daemon STATE_DIR [HTTP_PORT]

The DSN of a given database comes in the variable LOCARIA_UP_DSN: argv can be read by everybody.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar

from locaria.local.aws.standin import StandinError
from locaria.local.postgres.binaries import PostgresNotFoundError
from locaria.local.postgres.server import PostgresError
from locaria.local.postgres.system_user import SystemUserError
from locaria.local.registration import OccupiedError
from locaria.local.runtime import Runtime
from locaria.local.site import SiteError
from locaria.local.state_lock import AlreadyRunningError
from locaria.local.status import LOG_FILE
from locaria.web.sockets import DEFAULT_PORT

log = logging.getLogger(__name__)
DSN_VARIABLE = "LOCARIA_UP_DSN"
START_ERRORS = (
    AlreadyRunningError,
    OccupiedError,
    PostgresError,
    PostgresNotFoundError,
    SiteError,
    StandinError,
    SystemUserError,
)


def log_to(path: Path) -> None:
    """Send the log to a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    logging.basicConfig(
        filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("alembic", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class Service(Protocol):
    """Something that runs from `with` to the end of the block.

    Attributes:
        on_lost  is called, with the reason, when it can't go on: it is to be stopped.
    """

    on_lost: Callable[[str], None]

    def __enter__(self) -> Any:
        """Start."""

    def __exit__(self, *_: Any) -> None:
        """Stop."""

    def stop_now(self) -> None:
        """Hasten a stop that is under way."""


S = TypeVar("S", bound=Service)


def serve(
    runtime: S,
    on_ready: Callable[[S], None] | None = None,
    *,
    leave_start_after_s: float | None = None,
) -> None:
    """Start, call `on_ready`, run until SIGINT or SIGTERM, stop.

    A second signal kills the tasks that take their time to end. A signal during the start is heeded
    when that is over, or where it isn't after `leave_start_after_s`: then the process ends. Raises
    OccupiedError, once it has stopped, when somebody took its place on the database.
    """
    asked, started = threading.Event(), threading.Event()
    lost: list[str] = []

    def ask(number: int, frame: FrameType | None) -> None:
        del number, frame
        if asked.is_set():
            runtime.stop_now()
        elif leave_start_after_s is not None:
            limit = threading.Timer(leave_start_after_s, _leave_start, [started])
            limit.daemon = True
            limit.start()
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)

    def lose(reason: str) -> None:
        log.error("%s", reason)
        lost.append(reason)
        asked.set()

    runtime.on_lost = lose
    with runtime:
        started.set()
        if on_ready is not None:
            on_ready(runtime)
        asked.wait()
        log.info("stopping")
    if lost:
        raise OccupiedError(lost[0])


def _leave_start(started: threading.Event) -> None:
    """End the process where its start waits for a database that doesn't answer, or for a lock.

    The server rolls back what was being installed; a task that runs is found at the next start.
    """
    if not started.is_set():
        log.error("told to stop, and the start does not come to its end: left")
        os._exit(1)


def main() -> None:
    """Run on the state directory given as the first argument."""
    state_dir = Path(sys.argv[1])
    log_to(state_dir / LOG_FILE)
    try:
        port = int(sys.argv[2]) if len(sys.argv) > 2 else DEFAULT_PORT
        serve(Runtime(state_dir, os.environ.pop(DSN_VARIABLE, None), http_port=port))
    except START_ERRORS as error:
        log.error("%s", error)
        sys.exit(1)


if __name__ == "__main__":
    main()
