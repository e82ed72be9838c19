"""The channel outside Locaria: the same script runs on a laptop, with its progress on the terminal.

Parameters come from the command line and the environment, the later ones winning:
`P_name=value` variables (as locaria-report exports them), LOCARIA_PARAMETERS (JSON or @file.json),
then words like `name=value`, `{"name": …}` or `@file.json` in argv. Values that are JSON are parsed
as such.

Staging tables and transactions need a database: DATABASE_URL or libpq's own PG… variables.
"""

# ruff: noqa: ARG002 - it takes what every channel takes

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import psycopg

from locaria_reporter._channel import (
    Block,
    ClaimedRun,
    Ending,
    Failure,
    Json,
    RunState,
    StagingTable,
    TaskStart,
    Wait,
)
from locaria_reporter._errors import OutsideLocaria
from locaria_reporter._plain import PlainDatabase

_WORD = re.compile(r"-{0,2}([A-Za-z_]\w*)=(.*)", re.DOTALL)
_LONG = 3600.0
_PG_VARIABLES = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGDATABASE")


def parameters_of(arguments: Sequence[str], environment: Mapping[str, str]) -> Json:
    """The parameters of a run outside Locaria (see the module)."""
    found: Json = {
        name.removeprefix("P_"): _scalar(value)
        for name, value in environment.items()
        if name.startswith("P_") and len(name) > 2
    }
    if given := environment.get("LOCARIA_PARAMETERS"):
        found |= _object(given)
    for word in arguments:
        if word.startswith(("{", "@")):
            found |= _object(word)
        elif match := _WORD.fullmatch(word):
            found[match[1]] = _scalar(match[2])
    return found


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _object(text: str) -> Json:
    source = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    try:
        value = json.loads(source)
    except ValueError as error:
        raise OutsideLocaria(f"the parameters {text!r} are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise OutsideLocaria(f"the parameters {text!r} are not a JSON object")
    return value


class TerminalChannel:
    """One file, whose parameters are given by hand; nothing is stored.

    Args:
        parameters: instead of those of the command line.
        dsn: a database for staging() and transaction(); by default the environment's.
        stream: where progress goes; stderr by default.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        dsn: str | None = None,
        stream: TextIO | None = None,
    ) -> None:
        given = parameters_of(sys.argv[1:], os.environ) if parameters is None else dict(parameters)
        self._waiting = [ClaimedRun(run_id=1, file_id=1, attributes=given, parameters=given)]
        self._display = _Display(stream or sys.stderr)
        self._listens = False
        if dsn is None:
            dsn = os.environ.get("DATABASE_URL")
        if dsn is None and any(os.environ.get(name) for name in _PG_VARIABLES):
            dsn = ""
        self._database = None if dsn is None else PlainDatabase(dsn)

    def _needs_database(self, what: str) -> PlainDatabase:
        if self._database is None:
            raise OutsideLocaria(
                f"{what} needs a database, and outside Locaria none is known: set DATABASE_URL "
                "or PGHOST, PGDATABASE, …, or test with a RecordingChannel"
            )
        return self._database

    @property
    def hears(self) -> bool:
        return True

    def start_task(self, container: str, info: Json) -> TaskStart:
        return TaskStart(task_id=1)

    def claim_files(self, task: int, count: int) -> list[ClaimedRun]:
        claimed, self._waiting = self._waiting, []
        return claimed

    def wait_for_files(self, task: int, xact: str | None, idle_for: float | None) -> Wait:
        return Wait("wait", _LONG) if self._listens else Wait("leave")

    def wait_for_work(self, seconds: float, wake: int | None = None) -> bool:
        select.select([] if wake is None else [wake], [], [], seconds)
        return False

    def leave_task(self, task: int, exit_code: int | None, reason: str | None) -> None:
        self._display.close()

    def save_checkpoint(self, run: int, checkpoint: Json) -> bool:
        return False

    def create_staging(
        self,
        run: int,
        target: str,
        columns: Sequence[Mapping[str, str]],
        mode: str,
        options: Json,
    ) -> StagingTable:
        return self._needs_database("run.staging()").create_staging(target, columns, mode)

    def copy_block(self, run: int, block: Block, checkpoint: Json | None) -> tuple[int, bool]:
        return self._needs_database("run.staging()").copy_block(block), False

    def count_copied(self, staging: str, rows: int) -> None:
        """Nobody keeps this count outside Locaria."""

    def reject_rows(self, run: int, rejects: Sequence[Json]) -> int:
        for reject in rejects:
            line = f"line {reject['line']}: " if reject["line"] is not None else ""
            self._display.line(f"rejected: {line}{reject['reason']}: {reject['row']}")
        return len(rejects)

    def finish_run(self, run: int, ending: Ending) -> int | None:
        rows = None
        for staging, _ in ending.stagings:
            published = self._needs_database("run.finish(swap=…)").publish(staging)
            rows = (rows or 0) + published
        words = f"done: {ending.message}" if ending.message else "done"
        self._display.line(f"{words} ({json.dumps(ending.result)})" if ending.result else words)
        return rows

    def finish_runs(self, runs: Sequence[int]) -> set[int]:
        return set(runs)

    def finish_within(
        self, run: int, connection: psycopg.Connection[Any], ending: Ending
    ) -> str | None:
        return None

    def was_committed(self, xact: str) -> bool:
        return False

    def fail_run(self, run: int, failure: Failure) -> str:
        self._display.line(f"failed ({failure.kind}): {failure.error}")
        return "ERROR"

    def release_run(self, run: int, reason: str) -> None:
        self._display.line(f"stopped: {reason}")

    def connect(self, run: int, lease: float) -> psycopg.Connection[Any]:
        return self._needs_database("run.connection()").connect()

    def beside(self) -> TerminalChannel:
        return self

    def heartbeat(self, task: int, runs: Sequence[int]) -> list[RunState]:
        return [RunState(run, "running") for run in runs]

    def report_progress(self, run: int, progress: Json) -> bool:
        self._display.show(progress)
        return False

    def report_listening(self, run: int, endpoint: str | None, command: str | None) -> bool:
        if not self._listens and endpoint is not None:
            self._display.line(f"listening on {endpoint}; Ctrl-C ends it")
        self._listens = endpoint is not None
        return False

    def log_run(self, run: int, messages: Sequence[Json]) -> None:
        """Logging prints them already."""

    def wait_for_cancel(self, wake: int, seconds: float) -> set[int]:
        select.select([wake], [], [], max(0.0, seconds))
        return set()

    def describe(self, text: str) -> None:
        """Nobody looks at application_name here."""

    def close(self) -> None:
        self._display.close()
        if self._database is not None:
            self._database.close()


class _Display:
    """A bar by rich on a terminal that has it, else a line each time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Any = None
        self._task: Any = None
        self._rich = stream.isatty() and importlib.util.find_spec("rich") is not None

    def show(self, progress: Json) -> None:
        if self._rich:
            self._draw(progress)
        else:
            self.line(words_of(progress))

    def line(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def _draw(self, progress: Json) -> None:
        if self._bar is None:
            from rich.console import Console  # noqa: PLC0415 - optional, and slow to import
            from rich.progress import Progress  # noqa: PLC0415

            self._bar = Progress(console=Console(file=self._stream))
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        percent = progress.get("percent")
        self._bar.update(
            self._task,
            description=words_of(progress),
            total=None if percent is None else 100.0,
            completed=percent or 0.0,
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def words_of(progress: Json) -> str:
    """'42% load 300/1200 rows'."""
    words = []
    if "percent" in progress:
        words.append(f"{progress['percent']:.0f}%")
    if "stage" in progress:
        words.append(progress["stage"])
    for kind, unit in (("rows", progress.get("unit", "rows")), ("bytes", "bytes")):
        done, total = progress.get(f"{kind}_done"), progress.get(f"{kind}_total")
        if done is not None:
            words.append(f"{done}{f'/{total}' if total is not None else ''} {unit}")
    if "message" in progress:
        words.append(progress["message"])
    return " ".join(words)
