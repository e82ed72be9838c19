"""Telling whether a process that an earlier run of ours started is still that process.

A process id alone proves nothing: after a crash or a reboot another process may have it. The id
together with the time at which the process started does.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

_PROC = Path("/proc")


def start_time(pid: int) -> str | None:
    """An opaque mark of when process `pid` started; None when there is no such living process.

    Zombies count as gone: they hold nothing and end as soon as their parent asks.
    """
    if _PROC.joinpath("self", "stat").exists():
        return _linux_start_time(pid)
    said = _ps(pid, "stat=,lstart=")
    return None if said is None or said.startswith("Z") else said.split(maxsplit=1)[1]


def _linux_start_time(pid: int) -> str | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the program's name in parentheses, may hold blanks and parentheses itself.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]


def is_alive(pid: int) -> bool:
    """Whether there is a living process `pid` (not a zombie), whoever owns it."""
    return start_time(pid) is not None


def working_directory(pid: int) -> Path | None:
    """The folder in which `pid` runs; None where the system doesn't tell."""
    try:
        return (_PROC / str(pid) / "cwd").readlink()
    except OSError:
        return None


def command_line(pid: int) -> str:
    """The command with which `pid` was started; empty when it is gone."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return _ps(pid, "args=") or ""


def _ps(pid: int, columns: str) -> str | None:
    try:
        done = subprocess.run(
            ["ps", "-o", columns, "-p", str(pid)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def wait_gone(pid: int, timeout_s: float) -> bool:
    """Wait until `pid` has ended; False when it lives on after `timeout_s` seconds.

    For processes that are not our children: of those the system tells us only when we look.
    """
    deadline = time.monotonic() + timeout_s
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        _reap(pid)
        time.sleep(0.02)
    return True


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
