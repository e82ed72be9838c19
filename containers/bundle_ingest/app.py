"""The HTTP side: what Pacifica Ingest offers, field for field."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import psycopg
from answers import Refused, on_http, on_outage, on_refused, on_trouble
from bundles.manifest import document_key
from bundles.tarstream import TooManyMembersError
from jobs import Config, Jobs, LostError
from object_store import Store
from receive import Received, Receiver, TooLargeError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

T = TypeVar("T")
_LOG = logging.getLogger("bundle_ingest")
_BATCH = 512 << 10
_LONGEST_USER = 255
_UNKNOWN = 2**63


class Service:
    """What the routes share.

    Args:
        jobs: the database.
        store: where bundles are stored.

    Attributes:
        receiving: what arrives just now, by job.
        stopped: jobs of them that an administrator has failed.
        untidy: something was left in the store.
    """

    def __init__(self, jobs: Jobs, store: Store) -> None:
        self.jobs = jobs
        self.store = store
        self.receiving: dict[int, Receiver] = {}
        self.stopped: set[int] = set()
        self.untidy = True
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="ingest")

    async def thread(self, work: Callable[..., T], *values: Any, **named: Any) -> T:
        """Do what blocks in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(work, *values, **named))

    async def config(self) -> Config:
        """The configuration as it is now."""
        return await self.thread(self.jobs.config)

    def user(self, request: Request, config: Config) -> str:
        """Who sends it, as the web server in front says."""
        found = request.headers.get(config.user_header) if config.user_header else None
        return (found or config.default_user)[:_LONGEST_USER]

    async def upload(self, request: Request) -> Response:
        """POST /ingest, POST /upload."""
        config = await self.config()
        expected = content_length(request)
        if expected is not None and expected > config.max_bytes:
            raise Refused(413, f"the bundle is larger than {config.max_bytes:,} bytes")
        user = self.user(request, config)
        job = await self.thread(self.jobs.begin, "upload", user, expected)
        receiver = Receiver(
            self.store, job, max_bytes=config.max_bytes, max_members=config.max_members
        )
        received = await self.receive(request, job, receiver, config)
        return await self.register(job, received, again=wants_again(request))

    async def receive(
        self, request: Request, job: int, receiver: Receiver, config: Config
    ) -> Received:
        """Read a whole body; whatever ends it early fails the job."""
        self.receiving[job] = receiver
        try:
            await self.pump(request, job, receiver, config)
            return await self.thread(receiver.finish)
        except BaseException as trouble:
            await asyncio.shield(self.abandon(receiver.abort))
            await self.give_up(job, receiver, trouble)
            raise
        finally:
            self.receiving.pop(job, None)
            self.stopped.discard(job)

    async def abandon(self, abort: Callable[[], None]) -> None:
        """Let go of what was stored of a body; what the store does not remove is cleaned later."""
        self.untidy = True
        try:
            await self.thread(abort)
        except OSError as error:
            _LOG.warning("a part of a body is left for now: %s", error)

    async def pump(self, request: Request, job: int, receiver: Receiver, config: Config) -> None:
        """Bytes into the receiver: while a thread works on some, the next ones arrive."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + config.max_seconds
        pending: Awaitable[None] | None = None
        chunks: list[bytes] = []
        waiting = 0
        try:
            async with asyncio.timeout_at(
                min(deadline, loop.time() + config.idle_seconds)
            ) as clock:
                async for chunk in request.stream():
                    clock.reschedule(min(deadline, loop.time() + config.idle_seconds))
                    chunks.append(chunk)
                    waiting += len(chunk)
                    if waiting >= _BATCH:
                        if pending is not None:
                            await pending
                        if job in self.stopped:
                            raise LostError("the job was failed by an administrator")
                        pending = asyncio.ensure_future(self.thread(receiver.write, chunks))
                        chunks, waiting = [], 0
        except TimeoutError:
            late = loop.time() >= deadline
            words = (
                f"the upload took longer than {config.max_seconds:g} s"
                if late
                else f"no byte came for {config.idle_seconds:g} s"
            )
            raise Refused(408, words) from None
        finally:
            if pending is not None:
                await asyncio.wait([asyncio.ensure_future(pending)])
        if pending is not None:
            await pending
        await self.thread(receiver.write, chunks)

    async def give_up(self, job: int, receiver: Receiver, trouble: BaseException) -> None:
        """Say on the job why its upload has ended, and turn the trouble into an answer."""
        self.untidy = True
        status, reason = describe(trouble, receiver.received)
        state: dict[str, Any] | None
        try:
            await asyncio.shield(self.thread(self.jobs.fail, job, reason))
            state = await self.thread(self.jobs.state, job)
        except (psycopg.Error, LostError) as error_:
            _LOG.warning("job %s: not failed in the database: %s", job, error_)
            state = {"job_id": job}
        if status is not None:
            raise Refused(status, reason, **(state or {})) from trouble

    async def register(self, job: int, received: Received, *, again: bool) -> Response:
        """All is stored: insert the row of files, and answer with the job."""
        return JSONResponse(await self.registered(job, received, again=again))

    async def registered(self, job: int, received: Received, *, again: bool) -> dict[str, Any]:
        """Insert the row of files: the state of the job."""
        try:
            state = await self.thread(
                self.jobs.register, job, received.digest, received.attributes, again=again
            )
        except LostError as lost:
            known = await self.thread(self.jobs.state, job) or {}
            raise Refused(503, str(lost), **known) from lost
        self.untidy = self.untidy or state["job_id"] != job
        if state["task"] == "UPLOADING":
            state["task_percent"] = "0.0"  # As the released service answers: nothing is done yet.
        return state

    async def move(self, request: Request) -> Response:
        """POST /move: a metadata document that names files on the server's disk."""
        config = await self.config()
        limit = config.max_metadata_bytes
        if (content_length(request) or 0) > limit:
            raise Refused(413, f"the document is larger than {limit:,} bytes")
        job = await self.thread(
            self.jobs.begin, "move", self.user(request, config), content_length(request)
        )
        document = _Document(self.store, job, limit)
        received = await self.receive(request, job, document, config)  # type: ignore[arg-type]
        return await self.register(job, received, again=wants_again(request, default=True))

    async def state(self, request: Request) -> Response:
        """GET /get_state?job_id=N."""
        given = request.query_params.get("job_id")
        if given is None:
            raise Refused(400, "job_id is missing")
        if not (given.isascii() and given.isdigit() and len(given) <= 100):
            raise Refused(400, f"job_id {given[:40]!r} is no number")
        state = await self.thread(self.jobs.state, int(given)) if int(given) < _UNKNOWN else None
        if state is None:
            raise Refused(404, f"job ID {given} does not exist.")
        return JSONResponse(state)

    async def root(self, request: Request) -> Response:
        """GET /: that it is up."""
        del request
        return JSONResponse({"message": "Locaria bundle ingest is up", "status": "OK"})

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Document:
    """The body of a move: stored, not looked into; in the shape of a Receiver."""

    def __init__(self, store: Store, job: int, limit: int) -> None:
        self.received = 0
        self._limit = limit
        self._sink = store.create(document_key(job))
        self._digest = hashlib.sha256()

    def write(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self.received += len(chunk)
            if self.received > self._limit:
                raise TooLargeError(f"the document is larger than {self._limit:,} bytes")
            self._digest.update(chunk)
            self._sink.write(chunk)

    def finish(self) -> Received:
        self._sink.commit()
        return Received(self._digest.hexdigest(), {"bytes": self.received})

    def abort(self) -> None:
        self._sink.abort()


def content_length(request: Request) -> int | None:
    """What the client announces; None for a chunked body."""
    given = request.headers.get("content-length")
    return int(given) if given is not None and given.isdigit() else None


def wants_again(request: Request, *, default: bool = False) -> bool:
    """Whether the same bundle shall be a new job: ?again=true."""
    given = request.query_params.get("again")
    return default if given is None else given.lower() in ("1", "true", "yes")


def describe(trouble: BaseException, received: int) -> tuple[int | None, str]:
    """Status (None: nobody is there to hear it) and reason of an upload that ended early."""
    if isinstance(trouble, ClientDisconnect):
        return 400, f"the client went away after {received:,} bytes"
    if isinstance(trouble, TooLargeError | TooManyMembersError):
        return 413, str(trouble)
    if isinstance(trouble, Refused):
        return trouble.status, trouble.message
    if isinstance(trouble, asyncio.CancelledError):
        return None, "the upload was cut: the server is going down"
    if isinstance(trouble, LostError):
        return 503, str(trouble)
    return 500, f"the bundle could not be stored: {type(trouble).__name__}: {trouble}"


def make_app(service: Service, more: list[BaseRoute] | None = None) -> Starlette:
    """The application."""
    return Starlette(
        routes=[
            Route("/", service.root),
            Route("/get_state", service.state),
            Route("/ingest", service.upload, methods=["POST"]),
            Route("/upload", service.upload, methods=["POST"]),
            Route("/move", service.move, methods=["POST"]),
            *(more or []),
        ],
        exception_handlers={
            Refused: on_refused,
            HTTPException: on_http,
            LostError: on_outage,
            psycopg.Error: on_outage,
            Exception: on_trouble,
        },
    )
