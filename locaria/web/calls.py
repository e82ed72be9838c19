"""Calls of the database for clients, counted and timed."""

from __future__ import annotations

import logging
import time
from collections import Counter

from locaria.web.access.identity import Identity
from locaria.web.database import ApiDatabase, Reply
from locaria.web.messages import RefusedError, Request

log = logging.getLogger(__name__)


class Caller:
    """Calls `locaria.api` for clients and logs refusals, without the content of requests.

    Attributes:
        answered: The number of replies by code. 200 stands for every successful one.
        seconds: The total time spent on them.
    """

    def __init__(self, database: ApiDatabase) -> None:
        self._database = database
        self.answered: Counter[int] = Counter()
        self.seconds = 0.0

    async def call(self, request: Request, identity: Identity) -> Reply:
        """Return the database's reply to a request.

        Raises:
            RefusedError: The identity has expired (401), or the database could not answer.
        """
        begin = time.perf_counter()
        try:
            if identity.is_expired:
                raise RefusedError(401, "the token has expired")
            reply = await self._database.call(request.text, identity)
        except RefusedError as refusal:
            self._count(refusal.code, request, identity, begin)
            raise
        self._count(reply.code or 200, request, identity, begin)
        return reply

    def _count(self, code: int, request: Request, identity: Identity, begin: float) -> None:
        self.answered[code if code >= 400 else 200] += 1
        self.seconds += time.perf_counter() - begin
        if code in (401, 403):
            log.warning(
                "refused %.60r to %s (%s): %s",
                request.method,
                identity.subject,
                identity.role,
                code,
            )
