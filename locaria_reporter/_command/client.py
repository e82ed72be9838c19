"""The subcommands inside a run: one request over the socket of `locaria-report run`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from locaria_reporter._account import Account
from locaria_reporter._command.gdal import GdalProgress
from locaria_reporter._errors import EXIT_DONE, Outcome, ReporterError
from locaria_reporter._fetch import fetch
from locaria_reporter._masking import Masker

_REPORT_EVERY = 0.5
_TIMEOUT = 60.0


class Ended(Outcome):
    """The run shall end; the exit code is what the supervisor said."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.code = self.exit_code = exit_code


def send(request: dict[str, Any]) -> None:
    """Send one request; outside a run, print it.

    Raises:
        Ended: cancelled, lease lost, too many rejected rows.
        ReporterError: the request was not understood, or there is no answer.
    """
    path = os.environ.get("LR_SOCKET")
    if not path:
        shown = {k: v for k, v in request.items() if k not in ("verb", "secret")}
        words = [f"{k}={v}" for k, v in shown.items() if v is not None]
        print(f"{request['verb']}:", *words, file=sys.stderr)
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(_TIMEOUT)
            line.connect(path)
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline() or b"{}")
    except (OSError, ValueError) as error:
        raise ReporterError(f"the run's supervisor does not answer: {error}") from error
    if "exit" in answer:
        raise Ended(answer.get("error", ""), int(answer["exit"]))
    if "error" in answer:
        raise ReporterError(answer["error"])


def report(options: argparse.Namespace) -> int:
    """Do one subcommand; its exit code."""
    if options.verb == "fetch":
        return _fetch(options)
    if options.verb == "mask":
        # Not as an argument: everybody on the machine can read those.
        send({"verb": "mask", "secret": sys.stdin.read().strip("\r\n")})
        return EXIT_DONE
    if options.verb == "exec":
        return _execute(options.command)
    request = {key: value for key, value in vars(options).items() if value is not None}
    if options.verb == "log":
        request["message"] = " ".join(options.message)
    send(request)
    return EXIT_DONE


class _Remote(Account):
    """An account whose progress goes over the socket."""

    def __init__(self) -> None:
        super().__init__(0, Masker())
        self._sent_at = float("-inf")

    def check(self) -> None:
        if time.monotonic() - self._sent_at > _REPORT_EVERY:
            self.send()

    def send(self) -> None:
        self._sent_at = time.monotonic()
        if self.progress.bytes_done is not None:
            send(
                {
                    "verb": "bytes",
                    "done": self.progress.bytes_done,
                    "total": self.progress.bytes_total,
                }
            )


def _fetch(options: argparse.Namespace) -> int:
    account = _Remote()
    target = Path(options.output)
    got = fetch(options.url, target, account, {}, allow_private=options.allow_private)
    if got != target:
        # A file: URL is not copied by the library; a script wants it where it said.
        shutil.copyfile(got, target)
    account.send()
    return EXIT_DONE


def _execute(command: list[str]) -> int:
    """Run a GDAL tool; its output goes through, its `0...10...20` becomes progress."""
    parser = GdalProgress()
    sent_at, sent = float("-inf"), -1.0
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        while chunk := os.read(process.stdout.fileno(), 65536):
            rest = parser.feed(chunk.decode("utf-8", "replace"))
            sys.stdout.write(rest)
            sys.stdout.flush()
            if parser.percent > sent and time.monotonic() - sent_at > _REPORT_EVERY:
                sent_at, sent = time.monotonic(), parser.percent
                send({"verb": "percent", "done": sent})
        status = process.wait()
        if parser.percent > sent:
            send({"verb": "percent", "done": parser.percent})
    finally:
        if process.poll() is None:
            process.terminate()
    return status if status >= 0 else 128 - status
