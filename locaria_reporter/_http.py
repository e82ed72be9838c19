"""The HTTP side of a listener: the commands that wait for their turn.

Requests are read, and answers written, in a thread for each connection (_http_request); what they
ask for is done by the loader's own thread, one after the other.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from locaria_reporter._channel import Json
from locaria_reporter._commands import Command
from locaria_reporter._http_request import HttpError, RequestHandler

_LOG = logging.getLogger("locaria_reporter")
_CONNECTIONS = 100
_TO_ANSWER = 5.0


@dataclass(frozen=True)
class Limits:
    """What one listener takes on.

    Attributes:
        body: bytes of a request, at most.
        waiting: commands that wait for their turn, at most; further ones get 503.
        patience: seconds that a command waits for its turn, at most.
    """

    body: int = 1 << 20
    waiting: int = 16
    patience: float = 60.0


@dataclass(eq=False)
class Call:
    """A command on its way: from the thread of its connection to the loader's and back."""

    command: Command
    caller: str
    reply: Json | HttpError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def answer(self, reply: Json | HttpError) -> None:
        """Let the caller have it."""
        self.reply = reply
        self.done.set()


class CommandServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Takes commands over HTTP until stop().

    Args:
        listening: a bound and listening socket.
        check: raises BadCommand for a command that can't be done.
        describe: what GET / says.
        wake: called, in any thread, when there is something to do.
        token: a bearer token that every request must bring.
        limits: see Limits.
    """

    daemon_threads = True

    def __init__(
        self,
        listening: socket.socket,
        *,
        check: Callable[[Command], None],
        describe: Callable[[], Json],
        wake: Callable[[], None],
        token: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        address = listening.getsockname()
        self.address_family = listening.family
        super().__init__(address, RequestHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_address = address
        self.check = check
        self.describe = describe
        self.token = token
        self.limits = limits or Limits()
        self.local_only = str(address[0]) in ("127.0.0.1", "::1")
        self.stopping: str | None = None
        self._wake = wake
        self._lock = threading.Condition()
        self._waiting: deque[Call] = deque()
        self._in_hand: Call | None = None
        self._answering = 0
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.2,), name="locaria-http", daemon=True
        )

    def start(self) -> None:
        """Serve, in threads of its own."""
        self._thread.start()

    def stop(self, reason: str) -> None:
        """Refuse what waits, let the answers under way be written, close; twice is fine."""
        self.refuse(reason)
        if self._in_hand is not None and not self._in_hand.done.is_set():
            self._in_hand.answer(HttpError(503, f"the listener stops: {self.stopping}"))
        self.shutdown()
        with self._lock:
            self._lock.wait_for(lambda: self._answering == 0, timeout=_TO_ANSWER)
        self.server_close()

    def refuse(self, reason: str) -> None:
        """From now on every command gets 503."""
        with self._lock:
            self.stopping = self.stopping or reason
            waiting, self._waiting = list(self._waiting), deque()
        for call in waiting:
            call.answer(HttpError(503, f"the listener stops: {self.stopping}"))

    @property
    def waiting(self) -> int:
        """How many commands wait for their turn."""
        return len(self._waiting)

    def next_call(self) -> Call | None:
        """The command whose turn it is."""
        with self._lock:
            if not self._waiting:
                return None
            self._in_hand = self._waiting.popleft()
            return self._in_hand

    def perform(self, command: Command, caller: str) -> Json:
        """Called by a connection's thread: wait for the turn and for the reply."""
        call = Call(command, caller)
        with self._lock:
            if self.stopping is not None:
                raise HttpError(503, f"the listener stops: {self.stopping}")
            if len(self._waiting) >= self.limits.waiting:
                raise _busy(f"{len(self._waiting)} commands are waiting already")
            self._waiting.append(call)
        self._wake()
        if not call.done.wait(self.limits.patience):
            with self._lock:
                if call in self._waiting:
                    self._waiting.remove(call)
                    raise _busy(f"its turn did not come within {self.limits.patience:.0f} s")
            call.done.wait()
        assert call.reply is not None, "a call that is done has its reply"
        if isinstance(call.reply, HttpError):
            raise call.reply
        return call.reply

    # Connections

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            _LOG.warning("more than %s connections at once: one is refused", _CONNECTIONS)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _LOG.debug("connection %s of %s broke", request, client_address[0], exc_info=True)

    @contextlib.contextmanager
    def answering(self) -> Any:
        """While a request is answered; stop() waits for it."""
        with self._lock:
            self._answering += 1
        try:
            yield
        finally:
            with self._lock:
                self._answering -= 1
                self._lock.notify_all()


def _busy(why: str) -> HttpError:
    return HttpError(503, f"busy: {why}", headers={"Retry-After": "1"})
