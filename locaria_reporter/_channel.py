"""The narrow interface between a run and whoever listens to it.

Three channels implement it: PostgresChannel (Locaria), TerminalChannel (a laptop) and
RecordingChannel (a loader author's tests). A channel belongs to one thread; `beside()` makes the
second one, for the thread that reports and keeps the lease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import psycopg

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaskStart:
    """What the database answered to a new task; times in seconds."""

    task_id: int
    accepted: bool = True
    reason: str | None = None
    lease: float = 60.0
    heartbeat_every: float = 20.0
    idle_timeout: float = 0.0
    schema_version: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """One file, claimed: this attempt's number, what is asked for, what an earlier one reached."""

    run_id: int
    file_id: int
    attempt: int = 1
    max_attempts: int = 1
    requested_status: str = "REGISTERED"
    attributes: Json = field(default_factory=dict)
    parameters: Json = field(default_factory=dict)
    checkpoint: Json = field(default_factory=dict)
    previous_run: int | None = None
    lease: float = 60.0
    timeout: float | None = None
    stall_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """What a task without work shall do: 'claim', 'wait' (for `seconds`) or 'leave'."""

    what: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunState:
    """A heartbeat's answer for one run: 'running', 'cancel' or 'lost'."""

    run_id: int
    state: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class StagingTable:
    """A staging table: its quoted, qualified name and what it holds from an earlier attempt.

    `checkpoint` is the table's own where it was asked for so, else the earlier run's.
    """

    name: str
    adopted: bool = False
    rows: int = 0
    checkpoint: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """Rows for one short transaction: Python rows, or bytes that COPY understands.

    `options` is the text in the parentheses of COPY … WITH (…). `own`: its checkpoint is kept with
    the table and says nothing of the run.
    """

    staging: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]] | None = None
    data: bytes | None = None
    options: str | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed. kind: transient, data, config, fatal, internal or cancelled."""

    kind: str
    error: str
    detail: str | None = None
    retry_in: timedelta | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """What finish() stores.

    In the same transaction the scripts named in `before` are run, then the staging tables with so
    many rows are published, then the scripts named in `after` are run.
    """

    message: str | None = None
    result: Json | None = None
    stagings: tuple[tuple[str, int], ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class Channel(Protocol):
    """Every word that a run says to the outside, and nothing else.

    Methods raise LeaseLost when the run has another owner, Unavailable when the other side could
    not be reached for too long, Refused when it says no.
    """

    @property
    def hears(self) -> bool:
        """Whether wait_for_cancel() can hear of cancellations; else heartbeats have to ask."""
        ...

    def start_task(self, container: str, info: Json) -> TaskStart:
        """Register this process; not accepted means: leave with exit code 0."""
        ...

    def claim_files(self, task: int, count: int) -> list[ClaimedRun]:
        """Up to `count` files; none when nothing can be claimed now."""
        ...

    def wait_for_files(self, task: int, xact: str | None, idle_for: float | None) -> Wait:
        """What to do when nothing could be claimed."""
        ...

    def wait_for_work(self, seconds: float, wake: int | None = None) -> bool:
        """Return when there may be work, at the latest after `seconds`: whether some was announced.

        Returns early, too, when file descriptor `wake` is readable.
        """
        ...

    def leave_task(self, task: int, exit_code: int | None, reason: str | None) -> None:
        """Say that this process ends."""
        ...

    def save_checkpoint(self, run: int, checkpoint: Json) -> bool:
        """Store how far the run came; True when it shall be cancelled."""
        ...

    def create_staging(
        self,
        run: int,
        target: str,
        columns: Sequence[Mapping[str, str]],
        mode: str,
        options: Json,
    ) -> StagingTable:
        """Make the run's staging table, or take over the one of an earlier attempt."""
        ...

    def copy_block(self, run: int, block: Block, checkpoint: Json | None) -> tuple[int, bool]:
        """Copy a block and store the checkpoint in one transaction: (rows, cancelled?)."""
        ...

    def count_copied(self, staging: str, rows: int) -> None:
        """Rows that the loader has copied and committed on a connection of its own."""
        ...

    def reject_rows(self, run: int, rejects: Sequence[Json]) -> int:
        """Keep bad rows; the total so far. TooManyRejects beyond the limit."""
        ...

    def finish_run(self, run: int, ending: Ending) -> int | None:
        """Publish and finish in one transaction: published rows, or None."""
        ...

    def finish_runs(self, runs: Sequence[int]) -> set[int]:
        """Finish many at once: those that were finished."""
        ...

    def finish_within(
        self, run: int, connection: psycopg.Connection[Any], ending: Ending
    ) -> str | None:
        """Finish inside the loader's own open transaction; its transaction id, where there is."""
        ...

    def was_committed(self, xact: str) -> bool:
        """Whether that transaction was committed, after its connection broke."""
        ...

    def fail_run(self, run: int, failure: Failure) -> str:
        """End the run as failed: the file's new status."""
        ...

    def release_run(self, run: int, reason: str) -> None:
        """Give the file back at once; the attempt does not count."""
        ...

    def connect(self, run: int, lease: float) -> psycopg.Connection[Any]:
        """A connection for the loader's own statements, autocommit."""
        ...

    def beside(self) -> Channel:
        """A second channel to the same place, for another thread."""
        ...

    def heartbeat(self, task: int, runs: Sequence[int]) -> list[RunState]:
        """Extend the leases."""
        ...

    def report_progress(self, run: int, progress: Json) -> bool:
        """Store progress; True when the run shall be cancelled."""
        ...

    def report_listening(self, run: int, endpoint: str | None, command: str | None) -> bool:
        """Store where a listener listens and what it executes; True when it shall be cancelled."""
        ...

    def log_run(self, run: int, messages: Sequence[Json]) -> None:
        """Store log messages."""
        ...

    def wait_for_cancel(self, wake: int, seconds: float) -> set[int]:
        """Runs said to be cancelled; returns early when file descriptor `wake` is readable."""
        ...

    def describe(self, text: str) -> None:
        """Show `text` as application_name: progress without a write."""
        ...

    def close(self) -> None:
        """Close connections; twice is fine."""
        ...
