"""What waits to be sent to one client: bounded, whatever the client does."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class Sending(Protocol):
    """The part of a WebSocket that sends."""

    async def send_text(self, data: str) -> None:
        """Send one text message; waits while the client does not read."""


MAX_MESSAGES, MAX_BYTES = 256, 1_000_000
MAX_MISSED = 200


class Outbox:
    """Sends replies and pushed events in order.

    A client that reads too slowly misses events: they are dropped, and what it lacks is remembered
    as one number per file. When it has read the rest, `take_missed` says from where to go on.
    """

    def __init__(self, socket: Sending) -> None:
        self._socket = socket
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._sent = asyncio.Event()
        self._missed: dict[int, int] = {}
        self._missed_more = False
        self._is_behind = False

    def put(self, text: str) -> None:
        """Send a reply, which is never dropped: `has_room` is awaited before the next request."""
        self._waiting.append(text)
        self._bytes += len(text)
        self._wake.set()

    def push(self, text: str, file: int, after_log: int) -> None:
        """Send an event of a file, whose log messages come after `after_log`, or miss it."""
        too_much = self._is_full or self._bytes + len(text) > MAX_BYTES
        if self._is_behind or (too_much and self._waiting):
            self.miss({file: after_log})
        else:
            self.put(text)

    def miss(self, files: dict[int, int]) -> None:
        """Remember files of which the client lacks events, with the last log message it has."""
        self._is_behind = True
        self._wake.set()
        for file, after_log in files.items():
            if file in self._missed or len(self._missed) < MAX_MISSED:
                self._missed[file] = min(after_log, self._missed.get(file, after_log))
            else:
                self._missed_more = True

    def resync(self) -> None:
        """Let the client look again at everything: more has changed than is told one by one."""
        self._is_behind = self._missed_more = True
        self._wake.set()

    def take_missed(self) -> tuple[dict[int, int], bool]:
        """What was missed since the last call, as {file: last log message known}.

        Also whether there was more than could be remembered.
        """
        missed, more = self._missed, self._missed_more
        self._missed, self._missed_more, self._is_behind = {}, False, False
        return missed, more

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= MAX_MESSAGES or self._bytes >= MAX_BYTES

    async def has_room(self) -> None:
        """Wait until the client has read enough to be asked for its next request."""
        while self._is_full:
            self._sent.clear()
            await self._sent.wait()

    async def send_next(self) -> bool:
        """Wait for something to send, and send all of it; whether events were missed meanwhile."""
        await self._wake.wait()
        self._wake.clear()
        while self._waiting:
            text = self._waiting.popleft()
            self._bytes -= len(text)
            await self._socket.send_text(text)
            self._sent.set()
        return self._is_behind
