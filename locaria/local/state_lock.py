"""One runtime or agent for one state directory."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO


class AlreadyRunningError(Exception):
    """Another one holds this state directory; the message says how to stop it."""


def hold(state_dir: Path, who: str, how_to_stop: str) -> TextIO:
    """Hold the state directory until the file is closed; the system lets go of it however we end.

    Parameters
        who          who holds it if we can't, in words.
        how_to_stop  what to do about that.
    """
    lock = (state_dir / "runtime.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise AlreadyRunningError(
            f"Locaria is already running on {state_dir} ({who}). {how_to_stop}"
        ) from error
    return lock
