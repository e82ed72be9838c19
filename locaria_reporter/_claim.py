"""Where a loader begins: `with claim() as run` and `for run in claims()`."""

from __future__ import annotations

import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import metadata

from locaria_reporter._channel import Channel, Json
from locaria_reporter._errors import NothingToClaim, OutsideLocaria
from locaria_reporter._masking import Masker
from locaria_reporter._postgres import PostgresChannel
from locaria_reporter._run import Run
from locaria_reporter._task import Task
from locaria_reporter._terminal import TerminalChannel

_LOG = logging.getLogger("locaria_reporter")
_SHORTEST_WAIT = 0.05


def claim(container: str | None = None, *, channel: Channel | None = None) -> Run:
    """Claim one file and return its run, to be used in a `with` block.

    In a container of Locaria (LOCARIA_DSN is set) the file is a row of `files`; elsewhere, the same
    script runs once, with parameters from the command line (see TerminalChannel).

        with claim() as run:
            load(run)

    Args:
        container: claim this container's files; LOCARIA_CONTAINER by default.
        channel: for tests: a RecordingChannel.

    Raises:
        NothingToClaim: no file waits. It is a SystemExit with code 0.
    """
    task = _start(container, channel, keep_going=False)
    runs = _next(task, count=1, idle=0.0)
    if not runs:
        task.close()
        raise NothingToClaim
    runs[0].handed_out = True
    return runs[0]


def claims(
    container: str | None = None,
    *,
    idle: float | None = None,
    batch: int = 1,
    channel: Channel | None = None,
) -> Iterator[Run]:
    """Claim files until there are no more, and yield the run of each.

        for run in claims():
            with run:
                load(run)

    An exception inside `with run:` ends that file (according to its type: Retry, Fatal, any other)
    and is logged; the loop continues with the next. LeaseLost and a signal end the loop.

    Args:
        container: claim this container's files; LOCARIA_CONTAINER by default.
        idle: seconds to wait for more before leaving; the container's idle_timeout by default.
        batch: how many to claim at once. Files that end without arguments to finish() are finished
            together at the end of their batch: this is fast for many small files, but a crash
            repeats the files of the batch.
        channel: for tests: a RecordingChannel.
    """
    task = _start(container, channel, keep_going=True)
    task.batch = batch
    try:
        while runs := _next(task, batch, idle):
            for run in runs:
                if run.stopped:
                    task.drop(run)
                else:
                    run.handed_out = True
                    yield run
            task.finish_deferred()
    except GeneratorExit:
        # Left with a run in hand, outside of its block: it may go on, or an error is on its way,
        # which only the end of the process can tell.
        if not task.has_in_hand:
            task.close()
        raise
    except BaseException:
        task.close()
        raise
    task.close()


def _start(container: str | None, channel: Channel | None, *, keep_going: bool) -> Task:
    dsn = os.environ.get("LOCARIA_DSN")
    name = container or os.environ.get("LOCARIA_CONTAINER")
    if channel is None and dsn:
        if not name:
            raise OutsideLocaria("set LOCARIA_CONTAINER to the container's name (LOCARIA_DSN is)")
        channel = PostgresChannel(dsn, name)
    task = Task(
        channel or TerminalChannel(),
        name or "loader",
        Masker(dsn),
        # On a terminal there is one run, and the exit code tells how it ended.
        keep_going=keep_going and channel is not None,
        info=_surroundings() if dsn else None,
    )
    try:
        start = task.start()
    except BaseException:
        task.close()
        raise
    if not start.accepted:
        _LOG.info("not needed: %s", start.reason)
        task.close()
        raise NothingToClaim(start.reason or "")
    return task


def _next(task: Task, count: int, idle: float | None) -> list[Run]:
    """Files, or none when the task shall leave: the database says whether to wait."""
    while not (runs := task.claim(count)):
        xact = None if task.claimed_any else os.environ.get("LOCARIA_XACT")
        wait = task.channel.wait_for_files(task.task_id, xact, idle)
        if wait.what == "leave":
            return []
        if wait.what == "wait":
            task.channel.wait_for_work(max(wait.seconds, _SHORTEST_WAIT))
    return runs


def _surroundings() -> Json:
    """What is known of this process: versions, image, and on ECS its task ARN."""
    info: Json = {"reporter_version": _version()}
    endpoint = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if endpoint:
        try:
            with urllib.request.urlopen(f"{endpoint}/task", timeout=2) as answer:  # noqa: S310
                info["task_arn"] = json.load(answer).get("TaskARN")
        except (OSError, ValueError, urllib.error.URLError) as error:
            _LOG.warning("the task's metadata endpoint did not answer: %s", error)
    if image := os.environ.get("LOCARIA_IMAGE"):
        info["image"] = image
    return info


def _version() -> str:
    try:
        return metadata.version("locaria-reporter")
    except metadata.PackageNotFoundError:
        return "unknown"
