"""`locaria-report run -- CMD`: claims, runs the command, and reports how it ended.

This process does nothing else, so a busy command can't starve the heartbeat. The file is given
back, failed or finished only after the whole process group of the command has ended.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import signal
import subprocess
import threading
from collections import deque
from pathlib import Path
from typing import IO, Any

from locaria_reporter._claim import claim, claims
from locaria_reporter._command.environment import child_environment
from locaria_reporter._command.lines import Said, apply, parse_line
from locaria_reporter._command.server import ReportServer
from locaria_reporter._command.telling import telling
from locaria_reporter._errors import (
    EXIT_DONE,
    EXIT_FATAL,
    EXIT_RETRY,
    EXIT_TERMINATED,
    CommandFailed,
    LeaseLost,
    Outcome,
)
from locaria_reporter._run import Run

_TAIL = 20
_LONGEST_LINE = 8_000
_LOOK_EVERY = 0.5
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_KINDS = {EXIT_RETRY: "transient", EXIT_FATAL: "fatal", EXIT_TERMINATED: "cancelled"}


def run_command(options: argparse.Namespace) -> int:
    """The subcommand `run`; its exit code."""
    if options.drain:
        for run in claims(idle=options.idle):
            with run:
                Supervisor(run, options.command, options.grace).work()
        return EXIT_DONE
    with claim() as run:
        Supervisor(run, options.command, options.grace).work()
    return EXIT_DONE


class Supervisor:
    """Runs one command for one run.

    Args:
        run: whose command it is.
        command: argv.
        grace: seconds between SIGTERM and SIGKILL.
    """

    def __init__(self, run: Run, command: list[str], grace: float) -> None:
        self._run = run
        self._command = command
        self._grace = grace
        self._said = Said()
        self._tails: dict[int, deque[str]] = {
            level: deque(maxlen=_TAIL) for level in (logging.INFO, logging.WARNING)
        }
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._outcome: Outcome | None = None

    def work(self) -> None:
        """Run the command to its end.

        Raises:
            CommandFailed: it did not end with 0.
            Outcome: Cancelled, LeaseLost, Terminated, CheckFailed, TooManyRejects.
        """
        self._run.supervise(self._event.set, self._grace)
        socket_path = self._run.temporary / "report"
        server = ReportServer(socket_path, self._report)
        try:
            status = self._execute(socket_path)
        finally:
            server.stop()
        if self._outcome is not None:
            raise self._outcome
        try:
            self._run.check()
            self._judge(status)
            self._run.finish(checks=self._said.checks)
        except LeaseLost:
            # Unless the command itself has called finish_run, with its data in one transaction.
            self._run.acknowledge()

    def _execute(self, socket_path: Path) -> int:
        environment = child_environment(self._run, os.environ.get("LOCARIA_DSN"), socket_path)
        try:
            process = subprocess.Popen(
                self._command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(
                f"could not run {self._command[0]}: {error.strerror}",
                kind="config",
                status=127,
                detail=None,
            ) from error
        readers = [
            threading.Thread(target=self._read, args=(stream, level), daemon=True)
            for stream, level in ((process.stdout, logging.INFO), (process.stderr, logging.WARNING))
        ]
        waiter = threading.Thread(target=self._wait, args=(process,), daemon=True)
        for thread in (*readers, waiter):
            thread.start()
        try:
            while process.returncode is None and not self._run.stopped and self._outcome is None:
                self._event.wait(_LOOK_EVERY)
        finally:
            self._end_group(process, waiter)
            for reader in readers:
                reader.join(timeout=2.0)
        return process.returncode

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._event.set()

    def _end_group(self, process: subprocess.Popen[bytes], waiter: threading.Thread) -> None:
        """Nothing of the command stays: SIGTERM to its group, SIGKILL after the grace."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        waiter.join(timeout=self._grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        waiter.join()

    def _read(self, stream: IO[bytes], level: int) -> None:
        """Lines of the child, without colours and without end."""
        with stream:
            rest = b""
            while chunk := os.read(stream.fileno(), 65536):
                *lines, rest = re.split(rb"[\r\n]+", rest + chunk)
                for line in lines:
                    self._line(line, level)
                if len(rest) > _LONGEST_LINE:
                    self._line(rest, level)
                    rest = b""
            self._line(rest, level)

    def _line(self, raw: bytes, level: int) -> None:
        text = _ANSI.sub("", raw.decode("utf-8", "replace")).rstrip()
        if not text:
            return
        request = parse_line(text) if level == logging.INFO else None
        if request is None:
            self._tails[level].append(text[:_LONGEST_LINE])
            self._run.log.log(level, "%s", text)
            return
        try:
            self._report(request)
        except (ValueError, KeyError) as error:
            self._run.log.warning("%s: %s", text, error)
        except Outcome:
            self._event.set()  # kept by _report(); the main thread ends the command

    def _report(self, request: dict[str, Any]) -> None:
        with self._lock:
            try:
                apply(request, self._run, self._said)
            except Outcome as outcome:
                self._outcome = self._outcome or outcome
                self._event.set()
                raise

    def _judge(self, status: int) -> None:
        """Raise what the exit code means (see `locaria-report --help`)."""
        if status == 0:
            return
        code = status if status > 0 else 128 - status
        tail = list(self._tails[logging.WARNING] or self._tails[logging.INFO])
        said = self._said.error
        words = said or _ending(status, tail)
        raise CommandFailed(
            words,
            kind=(self._said.kind if said else None) or _KINDS.get(code, "internal"),
            status=code,
            detail="\n".join(tail) or None,
        )


def _ending(status: int, tail: list[str]) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        why = " (out of memory?)" if status == -signal.SIGKILL else ""
        how = f"the command was killed by {name}{why}"
    else:
        how = f"the command exited with {status}"
    return f"{how}: {telling(tail)}" if tail else how
