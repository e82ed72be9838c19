"""This process as Locaria sees it: it claims files, keeps their leases and ends their runs."""

from __future__ import annotations

import atexit
import logging
import os
import platform
import socket
import sys
from collections.abc import Callable
from functools import partial

import psycopg

from locaria_reporter._channel import ClaimedRun, Ending, TaskStart
from locaria_reporter._errors import (
    EXIT_DONE,
    EXIT_TERMINATED,
    LeaseLost,
    NotFinished,
    Outcome,
    ReporterError,
    Terminated,
    Unavailable,
    from_sqlstate,
)
from locaria_reporter._forks import watch
from locaria_reporter._heartbeat import Heart
from locaria_reporter._outcome import (
    concerns_the_file,
    describe,
    exit_is_no_success,
    failure_of,
    is_termination,
)
from locaria_reporter._process import Process
from locaria_reporter._run import Run

_LOG = logging.getLogger("locaria_reporter")
_NOT_FINISHED = (
    "the loader ended without finishing this run: use it as `with run:`, or call run.finish()"
)
_REPORTING = (Outcome, ReporterError, psycopg.Error)


class Task(Process):
    """Owns the channel, the heart, the signals and the log handler of one process.

    Args:
        channel: where everything is said.
        container: the container's name.
        masker: removes secrets.
        keep_going: a failed file does not end the task (claims(), not claim()).
        info: what is known of the surroundings (task ARN, …).
    """

    def start(self) -> TaskStart:
        """Register with the database and begin to listen for signals."""
        watch(self)
        self._logs.install()
        atexit.register(self.close)
        self._start = self.channel.start_task(
            self.container,
            {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "python": platform.python_version(),
                **self._info,
            },
        )
        if self._start.accepted:
            self._heart = Heart(
                self.channel.beside(), self._start.task_id, self._start.heartbeat_every
            )
            self._signals.install(self._heart.wake_write)
            self._heart.start()
        return self._start

    @property
    def has_in_hand(self) -> bool:
        """Whether the loader has a run that has not ended."""
        return any(run.handed_out and run._account.stop is None for run in self._open.values())

    def claim(self, count: int) -> list[Run]:
        """Up to `count` files, whose leases are kept from now on."""
        # A signal between the claim's commit and the registration would leave files behind.
        with self._signals.shield():
            runs = [self._adopt(row) for row in self.channel.claim_files(self.task_id, count)]
            self.claimed_any = self.claimed_any or bool(runs)
        return runs

    def _adopt(self, claimed: ClaimedRun) -> Run:
        run = self._open[claimed.run_id] = Run(self, claimed)
        if self._heart is not None:
            self._heart.watch(run._account)
        return run

    def leave_to_parent(self) -> None:
        """In a forked child: the task, its runs and connections are the parent's alone."""
        super().leave_to_parent()
        atexit.unregister(self.close)

    # How runs end

    def finish(self, run: Run, ending: Ending) -> None:
        """Finish now; in a batch, a run without anything to say is finished with the others."""
        account = run._account
        if self.batch > 1 and ending == Ending():
            self._deferred[run.id] = run
            return
        account.shielded = True
        try:
            with self._signals.shield():
                self.channel.finish_run(run.id, ending)
                account.stop = "closed"
        finally:
            account.shielded = False

    def finish_deferred(self) -> None:
        """Finish the runs of a batch that were done, together."""
        if not self._deferred:
            return
        with self._signals.shield():
            finished = self.channel.finish_runs(list(self._deferred))
            runs, self._deferred = self._deferred, {}
        for run in runs.values():
            self.forget(run._account, run.id)
            if run.id not in finished:
                _LOG.warning("run %s was done, but its lease had been lost", run.id)

    def ended(self, run: Run, error: BaseException | None) -> bool:
        """The run's block was left: report how; True when the error is dealt with."""
        if run._account.stop == "forked":
            return False
        in_flight = error
        try:
            error = _finish_quietly(run) if error is None else error
            error = None if error is None else self._meant(run, error)
            if error is None:
                return False
            self.exit_code = error.exit_code if isinstance(error, Outcome) else 1
            self._fail(run, error)
            if run.nested and not isinstance(error, Terminated | Unavailable):
                self.exit_code = EXIT_DONE
                return True
            if self._keep_going and concerns_the_file(error):
                self.exit_code = EXIT_DONE
                return True
            if error is not in_flight:
                raise error
            return False
        finally:
            run._close()
            if not self._keep_going and not run.nested:
                self.close()

    def drop(self, run: Run) -> None:
        """A run that was cancelled, or lost, before its turn in the batch came."""
        outcome = run._account.outcome()
        self._fail(run, outcome)
        run._close()

    def _meant(self, run: Run, error: BaseException) -> BaseException:
        """The error in our words: a statement that was interrupted is what it was ended for."""
        if isinstance(error, Outcome) or run.closed:
            return error
        if isinstance(error, SystemExit) and error.code in (0, None):
            return exit_is_no_success(error)
        if not isinstance(error, psycopg.Error):
            return error
        ours = from_sqlstate(error.sqlstate, error.diag.message_primary or str(error))
        if ours is None:
            # A zombie finds its staging table gone before it finds its lease gone.
            self._try(partial(self.ask, run))
            if run.stopped:
                ours = run._account.outcome()
        if ours is None:
            return error
        ours.__cause__ = error
        return ours

    def ask(self, run: Run) -> None:
        """Have the database say whether the run is still its own, and not cancelled."""
        for state in self.channel.heartbeat(self.task_id, [run.id]):
            if state.state in ("cancel", "lost"):
                run._account.order(state.state, state.reason)

    def _fail(self, run: Run, error: BaseException) -> None:
        """Report the end of a run; trouble with that never hides the loader's own exception."""
        account = run._account
        if run.closed:
            _LOG.error("after run %s had succeeded: %s", run.id, describe(error))
            return
        if account.stop == "released":
            return
        unnamed = not isinstance(error, Outcome)
        _LOG.error("run %s: %s", run.id, describe(error), exc_info=error if unnamed else None)
        if isinstance(error, LeaseLost):
            return
        account.shielded = True
        with self._signals.shield():
            for step in (run._send_rejects, lambda: account.flush(self.channel, final=True)):
                self._try(step)
            if is_termination(error):
                words = self.masker.text(describe(error))
                self._try(lambda: self.channel.release_run(run.id, words))
            else:
                failure = failure_of(error, self.masker)
                self._try(lambda: self.channel.fail_run(run.id, failure))

    def _try(self, report: Callable[[], object]) -> None:
        try:
            report()
        except (Outcome, Exception) as trouble:  # noqa: BLE001 - the loader's own goes on; it is said
            known = isinstance(trouble, _REPORTING)
            _LOG.error(
                "this could not be reported: %s",
                describe(trouble),
                exc_info=None if known else trouble,
            )

    # The end of the task

    def close(self) -> None:
        """Finish or give back what is open, say goodbye, put everything back; twice is fine."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        if isinstance(sys.exception(), Terminated):
            self.exit_code = EXIT_TERMINATED
        self._try(self.finish_deferred)
        for run in list(self._open.values()):
            if run._account.stop is None:
                self._try(partial(self._leave, run))
            run._close()
        if self._start is not None and self._start.accepted:
            self._try(lambda: self.channel.leave_task(self.task_id, self.exit_code, None))
        self._signals.restore()
        if self._heart is not None:
            self._heart.stop()
        self.channel.close()
        self._logs.restore()

    def _leave(self, run: Run) -> None:
        """The task ends before the run did: a mistake of the loader's, if it had it in hand."""
        if not run.handed_out or self.signalled or isinstance(sys.exception(), Terminated):
            self.channel.release_run(run.id, "the task left it unfinished")
            return
        # Released it would be claimed again, uncounted, and left again, for ever.
        failure = failure_of(_uncaught() or NotFinished(_NOT_FINISHED), self.masker)
        _LOG.error("run %s: %s", run.id, failure.error)
        self.exit_code = 1
        self.channel.fail_run(run.id, failure)


def _finish_quietly(run: Run) -> BaseException | None:
    try:
        run.finish()
    except BaseException as error:  # noqa: BLE001 - handed on: it is the run's outcome
        return error
    return None


def _uncaught() -> Exception | None:
    """What ended the script, outside of the run's block; not what somebody saw at a prompt."""
    last = getattr(sys, "last_value", None)
    return last if isinstance(last, Exception) and not hasattr(sys, "ps1") else None
