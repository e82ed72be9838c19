"""Programs that the deployment runs; each can be shown instead."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from locaria.deploy.errors import DeployError


class Commands:
    """Runs programs in one folder.

    Parameters:
        folder: where.
        dry_run: run nothing that changes something, show it.
        show: takes the lines to show; the output of programs that take long, too.
    """

    def __init__(self, folder: Path, *, dry_run: bool, show: Callable[[str], None]) -> None:
        self._folder = folder
        self.dry_run = dry_run
        self._show = show

    def run(self, words: Sequence[str], secret: str | None = None) -> None:
        """Run a program that changes something, and show what it says.

        Parameters:
            secret: given on standard input, never in argv.

        Raises:
            DeployError: it failed; the last lines of what it said are in the message.
        """
        self._show(shlex.join(words))
        if self.dry_run:
            return
        said: list[str] = []
        with self._start(words, secret) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line.rstrip())
                self._show(f"  {said[-1]}")
        if process.returncode:
            last = "\n".join(f"  {line}" for line in said[-5:])
            raise DeployError(f"{words[0]} failed (exit code {process.returncode}):\n{last}")

    def _start(self, words: Sequence[str], secret: str | None) -> subprocess.Popen[str]:
        try:
            process = subprocess.Popen(
                words,
                cwd=self._folder,
                stdin=subprocess.DEVNULL if secret is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise DeployError(f"{words[0]} can't be started: {error.strerror}") from error
        if process.stdin is not None:
            # One that ends without reading tells its own reason.
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(secret or "")
        return process

    def ask(self, words: Sequence[str]) -> str | None:
        """What a program prints that changes nothing; None when it is missing or fails."""
        try:
            done = subprocess.run(
                words, cwd=self._folder, capture_output=True, text=True, check=False, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None
