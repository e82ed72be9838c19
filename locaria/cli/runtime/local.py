"""The local runtime, as the other commands see it: where it is, does it run, start it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from locaria.resources import DEFAULT_STATE_DIR


def state_dir() -> Path:
    """The folder of the local runtime: LOCARIA_STATE_DIR, else .locaria in the checkout."""
    return Path(os.environ.get("LOCARIA_STATE_DIR") or DEFAULT_STATE_DIR).absolute()


def read_local_status() -> dict[str, Any]:
    """What `locaria status --json` says; empty when there is no local runtime to ask."""
    if not state_dir().exists() or find_spec("locaria.local.runtime") is None:
        return {}
    from locaria.local.status import read_status  # noqa: PLC0415 - slow to import, seldom needed

    status: dict[str, Any] = read_status(state_dir())
    return status


def read_local_dsn() -> str | None:
    """The connection string of the running local runtime, if one runs."""
    status = read_local_status()
    return status.get("dsn") if status.get("state") == "running" else None


def start_local() -> tuple[bool, str]:
    """Start the local runtime in the background, as `locaria up --detach` does.

    Returns:
        Whether it runs now, and what the command said.
    """
    done = subprocess.run(
        [sys.executable, "-m", "locaria.cli", "up", "--detach", "--state-dir", state_dir()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout.strip()
