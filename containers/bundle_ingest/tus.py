"""Resumable uploads for bad networks: tus 1.0 (tus.io/protocols/resumable-upload) on /files.

Extensions: creation, checksum, expiration, termination. An upload is a job from its creation on;
the header Locaria-Job-Id of each answer names it. Where an upload stands is in the database, so
another listener can go on with it.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import tempfile
import time
from functools import partial
from typing import IO, Any

from answers import Refused
from app import Service, content_length, wants_again
from bundles.manifest import bundle_key
from bundles.tarstream import TooManyMembersError
from jobs import Config
from object_store import MissingError
from receive import Receiver, TooLargeError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from tus_messages import ALGORITHMS, VERSION, Checksum, answer, batches, check_version, number
from tus_upload import Upload, abandon, held, read_again, write, write_checked


class Resumable:
    """The routes of tus.

    Args:
        service: of the listener.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._uploads: dict[int, Upload] = {}

    def routes(self) -> list[BaseRoute]:
        """To be added to the application."""
        return [
            Route("/files", self.create, methods=["POST"]),
            Route("/files/", self.create, methods=["POST"]),
            Route("/files", self.options, methods=["OPTIONS"]),
            Route("/files/", self.options, methods=["OPTIONS"]),
            Route("/files/{name}", self.upload, methods=["HEAD", "PATCH", "DELETE", "OPTIONS"]),
        ]

    async def options(self, request: Request) -> Response:
        """What the server can do."""
        del request
        config = await self._service.config()
        return Response(
            status_code=204,
            headers={
                "Tus-Resumable": VERSION,
                "Tus-Version": VERSION,
                "Tus-Extension": "creation,checksum,expiration,termination",
                "Tus-Max-Size": str(config.max_bytes),
                "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            },
        )

    async def create(self, request: Request) -> Response:
        """POST /files: a new upload."""
        check_version(request)
        config = await self._service.config()
        length = number(request, "upload-length")
        if length > config.max_bytes:
            raise Refused(413, f"the bundle is larger than {config.max_bytes:,} bytes")
        token = secrets.token_urlsafe(16)
        job = await self._service.thread(
            self._service.jobs.begin,
            "resumable",
            self._service.user(request, config),
            length,
            config.resumable_seconds,
            {"token": token, "again": wants_again(request)},
        )
        upload = await self._open(job, length, {}, config, again=wants_again(request))
        headers = {"Location": str(request.url_for("upload", name=f"{job}-{token}"))}
        if not length:
            job = await self._finish(upload)
        return answer(201, job, 0, config, headers)

    async def upload(self, request: Request) -> Response:
        """HEAD, PATCH and DELETE of an upload."""
        if request.method == "OPTIONS":
            return await self.options(request)
        check_version(request)
        config = await self._service.config()
        job, found = await self._find(request.path_params["name"])
        if request.method == "HEAD":
            return await self._head(job, found, config)
        if found["phase"] != "uploading":
            raise Refused(410 if found["phase"] == "failed" else 403, "the upload has ended")
        if request.method == "DELETE":
            return await self._terminate(job)
        return await self._patch(request, job, found, config)

    async def _find(self, name: str) -> tuple[int, dict[str, Any]]:
        job, _, token = name.partition("-")
        known = job.isascii() and job.isdigit() and len(job) < 19
        found = (
            await self._service.thread(self._service.jobs.resumable, int(job)) if known else None
        )
        if found is None or not hmac.compare_digest(
            str(found["details"].get("token", "")).encode(), token.encode()
        ):
            raise Refused(404, "there is no such upload")
        if found["phase"] == "failed" or (found["phase"] == "uploading" and found["expires_s"] < 0):
            raise Refused(410, "the upload has expired, or was ended")
        return int(job), found

    async def _head(self, job: int, found: dict[str, Any], config: Config) -> Response:
        live = self._uploads.get(job)
        offset = live.offset if live is not None else safe(found)
        headers = {"Upload-Length": str(found["length"]), "Cache-Control": "no-store"}
        return answer(200, found["job"], offset, config, headers)

    async def _terminate(self, job: int) -> Response:
        await self._give_up(self._uploads.pop(job, None), "the client gave the upload up", job)
        return Response(status_code=204, headers={"Tus-Resumable": VERSION})

    async def _give_up(self, upload: Upload | None, reason: str, job: int | None = None) -> None:
        if upload is not None:
            job = upload.job
            await self._service.abandon(partial(abandon, upload))
        await self._service.thread(self._service.jobs.fail, job, reason)
        self._service.untidy = True

    async def _patch(
        self, request: Request, job: int, found: dict[str, Any], config: Config
    ) -> Response:
        if request.headers.get("content-type") != "application/offset+octet-stream":
            raise Refused(415, "Content-Type must be application/offset+octet-stream")
        offset = number(request, "upload-offset")
        checksum = Checksum.of(request)
        self._forget_old()
        upload = self._uploads.get(job) or await self._open(
            job, found["length"], found["details"].get("store", {}), config,
            again=bool(found["details"].get("again")),
        )  # fmt: skip
        async with held(upload):
            if offset != upload.offset:
                raise Refused(409, f"the upload stands at {upload.offset}, not at {offset}")
            if offset + (content_length(request) or 0) > upload.length:
                raise Refused(413, "more bytes than Upload-Length")
            try:
                await self._take(request, upload, checksum, config)
            except (TooLargeError, TooManyMembersError) as error:
                self._uploads.pop(job, None)
                await self._give_up(upload, str(error))
                raise Refused(413, str(error)) from error
            except OSError as error:
                # Some of it may be stored: the next request goes on behind what surely is.
                self._uploads.pop(job, None)
                await self._service.thread(upload.sink.close)
                raise Refused(503, f"the store does not take it now: {error}") from error
            finally:
                if job in self._uploads:
                    await self._report(upload, config)
            if upload.offset == upload.length:
                job = await self._finish(upload)
        return answer(204, job, upload.offset, config)

    async def _take(
        self, request: Request, upload: Upload, checksum: Checksum | None, config: Config
    ) -> None:
        """The bytes of one PATCH; with a checksum they wait on disk until it is right."""
        waiting: IO[bytes] | None = None
        if checksum is not None:
            waiting = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        try:
            async for chunks in batches(request, config):
                if sum(map(len, chunks)) + upload.offset > upload.length:
                    raise Refused(413, "more bytes than Upload-Length")
                if waiting is None:
                    await self._service.thread(write, upload, chunks)
                else:
                    await self._service.thread(waiting.writelines, chunks)
            if waiting is not None and checksum is not None:
                await self._service.thread(write_checked, upload, waiting, checksum)
        except ClientDisconnect as gone:
            raise Refused(400, "the client went away") from gone
        finally:
            if waiting is not None:
                waiting.close()

    async def _report(self, upload: Upload, config: Config) -> None:
        """Say where the upload stands; also when its client went away in the middle."""

        def work() -> None:
            state = upload.sink.sync()
            self._service.jobs.report_resumable(
                upload.job, int(state["bytes"]), state, config.resumable_seconds
            )

        await asyncio.shield(self._service.thread(work))
        upload.expires_at = time.monotonic() + config.resumable_seconds

    async def _open(
        self, job: int, length: int, state: dict[str, Any], config: Config, *, again: bool
    ) -> Upload:
        offset = int(state.get("bytes", 0))
        try:
            sink = await self._service.thread(self._service.store.resume, bundle_key(job), state)
        except MissingError as error:
            await self._service.thread(self._service.jobs.fail, job, str(error))
            raise Refused(410, str(error)) from error
        receiver = None
        if offset == 0:
            receiver = await self._service.thread(
                Receiver,
                self._service.store,
                job,
                max_bytes=config.max_bytes,
                max_members=config.max_members,
                sink=sink,
            )
        expires = time.monotonic() + config.resumable_seconds
        self._uploads[job] = Upload(job, length, sink, receiver, offset, again, expires)
        return self._uploads[job]

    async def _finish(self, upload: Upload) -> int:
        """All bytes have come: the job's number, or that of the same bundle sent before."""
        config = await self._service.config()
        try:
            if upload.receiver is not None:
                received = await self._service.thread(upload.receiver.finish)
            else:
                received = await self._service.thread(
                    read_again, self._service.store, upload, config
                )
        except Exception as trouble:
            await self._service.thread(self._service.jobs.fail, upload.job, str(trouble))
            self._service.untidy = True
            raise
        finally:
            self._uploads.pop(upload.job, None)
        state = await self._service.registered(upload.job, received, again=upload.again)
        return int(state["job_id"])

    def _forget_old(self) -> None:
        now = time.monotonic()
        for job in [job for job, one in self._uploads.items() if one.expires_at < now]:
            abandon(self._uploads.pop(job))


def safe(found: dict[str, Any]) -> int:
    """Where a client has to go on that another listener has served."""
    return int(found["offset"])
