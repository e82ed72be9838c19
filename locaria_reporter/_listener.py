"""A listener: stays, takes commands over HTTP and as rows, until it is cancelled.

The loader's own thread does all commands, one after the other, so that a handler needs no locks and
may use run.connection(). The heart keeps the lease of the listening file meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from locaria_reporter._address import bind_port
from locaria_reporter._channel import Json
from locaria_reporter._commands import BadCommand, Command, Commands, Handler
from locaria_reporter._errors import (
    Cancelled,
    Fatal,
    LeaseLost,
    Outcome,
    Retry,
    Terminated,
    Unavailable,
)
from locaria_reporter._http import Call, CommandServer, Limits
from locaria_reporter._http_request import HttpError
from locaria_reporter._outcome import describe
from locaria_reporter._traces import Traces

if TYPE_CHECKING:
    from locaria_reporter._run import Run
    from locaria_reporter._task import Task

_LOG = logging.getLogger("locaria_reporter")
_SHORTEST_WAIT = 0.05


class Listener:
    """One run that listens, or does the one command that its row holds.

    Args:
        run, task: of the file.
        handler, port, host, token, limits, grace: see listen().
    """

    def __init__(
        self,
        run: Run,
        task: Task,
        handler: Handler,
        *,
        port: int | None,
        host: str | None,
        token: str | None,
        limits: Limits | None,
        grace: float,
    ) -> None:
        self._run = run
        self._task = task
        self._account = run._account
        self._commands = Commands(handler)
        self._where = (port, host)
        self._token = token or os.environ.get("LOCARIA_LISTEN_TOKEN") or None
        self._limits = limits
        self._grace = grace
        self._traces = Traces(run.log)
        self._since = time.monotonic()
        self._done = self._failed = 0
        self._look_at = float("-inf")
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def work(self) -> None:
        """Run until the run is cancelled, loses its lease, or the process is terminated.

        Raises:
            Cancelled, LeaseLost, Terminated: that it was so.
        """
        try:
            if "command" in self._run.attributes:
                self._do_own()
            else:
                self._listen()
        finally:
            os.close(self._wake_read)
            os.close(self._wake_write)

    # The listening file

    def _listen(self) -> None:
        made, endpoint = bind_port(*self._where)
        server = CommandServer(
            made,
            check=self._commands.check,
            describe=self._describe,
            wake=self._wake,
            token=self._token,
            limits=self._limits,
        )
        self._server = server
        if not server.local_only and self._token is None:
            _LOG.warning("no token is asked for: whoever reaches %s may command", endpoint)
        # A cancel lets the command in hand come to its end; a lost lease does not.
        self._account.interrupt = self._interrupt
        server.start()
        try:
            self._run.listening(endpoint, grace=self._grace)
            while self._turn():
                pass
        finally:
            server.stop(self._why())
            self._traces.flush()

    def _turn(self) -> bool:
        """Do one thing, or wait for one; False when the listener is no longer needed."""
        self._account.check()
        call = self._server.next_call()
        if call is not None:
            self._answer(call)
        if time.monotonic() >= self._look_at and not self._look():
            return False
        if self._server.waiting == 0:
            self._traces.flush_if_due()
            pause = max(_SHORTEST_WAIT, self._look_at - time.monotonic())
            if self._task.channel.wait_for_work(min(pause, self._traces.pause()), self._wake_read):
                self._look_at = float("-inf")
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        return True

    def _look(self) -> bool:
        """Take one command that is a row, if there is one."""
        runs = self._task.claim(1)
        for run in runs:
            self._do_row(run)
        if runs:
            return True
        wait = self._task.channel.wait_for_files(self._task.task_id, None, None)
        if wait.what == "leave":
            # This task is not alive any more, says the database: then its runs aren't, either.
            self._task.ask(self._run)
            self._account.check()
            return False
        self._look_at = time.monotonic() + (wait.seconds if wait.what == "wait" else 0.0)
        return True

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full of wake-ups, or closed already
            os.write(self._wake_write, b"\0")

    def _interrupt(self) -> None:
        self._server.refuse(self._why())
        if self._account.stop == "lost":
            self._run._interrupt()
        self._wake()

    def _why(self) -> str:
        if self._account.stop in ("cancel", "lost"):
            return describe(self._account.outcome())
        return "it was told to end"

    def _describe(self) -> Json:
        executing = list(self._account.executing)
        state = "listening" if not executing else "executing"
        return {
            "container": self._task.container,
            "container_id": self._run.file_id,
            "state": "stopping" if self._server.stopping or self._task.signalled else state,
            "command": self._task.masker.text(executing[0]) if executing else None,
            "waiting": self._server.waiting,
            "done": self._done,
            "failed": self._failed,
            "uptime_s": round(time.monotonic() - self._since, 1),
            "commands": self._commands.describe(),
        }

    # Commands

    def _answer(self, call: Call) -> None:
        """A command over HTTP; SIGTERM is heeded when the reply is on its way."""
        command = Command(call.command.name, call.command.parameters, self._run)
        began = time.monotonic()
        with self._task.shield():
            reply: Json | HttpError
            try:
                with self._in_hand(command.name):
                    result = self._task.masker.value(self._do(command))
                duration = time.monotonic() - began
                reply = {
                    "command": command.name,
                    "result": result,
                    "duration_s": round(duration, 6),
                }
            except (LeaseLost, Terminated, Unavailable) as ending:
                call.answer(HttpError(503, f"the listener stops: {describe(ending)}"))
                raise
            except BaseException as error:  # noqa: BLE001 - of the handler; told and logged
                reply = self._refusal(command, error)
            call.answer(reply)
            self._count(command, call.caller, reply, time.monotonic() - began)

    @contextlib.contextmanager
    def _in_hand(self, name: str) -> Iterator[None]:
        """A cancel of the listening file lets the command come to its end."""
        self._account.deferred = True
        try:
            with self._run.executing(name):
                yield
        finally:
            self._account.deferred = False

    def _refusal(self, command: Command, error: BaseException) -> HttpError:
        words = self._task.masker.text(describe(error))
        if isinstance(error, BadCommand):
            return HttpError(422, words, errors=error.errors)
        if isinstance(error, Fatal):
            return HttpError(422, words)
        if isinstance(error, Cancelled):
            return HttpError(503, f"the listener stops: {words}")
        if isinstance(error, Retry):
            pause = 1 if error.delay is None else max(1, round(error.delay.total_seconds()))
            return HttpError(503, words, headers={"Retry-After": str(pause)})
        if not isinstance(error, Outcome):
            self._run.log.error("%s failed", command.name, exc_info=error)
        return HttpError(500, words)

    def _count(
        self, command: Command, caller: str, reply: Json | HttpError, duration: float
    ) -> None:
        self._done += 1
        outcome = "done"
        if isinstance(reply, HttpError):
            self._failed += 1
            outcome = f"{reply.status}, {reply.message}"
        name = self._task.masker.text(command.name)
        self._traces.add(
            f"{name} from {caller}: {outcome} ({duration:.3f} s)", failed=outcome != "done"
        )

    def _do_row(self, run: Run) -> None:
        """A command that is a row; it ends like any file, and the listener goes on."""
        run.nested = True
        run._account.lingers = True
        name = str(run.attributes.get("command"))
        began = time.monotonic()
        self._done += 1
        with self._task.shield(), self._in_hand(name):
            with run:
                self._finish(run)
                return
            self._failed += 1
            self._traces.add(
                f"{name} of file {run.file_id} failed ({time.monotonic() - began:.3f} s)",
                failed=True,
            )

    def _do_own(self) -> None:
        """There is no listener: the task was started for this one command."""
        self._account.lingers = True
        self._task.linger(self._grace)
        with self._task.shield():
            self._finish(self._run)

    def _finish(self, run: Run) -> None:
        name = run.attributes["command"]
        if not isinstance(name, str):
            raise BadCommand("attributes.command must be a text")
        began = time.monotonic()
        with run.executing(name):
            result = self._do(Command(name, _parameters(run), run))
        duration = time.monotonic() - began
        run.finish(message=f"{name}: done ({duration:.3f} s)", result={"result": result})

    def _do(self, command: Command) -> Any:
        """What the handler returns; ValueError or TypeError where JSON can't say it."""
        result = self._commands.do(command)
        json.dumps(result, default=str, allow_nan=False)
        return result


def _parameters(run: Run) -> Json:
    """The parameters of a command that is a row: not the defaults of its container."""
    given = run.attributes.get("parameters")
    parameters = dict(given) if isinstance(given, dict) else dict(run.attributes)
    if not isinstance(given, dict):
        parameters.pop("command")
        parameters.pop("parameters", None)
    if "credentials" in run.parameters:
        parameters["credentials"] = run.parameters["credentials"]
    return parameters
