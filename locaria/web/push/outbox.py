"""What waits to be sent to one client: bounded, whatever the client does."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Protocol


class Sending(Protocol):
    """The part of a WebSocket that sends."""

    async def send_text(self, data: str) -> None:
        """Send one text message; waits while the client does not read."""


MAX_MESSAGES, MAX_BYTES = 256, 1_000_000
MAX_MISSED = 200
RESYNC = json.dumps(
    {
        "event": "resync",
        "message": "More has changed than is told file by file: ask get_files again.",
    }
)


class Outbox:
    """Sends replies and pushed events in order.

    A client that reads too slowly misses events: they are dropped, and what it lacks is remembered
    as one number per file. When it has read the rest it is told the state of those files, and their
    log from there on (`Hub.catch_up`); until then it gets no other event of them.
    """

    def __init__(self, socket: Sending) -> None:
        self._socket = socket
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._sent = asyncio.Event()
        self._must_resync = False
        self.missed: dict[int, int] = {}

    def put(self, text: str) -> None:
        """Send a reply, which is never dropped: `has_room` is awaited before the next request."""
        self._waiting.append(text)
        self._bytes += len(text)
        self._wake.set()

    def push(self, text: str, file: int, after_log: int) -> None:
        """Send an event of a file, whose new log messages come after `after_log`, or miss it."""
        too_much = self._is_full or self._bytes + len(text) > MAX_BYTES
        if file in self.missed or (too_much and self._waiting):
            self.miss(file, after_log)
        else:
            self.put(text)

    def miss(self, file: int, after_log: int) -> None:
        """Remember that events of a file are lacking, and the last log message that is not."""
        self._wake.set()
        if file in self.missed or len(self.missed) < MAX_MISSED:
            self.missed[file] = min(after_log, self.missed.get(file, after_log))
        else:
            self._must_resync = True

    def catch_up(self, text: str, file: int, after_log: int) -> None:
        """Send the state of a file, with its log after `after_log`, in place of what was missed."""
        self.missed.pop(file, None)
        self.push(text, file, after_log)

    def resync(self) -> None:
        """Let the client look again at everything: more has changed than is told one by one."""
        self._must_resync = True
        self._wake.set()

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= MAX_MESSAGES or self._bytes >= MAX_BYTES

    async def has_room(self) -> None:
        """Wait until the client has read enough to be asked for its next request."""
        while self._is_full:
            self._sent.clear()
            await self._sent.wait()

    async def send_all(self) -> None:
        """Wait for something to send, or for something to have been missed; send all of it."""
        await self._wake.wait()
        self._wake.clear()
        while self._waiting or self._must_resync:
            if not self._waiting:
                self._must_resync = False
                self.put(RESYNC)
            text = self._waiting.popleft()
            self._bytes -= len(text)
            await self._socket.send_text(text)
            self._sent.set()
