"""A channel that remembers: for loader authors' own tests, without a database.

channel = RecordingChannel(parameters={"path": "tests/small.csv"})
with claim(channel=channel) as run:
    load(run)
assert channel.outcome == "finished"
assert channel.published["places"] == [("1", "Bern"), ("2", "Thun")]
"""

# ruff: noqa: ARG002 - it takes what every channel takes

from __future__ import annotations

import csv
import io
import select
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from locaria_reporter._errors import LeaseLost, OutsideLocaria, TooManyRejects


class RecordingChannel:
    """Hands out files and keeps everything that is reported.

    Args:
        parameters, attributes: of the single file that is claimed.
        checkpoint: as if an earlier attempt had saved it.
        files: more than one file: their parameters (then `parameters` is not used).
        reject_limit: rejected rows beyond it raise TooManyRejects.
        cancel_after: number of progress reports and blocks after which the run is cancelled.

    Attributes:
        calls: (name, arguments) of everything, in order.
        outcome: of the last run: 'finished', 'failed', 'released', or None.
        failure, message, result: what the last run ended with.
        progress, logs, rejects, checkpoints: what was reported.
        published: target table → rows, as tuples; what was not published is not in it.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        attributes: Mapping[str, Any] | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        files: Sequence[Mapping[str, Any]] | None = None,
        reject_limit: int | None = None,
        cancel_after: int | None = None,
    ) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.outcome: str | None = None
        self.failure: Failure | None = None
        self.message: str | None = None
        self.result: Json | None = None
        self.progress: list[Json] = []
        self.logs: list[str] = []
        self.rejects: list[Json] = []
        self.checkpoints: list[Json] = []
        self.published: dict[str, list[tuple[Any, ...]]] = {}
        self.lease_lost = False
        self._waiting = [
            ClaimedRun(
                run_id=number,
                file_id=number,
                parameters=dict(each),
                attributes=dict(attributes if attributes is not None else each),
                checkpoint=dict(checkpoint or {}),
            )
            for number, each in enumerate(
                files if files is not None else [parameters or {}], start=1
            )
        ]
        self._reject_limit = reject_limit
        self._cancel_after = cancel_after
        self._staged: dict[str, list[tuple[Any, ...]]] = {}
        self._checkpoint = dict(checkpoint or {})

    def _note(self, name: str, arguments: Any = None) -> None:
        self.calls.append((name, arguments))
        if self.lease_lost and name not in ("leave_task", "claim_files"):
            raise LeaseLost("the test took the lease away")

    def _cancelled(self) -> bool:
        if self._cancel_after is None:
            return False
        self._cancel_after -= 1
        return self._cancel_after < 0

    @property
    def hears(self) -> bool:
        return True

    def start_task(self, container: str, info: Json) -> TaskStart:
        self._note("start_task", container)
        return TaskStart(task_id=1)

    def claim_files(self, task: int, count: int) -> list[ClaimedRun]:
        claimed, self._waiting = self._waiting[:count], self._waiting[count:]
        self._note("claim_files", [run.run_id for run in claimed])
        return [replace(run) for run in claimed]

    def wait_for_files(self, task: int, xact: str | None, idle_for: float | None) -> Wait:
        self._note("wait_for_files", idle_for)
        return Wait("leave")

    def wait_for_work(self, seconds: float, wake: int | None = None) -> bool:
        self._note("wait_for_work", seconds)
        return False

    def leave_task(self, task: int, exit_code: int | None, reason: str | None) -> None:
        self._note("leave_task", exit_code)

    def save_checkpoint(self, run: int, checkpoint: Json) -> bool:
        self._note("save_checkpoint", checkpoint)
        self.checkpoints.append(checkpoint)
        return self._cancelled()

    def create_staging(
        self,
        run: int,
        target: str,
        columns: Sequence[Mapping[str, str]],
        mode: str,
        options: Json,
    ) -> StagingTable:
        self._note("create_staging", (target, columns, mode, options))
        self._staged[target] = []
        return StagingTable(target, bool(self._checkpoint), 0, self._checkpoint)

    def copy_block(self, run: int, block: Block, checkpoint: Json | None) -> tuple[int, bool]:
        self._note("copy_block", block)
        rows = [tuple(row) for row in block.rows or ()]
        if block.data is not None:
            rows += [tuple(row) for row in csv.reader(io.StringIO(block.data.decode("utf-8")))]
        self._staged[block.staging] += rows
        if checkpoint is not None:
            self.checkpoints.append(checkpoint)
        return len(rows), self._cancelled()

    def count_copied(self, staging: str, rows: int) -> None:
        self._note("count_copied", (staging, rows))

    def reject_rows(self, run: int, rejects: Sequence[Json]) -> int:
        self._note("reject_rows", rejects)
        self.rejects += rejects
        if self._reject_limit is not None and len(self.rejects) > self._reject_limit:
            raise TooManyRejects(f"{len(self.rejects)} rows rejected, {self._reject_limit} allowed")
        return len(self.rejects)

    def finish_run(self, run: int, ending: Ending) -> int | None:
        self._note("finish_run", ending)
        self.outcome, self.message, self.result = "finished", ending.message, ending.result
        for staging, _ in ending.stagings:
            self.published[staging] = self._staged.pop(staging)
        return sum(len(self.published[name]) for name, _ in ending.stagings) or None

    def finish_runs(self, runs: Sequence[int]) -> set[int]:
        self._note("finish_runs", list(runs))
        self.outcome = "finished"
        return set(runs)

    def finish_within(
        self, run: int, connection: psycopg.Connection[Any], ending: Ending
    ) -> str | None:
        raise OutsideLocaria(_NO_DATABASE)

    def was_committed(self, xact: str) -> bool:
        raise OutsideLocaria(_NO_DATABASE)

    def fail_run(self, run: int, failure: Failure) -> str:
        self._note("fail_run", failure)
        self.outcome, self.failure = "failed", failure
        return "ERROR"

    def release_run(self, run: int, reason: str) -> None:
        self._note("release_run", reason)
        self.outcome = "released"

    def connect(self, run: int, lease: float) -> psycopg.Connection[Any]:
        raise OutsideLocaria(_NO_DATABASE)

    def beside(self) -> RecordingChannel:
        return self

    def heartbeat(self, task: int, runs: Sequence[int]) -> list[RunState]:
        self._note("heartbeat", list(runs))
        return [RunState(run, "lost" if self.lease_lost else "running") for run in runs]

    def report_progress(self, run: int, progress: Json) -> bool:
        self._note("report_progress", progress)
        self.progress.append(progress)
        return self._cancelled()

    def report_listening(self, run: int, endpoint: str | None, command: str | None) -> bool:
        self._note("report_listening", (endpoint, command))
        return self._cancelled()

    def log_run(self, run: int, messages: Sequence[Json]) -> None:
        self._note("log_run", messages)
        self.logs += [message["message"] for message in messages]

    def wait_for_cancel(self, wake: int, seconds: float) -> set[int]:
        select.select([wake], [], [], max(0.0, seconds))
        return set()

    def describe(self, text: str) -> None:
        self._note("describe", text)

    def close(self) -> None:
        """Nothing to close."""


_NO_DATABASE = "a RecordingChannel has no database: test run.connection() against a real one"
