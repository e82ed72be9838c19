"""One attempt at one file: what a loader sees of Locaria."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import psycopg

from locaria_reporter._channel import ClaimedRun, Ending, Json
from locaria_reporter._errors import CheckFailed, NotPublished
from locaria_reporter._loads import Loads
from locaria_reporter._logging import clip
from locaria_reporter._staging import Staging

if TYPE_CHECKING:
    from locaria_reporter._commands import Handler
    from locaria_reporter._http import Limits
    from locaria_reporter._task import Task


class Run(Loads):
    """A claimed file; use it as a context manager.

    Entering means started, a normal exit means succeeded, an exception means failed (and is raised
    again). Every method may raise Cancelled or LeaseLost; let them pass.

    Attributes:
        id, file_id, attempt, max_attempts: of this run.
        attributes: the file's attributes, as its application inserted them.
        parameters: the container's defaults, overlaid with those of the file.
        log: a logging.Logger; what it gets from INFO up is kept with the run.
    """

    def __init__(self, task: Task, claimed: ClaimedRun) -> None:
        super().__init__(task, claimed)
        self.file_id = claimed.file_id
        self.attempt = claimed.attempt
        self.max_attempts = claimed.max_attempts
        self.attributes: Json = claimed.attributes
        self.parameters: Json = claimed.parameters
        self.handed_out = False  # the loader has it; it may wait for its turn in a batch
        self.nested = False  # a command of a listener: its end is not the end of the task
        self._within: Ending | None = None

    # Commands

    def listen(
        self,
        handler: Handler,
        *,
        port: int | None = None,
        host: str | None = None,
        token: str | None = None,
        limits: Limits | None = None,
        grace: float = 20.0,
    ) -> None:
        """Take commands, over HTTP and as rows, until this run is cancelled.

        If the run's own file is a command (attributes.command), execute that one instead. The
        arguments are those of the function `locaria_reporter.listen`.

        Raises:
            Cancelled: the usual end of a listener.
        """
        from locaria_reporter._listener import Listener  # noqa: PLC0415 - loaders need no HTTP server

        self._account.check()
        Listener(
            self,
            self._task,
            handler,
            port=port,
            host=host,
            token=token,
            limits=limits,
            grace=grace,
        ).work()

    # The end

    @contextlib.contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """For loads of seconds: the block's statements and the outcome are one transaction.

        Call `run.finish(message=…)` inside to add words; leaving the block commits all of it.
        """
        connection = self.connection()
        xact: str | None = None
        self._within = Ending()
        try:
            with connection.transaction():
                yield connection
                self._prepare_end()
                xact = self._channel.finish_within(self.id, connection, self._within)
        except psycopg.OperationalError:
            # The commit got no answer: only the server knows whether it happened.
            if xact is None or not self._channel.was_committed(xact):
                raise
        finally:
            self._within = None
        self._close()

    def finish(
        self,
        swap: Staging | Sequence[Staging] | None = None,
        message: str | None = None,
        result: Mapping[str, Any] | None = None,
        checks: Mapping[str, bool] | None = None,
        *,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
    ) -> None:
        """End the run as a success; publish the staging tables in the same short transaction.

        Args:
            swap: the staging table to publish, or several.
            before: names of registered scripts (locaria.register_script) to run in that
                transaction before the tables are published.
            after: the same, after the tables are published.
            message: one line for the file's status.
            result: kept with the run (JSON).
            checks: name → passed; one that is false fails the run, and nothing is published.

        Raises:
            CheckFailed: a check was false.
            NotPublished: there is a staging table and `swap` was not given.
        """
        if self.closed:
            return
        self._account.check()
        failed = [name for name, passed in (checks or {}).items() if not passed]
        if failed:
            raise CheckFailed(f"check failed: {', '.join(failed)}")
        facts = {**(result or {}), **({"checks": dict(checks)} if checks else {})}
        if self._within is not None:
            self._within = self._ending(message, facts)
            return
        if not swap and self._stagings:
            raise NotPublished(
                f"{self._stagings[-1].name} was never published: call run.finish(swap=…), "
                "inside the with block"
            )
        stagings = [swap] if isinstance(swap, Staging) else list(swap or ())
        for staging in stagings:
            staging.flush()
        if stagings:
            facts.setdefault("rows", sum(staging.rows for staging in stagings))
        self._prepare_end()
        ending = self._ending(message, facts)
        published = tuple((staging.name, staging.rows) for staging in stagings)
        ending = replace(ending, stagings=published, before=tuple(before), after=tuple(after))
        self._task.finish(self, ending)
        self._close()

    def acknowledge(self) -> None:
        """The run was finished by somebody else's SQL on its behalf: close it.

        Raises:
            LeaseLost: it was not.
        """
        self._channel.finish_run(self.id, Ending())
        self._close()

    def _ending(self, message: str | None, facts: Json) -> Ending:
        mask = self._task.masker
        return Ending(
            message=clip(mask.text(message)) if message is not None else None,
            result=mask.value(facts) or None,
        )

    def _prepare_end(self) -> None:
        self._account.check()
        self._send_rejects()
        self._account.progress.finish()
        self._account.flush(self._channel, final=True)
        self._account.check()

    def _close(self) -> None:
        self._account.stop = "closed"
        self._task.forget(self._account, self.id)
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()

    def __enter__(self) -> Self:
        self._task.began(self._account)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        return self._task.ended(self, error)
