"""The server in a thread, clients as anybody writes them, and a container played by the test."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self

import pytest
from websockets.sync.client import ClientConnection, connect

from locaria.local.postgres.server import PostgresServer
from locaria.web.app import Server, make_app
from locaria.web.serve import run_server
from locaria.web.settings import Settings
from locaria.web.sockets import bind, url_of
from tests.conftest import Connection, Database, cloned

CONTAINER = "file_loader"


class Web:
    """A server of the test's own on a free port."""

    def __init__(self, settings: Settings, *, small_buffers: bool = False) -> None:
        self.settings = settings
        self.server = Server(settings)
        self._socket: socket.socket = bind("127.0.0.1", 0)
        if small_buffers:  # of the system, for what clients have not read yet
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stop: asyncio.Event = asyncio.Event()

    @property
    def http(self) -> str:
        return url_of(self._socket)

    @property
    def ws(self) -> str:
        return url_of(self._socket, "ws") + "/ws"

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()[:2]
        return host, port

    def waiting_bytes(self) -> int:
        """What waits for the slowest client."""
        groups = self.server.hub._groups.values()
        watching = [each for group in groups for some in group.files.values() for each in some]
        return max(each.outbox._bytes for each in watching)

    def _serve(self) -> None:
        self._loop.run_until_complete(
            run_server(make_app(self.server), self._socket, stop=self._stop)
        )

    def connect(self, **options: Any) -> "Client":
        """A WebSocket client, connected when it is entered."""
        options = {"max_size": None, "open_timeout": 20, "proxy": None} | options
        return Client(connect(options.pop("url", self.ws), **options))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()


class Client:
    """A plain WebSocket client that sends and awaits JSON."""

    def __init__(self, connecting: connect) -> None:
        self._connecting = connecting

    def __enter__(self) -> Self:
        self.socket: ClientConnection = self._connecting.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._connecting.__exit__(None, None, None)

    def send(self, message: Any) -> None:
        self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def receive(self, timeout: float = 20) -> Any:
        return json.loads(self.socket.recv(timeout))

    def ask(self, message: Any, **more: Any) -> Any:
        """Send a request, and return its reply: the next message."""
        self.send(message if isinstance(message, str | bytes) else message | more)
        return self.receive()

    def until(self, condition: Any) -> list[Any]:
        """All messages up to the first that meets a condition."""
        got = []
        while True:
            got.append(self.receive())
            if condition(got[-1]):
                return got


class Task:
    """Plays a container's task through the reporter's functions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.task = self._call("select task_id from locaria.start_task(%s)", CONTAINER)["task_id"]
        self._runs: dict[int, int] = {}

    def _call(self, query: str, *values: Any) -> dict[str, Any]:
        row = self._connection.execute(query, values).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row

    def run(self, file: int) -> int:
        """Claim what there is until this file is among it; its run."""
        while file not in self._runs:
            rows = self._connection.execute(
                "select file_id, run_id from locaria.claim_files(%s, 100)", [self.task]
            ).fetchall()
            assert rows, f"file {file} can't be claimed"
            self._runs.update((row["file_id"], row["run_id"]) for row in rows)
        return self._runs[file]

    def log(self, run: int, *messages: str) -> None:
        said = [{"level": "info", "message": each} for each in messages]
        self._call("select locaria.log_run(%s, %s::jsonb)", run, json.dumps(said))

    def progress(self, run: int, **values: Any) -> None:
        self._call("select locaria.report_progress(%s, %s::jsonb)", run, json.dumps(values))

    def finish(self, run: int) -> None:
        self._call("select locaria.finish_run(%s)", run)


@pytest.fixture(scope="module")
def site(
    pg_server: PostgresServer, template: str, request: pytest.FixtureRequest
) -> Iterator[Database]:
    """One database for the tests of a module."""
    with cloned(pg_server, template, request.node.nodeid) as database:
        yield database


@pytest.fixture(scope="module")
def settings(site: Database) -> Settings:
    """Open to this machine, as `locaria up` serves."""
    return Settings(dsn=site.dsn_of("web"))


@pytest.fixture(scope="module")
def web(settings: Settings) -> Iterator[Web]:
    """One server for the tests of a module."""
    with Web(settings) as web:
        yield web


@contextmanager
def served(settings: Settings, *, small_buffers: bool = False, **changes: Any) -> Iterator[Web]:
    """Another server, configured otherwise."""
    with Web(replace(settings, **changes), small_buffers=small_buffers) as web:
        yield web


@pytest.fixture(scope="module")
def app(site: Database) -> Connection:
    """An application."""
    return site.connect("app")


@pytest.fixture(scope="module")
def task(site: Database) -> Task:
    """A task that is alive."""
    return Task(site.connect("loader"))


def insert(connection: Connection, count: int = 1) -> list[int]:
    """Insert files as an application does; their numbers."""
    rows = connection.execute(
        "insert into locaria.files (container, attributes)"
        " select %s, '{}' from generate_series(1, %s) returning id",
        [CONTAINER, count],
    )
    return [row["id"] for row in rows]
