"""Runs the real loader or listener, which dies of SIGKILL at a place that a file names, once."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd()))

from bundles.archive import Archive
from bundles.cleaning import Cleaner

import locaria_reporter as lr

DIE_AT = Path(os.environ["TEST_DIE_AT"])
HOLD_AT = Path(os.environ["TEST_HOLD_AT"])


def pass_by(place: str) -> None:
    """Die here, if that is asked for; or wait as long as a file says so."""
    while HOLD_AT.exists() and HOLD_AT.read_text() == place:
        time.sleep(0.02)
    if DIE_AT.exists() and DIE_AT.read_text() == place:
        DIE_AT.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def wrap(owner: Any, name: str, before: str | None, after: str | None) -> None:
    """Pass by a place before or after a method."""
    method: Callable[..., Any] = getattr(owner, name)

    def wrapped(*values: Any, **named: Any) -> Any:
        pass_by(before or "")
        result = method(*values, **named)
        pass_by(after or "")
        return result

    setattr(owner, name, wrapped)


def stage(run: lr.Run, name: str, *values: Any, **named: Any) -> None:
    """Pass by after the stage was entered, and told."""
    original(run, name, *values, **named)
    run._account.flush(run._channel, final=True)
    pass_by(name)


def create(archive: Archive, job: int, run: int, n: int) -> Any:
    """Pass by when a file of an attempt is begun."""
    sink = create_sink(archive, job, run, n)
    pass_by("first file" if n == 0 else "last of four files" if n == 3 else "")
    return sink


original, create_sink = lr.Run.stage, Archive.create
lr.Run.stage = stage  # type: ignore[method-assign]
Archive.create = create  # type: ignore[method-assign]
wrap(Archive, "publish", "before publish", "after publish")
wrap(Cleaner, "_remove", "before cleaning", "after cleaning")

if __name__ == "__main__":
    runpy.run_path(sys.argv[1], run_name="__main__")
