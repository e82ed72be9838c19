"""`locaria-report listen -- CMD`: a listener whose commands are done by a program.

CMD is run once for each command, with its name in LR_COMMAND, its parameters as P_<name> and, as
JSON, on standard input. What it prints is the result: JSON if it is JSON, else text.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import time
from typing import Any

from locaria_reporter._claim import claims
from locaria_reporter._command.environment import child_environment, parameter_variables
from locaria_reporter._command.lines import Said, apply
from locaria_reporter._command.server import ReportServer
from locaria_reporter._command.telling import telling
from locaria_reporter._commands import Command
from locaria_reporter._errors import (
    EXIT_DONE,
    EXIT_FATAL,
    EXIT_RETRY,
    CommandFailed,
    Fatal,
    Retry,
    Terminated,
)
from locaria_reporter._run import Run

_LOOK_EVERY = 0.2
_BEFORE_THE_END = 1.0
_LONGEST_RESULT = 1 << 20


def listen_command(options: argparse.Namespace) -> int:
    """The subcommand `listen`; its exit code."""
    for run in claims():
        with run:
            program = Program(run, options.command, options.grace)
            try:
                run.listen(program.do, port=options.port, grace=options.grace)
            finally:
                program.close()
    return EXIT_DONE


class Program:
    """Does the commands of one listener.

    Args:
        run: of the listening file.
        argv: the program.
        grace: seconds from SIGTERM, after which a command in hand is killed.
    """

    def __init__(self, run: Run, argv: list[str], grace: float) -> None:
        self._run = run
        self._argv = argv
        self._grace = grace
        self._socket = run.temporary / "report"
        self._server = ReportServer(self._socket, lambda request: apply(request, run, Said()))

    def close(self) -> None:
        """End what the program reports to."""
        self._server.stop()

    def do(self, command: Command) -> Any:
        """Run the program once.

        Raises:
            Fatal, Retry: it ended with 65, 75.
            CommandFailed: it ended in another way than with 0, or printed too much.
        Cancelled, LeaseLost, Terminated: it was ended because of that.
        """
        run = command.run or self._run
        environment = child_environment(self._run, os.environ.get("LOCARIA_DSN"), self._socket)
        environment |= parameter_variables(command.parameters) | {"LR_COMMAND": command.name}
        try:
            process = subprocess.Popen(
                self._argv,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise CommandFailed(
                f"could not run {self._argv[0]}: {error.strerror}",
                kind="config",
                status=127,
                detail=None,
            ) from error
        try:
            printed, complaints = self._wait(process, json.dumps(command.parameters).encode(), run)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        run.check()
        if self._run.signalled and process.returncode < 0:
            raise Terminated("the listener was told to end before the command was done")
        return self._judge(process.returncode, printed, complaints)

    def _wait(
        self, process: subprocess.Popen[bytes], given: bytes, run: Run
    ) -> tuple[bytes, bytes]:
        kill_at = float("inf")
        while True:
            try:
                return process.communicate(given, timeout=_LOOK_EVERY)
            except subprocess.TimeoutExpired:
                given = b""
            if self._run.signalled:
                kill_at = min(kill_at, time.monotonic() + self._grace - _BEFORE_THE_END)
            # A cancelled command ends; a cancelled listener lets the one in hand come to its end.
            if time.monotonic() > kill_at or (run.nested and run.stopped):
                os.killpg(process.pid, signal.SIGKILL)

    def _judge(self, status: int, printed: bytes, complaints: bytes) -> Any:
        said = complaints.decode("utf-8", "replace").strip()
        tail = said.splitlines()[-20:]
        for line in tail:
            self._run.log.warning("%s", line)
        last = telling(tail) or f"the command ended with {status}"
        if status == EXIT_FATAL:
            raise Fatal(last)
        if status == EXIT_RETRY:
            raise Retry(last)
        if status != 0 or len(printed) > _LONGEST_RESULT:
            words = last if status else f"more than {_LONGEST_RESULT} bytes of result"
            raise CommandFailed(words, kind="internal", status=status or 1, detail=said or None)
        text = printed.decode("utf-8", "replace").strip()
        try:
            return json.loads(text)
        except ValueError:
            return text
