"""The bounded queue of messages to one client."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Protocol


class Sending(Protocol):
    """The sending half of a WebSocket."""

    async def send_text(self, data: str) -> None:
        """Send one text message; wait while the client does not read."""


MAX_MESSAGES, MAX_BYTES = 256, 1_000_000
MAX_MISSED = 200
RESYNC = json.dumps(
    {
        "event": "resync",
        "message": "too many files have changed to report each one: call get_files again",
    }
)


class Outbox:
    """Sends replies and pushed events in order.

    Events for a client that reads too slowly are dropped; for each file, only the id of the last
    log message that it got is kept. When the client has read the rest, it gets the state of those
    files and their log from there on (`Hub.catch_up`), and until then no other event of them.
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
        """Send a reply; it is never dropped: callers await `has_room` first."""
        self._waiting.append(text)
        self._bytes += len(text)
        self._wake.set()

    def push(self, text: str, file: int, after_log: int) -> None:
        """Send an event of a file with its log after `after_log`, or record it as missed."""
        too_much = self._is_full or self._bytes + len(text) > MAX_BYTES
        if file in self.missed or (too_much and self._waiting):
            self.miss(file, after_log)
        else:
            self.put(text)

    def miss(self, file: int, after_log: int) -> None:
        """Record that the client missed events of a file after the log message `after_log`."""
        self._wake.set()
        if file in self.missed or len(self.missed) < MAX_MISSED:
            self.missed[file] = min(after_log, self.missed.get(file, after_log))
        else:
            self._must_resync = True

    def catch_up(self, text: str, file: int, after_log: int) -> None:
        """Send the state of a file, with its log after `after_log`, in place of missed events."""
        self.missed.pop(file, None)
        self.push(text, file, after_log)

    def resync(self) -> None:
        """Ask the client to read all files again, because too many have changed."""
        self._must_resync = True
        self._wake.set()

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= MAX_MESSAGES or self._bytes >= MAX_BYTES

    async def has_room(self) -> None:
        """Wait until the queue has room for the reply to another request."""
        while self._is_full:
            self._sent.clear()
            await self._sent.wait()

    async def send_all(self) -> None:
        """Wait until there is something to send or a missed event, and send everything."""
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
