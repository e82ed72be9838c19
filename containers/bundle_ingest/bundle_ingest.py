"""Receives bundles over HTTP, as Pacifica Ingest does: a listener of Locaria.

See docs/bundle_ingest.md. Environment: LOCARIA_PORT, LOCARIA_HOST, LOCARIA_OBJECT_STORE.
"""

from __future__ import annotations

import logging
import os
import threading
import time

import psycopg
import uvicorn
from app import Service, make_app
from bundles.archive import Archive, open_stores
from bundles.cleaning import Cleaner
from jobs import Jobs, LostError
from object_store import Store
from tus import Resumable

import locaria_reporter as lr

_LOG = logging.getLogger("bundle_ingest")
_REPORT_EVERY_S = 2.0
_GRACE_S = 20


def serve(run: lr.Run) -> None:
    """Listen until the run is cancelled, or the task told to go."""
    store, archive = open_stores()
    jobs = Jobs(os.environ["LOCARIA_DSN"], run.id)
    service = Service(jobs, store)
    server = _Server(service)
    server.start()
    try:
        run.listening(server.url)
        _keep(run, server, _Housekeeping(service, store, archive))
    finally:
        server.stop()
        service.close()
        jobs.close()


def _keep(run: lr.Run, server: _Server, housekeeping: _Housekeeping) -> None:
    while server.alive:
        run.check()
        housekeeping.step()
        time.sleep(0.5)
    raise lr.Retry("the HTTP server has ended", in_=1)


class _Server:
    """uvicorn in a thread: the main thread gets the signals."""

    def __init__(self, service: Service) -> None:
        self._socket, self.url = lr.bind_port()
        config = uvicorn.Config(
            make_app(service, Resumable(service).routes()),
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="http", daemon=True
        )

    def start(self) -> None:
        """Return when it answers."""
        self._thread.start()
        while not self._server.started:
            if not self.alive:
                raise lr.Retry("the HTTP server did not start", in_=5)
            time.sleep(0.01)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Take no more; let what is under way end."""
        self._server.should_exit = True
        self._thread.join(_GRACE_S + 5)


class _Housekeeping:
    """What the listener does besides: say how much has come, fail and remove what was lost."""

    def __init__(self, service: Service, store: Store, archive: Archive) -> None:
        self._service = service
        self._cleaner = Cleaner(store, archive)
        self._reported: dict[int, int] = {}
        self._next_report = self._next_clean = 0.0

    def step(self) -> None:
        """Whatever is due."""
        now = time.monotonic()
        try:
            if now >= self._next_report:
                self._next_report = now + _REPORT_EVERY_S
                self._report()
            if now >= self._next_clean or self._service.untidy:
                self._next_clean = now + self._service.jobs.config().clean_seconds
                self._service.untidy = False
                self._service.jobs.value("select locaria.fail_lost_ingests()")
                with self._service.jobs.connection() as connection:
                    self._cleaner.clean(connection)
        except (psycopg.Error, OSError, LostError) as error:
            _LOG.warning("housekeeping: %s", error)

    def _report(self) -> None:
        received = {job: one.received for job, one in list(self._service.receiving.items())}
        changed = {j: n for j, n in received.items() if self._reported.get(j) != n}
        if changed:
            self._service.stopped |= self._service.jobs.report(changed)
        self._reported = received


def main() -> None:
    """Be the one listener that was asked for."""
    with lr.claim() as run:
        serve(run)


if __name__ == "__main__":
    main()
