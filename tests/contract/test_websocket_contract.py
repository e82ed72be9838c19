"""One client, two transports: the server's WebSocket, and API Gateway with its Lambda function.

The client is written for the stricter of the two: frames of 32 KB at most.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from fake_api_gateway import FakeApiGateway
from function_modules import loaded
from websockets.sync.client import ClientConnection, connect

from locaria.local.postgres.server import PostgresServer
from locaria.web.settings import Settings, read_settings
from tests.conftest import Database, cloned
from tests.web.conftest import Web
from tests.web.provider import Provider

FRAME = 30_000


@pytest.fixture(scope="module")
def site(
    pg_server: PostgresServer, template: str, request: pytest.FixtureRequest
) -> Iterator[Database]:
    with cloned(pg_server, template, request.node.nodeid) as database:
        yield database


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@contextmanager
def lambda_behind_gateway(site: Database, environment: dict[str, str]) -> Iterator[FakeApiGateway]:
    """API Gateway with the function as Lambda loads it."""
    with pytest.MonkeyPatch.context() as patch:
        given = environment | {
            "LOCARIA_DSN": site.dsn_of("web"),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
        for name, value in given.items():
            patch.setenv(name, value)
        for name in ("LOCARIA_DSN_SECRET", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
        with loaded("websocket_api") as function:
            with FakeApiGateway(function.handler) as gateway:
                patch.setenv("LOCARIA_CONNECTIONS_URL", gateway.endpoint)
                yield gateway
            function._database.session.close()


@pytest.fixture(scope="module")
def gateway(site: Database, provider: Provider) -> Iterator[FakeApiGateway]:
    with lambda_behind_gateway(site, provider.environment) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=["server", "api_gateway"])
def url(request: pytest.FixtureRequest, site: Database, provider: Provider) -> Iterator[str]:
    """Where the client connects, with a token."""
    if request.param == "api_gateway":
        yield request.getfixturevalue("gateway").ws
        return
    settings: Settings = read_settings(site.dsn_of("web"), "127.0.0.1", provider.environment)
    with Web(settings) as web:
        yield web.ws


class Client:
    """A client: one message, one reply."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def ask(self, message: Any) -> Any:
        if not isinstance(message, str | bytes):
            message = json.dumps(message)
        size = len(message)
        self.socket.send(
            [message[at : at + FRAME] for at in range(0, size, FRAME)] if size > FRAME else message
        )
        return json.loads(self.socket.recv(30))


@contextmanager
def connected(url: str, token: str | None) -> Iterator[Client]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with connect(url, additional_headers=headers, max_size=None, proxy=None) as socket:
        yield Client(socket)


def test_the_methods_of_the_source_are_answered(url: str, provider: Provider) -> None:
    with connected(url, provider.token()) as client:
        containers = client.ask({"method": "get_containers"})
        assert "file_loader" in [each["name"] for each in containers]
        made = client.ask(
            {"method": "instantiate_container", "name": "file_loader", "parameters": {}}
        )
        assert set(made) == {"container_id", "user_message"}
        state = client.ask({"method": "get_container_status", "container_id": made["container_id"]})
        assert state["code"] == 300
        assert set(state) == {"code", "message", "attributes", "last_update"}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{nonsense", 400),
        ("[1]", 400),
        ("null", 400),
        (b"\x00\xff", 400),
        ('{"method": "no_such_method", "request_id": 5}', 400),
        ('{"request_id": 5}', 400),
        ('{"method": ' + "[" * 5_000 + "]" * 5_000 + "}", 400),
        ('{"method": "get_files", "container": "\\u0000"}', 400),
        ({"method": "get_container_status", "container_id": "1; drop table files"}, 400),
        ({"method": "get_file", "container_id": 10**15}, 404),
        ({"method": "instantiate_container", "name": "no'; select 1", "parameters": {}}, 404),
    ],
)
def test_errors_are_replies_and_the_connection_stays_open(
    url: str, provider: Provider, message: Any, code: int
) -> None:
    with connected(url, provider.token()) as client:
        reply = client.ask(message)
        assert reply["code"] == code, reply
        assert isinstance(reply["message"], str)
        assert client.ask({"method": "get_overview", "request_id": 9})["request_id"] == 9


def test_a_request_id_comes_back(url: str, provider: Provider) -> None:
    with connected(url, provider.token()) as client:
        for given in (1, "a", None, [1, {"b": 2}]):
            assert (
                client.ask({"method": "get_containers", "request_id": given})["request_id"] == given
            )
        assert "request_id" not in client.ask({"method": "get_overview"})


def test_a_message_of_the_largest_size_in_frames_arrives(url: str, provider: Provider) -> None:
    with connected(url, provider.token()) as client:
        asked = {"method": "get_files", "attributes": {"y": "é", "x": ""}}
        asked["attributes"] = {"y": "é", "x": "x" * (131_000 - len(json.dumps(asked)))}
        assert client.ask(asked) == {"files": [], "next": None}


def test_each_method_takes_its_role(url: str, provider: Provider) -> None:
    with connected(url, provider.token(locaria_role="reader")) as client:
        refused = client.ask({"method": "add_file", "container": "file_loader", "attributes": {}})
        assert refused["code"] == 403
        assert "containers" in client.ask({"method": "get_containers", "request_id": 1})


@pytest.mark.parametrize("token", [None, "nonsense", "a.b.c"])
def test_nobody_gets_in_without_a_token(url: str, token: str | None) -> None:
    with pytest.raises(Exception, match="HTTP 401"), connected(url, token):
        pass


def test_a_ticket_opens_one_connection(url: str, site: Database) -> None:
    with site.connect("web") as database:
        database.execute("set role locaria_web")
        row = database.execute(
            """select locaria.issue_ticket('{"role": "reader", "subject": "bob"}') as ticket"""
        ).fetchone()
    assert row is not None
    with connected(f"{url}?ticket={row['ticket']}", None) as client:
        assert "containers" in client.ask({"method": "get_containers", "request_id": 1})
    with (
        pytest.raises(Exception, match="HTTP 401"),
        connected(f"{url}?ticket={row['ticket']}", None),
    ):
        pass


def test_a_page_of_another_origin_is_refused(url: str, provider: Provider) -> None:
    headers = {"Authorization": f"Bearer {provider.token()}"}
    with (
        pytest.raises(Exception, match="HTTP 403"),
        connect(url, additional_headers=headers, origin="https://evil.example.org", proxy=None),
    ):
        pass


# -- what only API Gateway has ---------------------------------------------------------------------


def connection_of(gateway: FakeApiGateway) -> str:
    return str(gateway.events[-1]["requestContext"]["connectionId"])


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def known(site: Database) -> set[str]:
    rows = site.connect().execute("select connection_id from locaria.websocket_connections")
    return {row["connection_id"] for row in rows}


def test_a_subscription_is_answered_by_what_to_do_instead(
    gateway: FakeApiGateway, provider: Provider
) -> None:
    with connected(gateway.ws, provider.token()) as client:
        reply = client.ask({"method": "subscribe", "container_id": 1, "request_id": 3})
        assert (reply["code"], reply["request_id"]) == (501, 3)
        assert "get_container_status" in reply["message"]


def test_a_reply_that_is_too_large_is_replaced_by_one_that_says_so(
    gateway: FakeApiGateway, site: Database, provider: Provider
) -> None:
    site.connect("app").execute(
        "insert into locaria.files (container, attributes) select 'file_loader',"
        " jsonb_build_object('x', repeat('x', 2000)) from generate_series(1, 100)"
    )
    with connected(gateway.ws, provider.token()) as client:
        reply = client.ask({"method": "get_files", "limit": 100, "request_id": "big"})
        assert (reply["code"], reply["request_id"]) == (413, "big")
        assert "131,072" in reply["message"]
        assert len(client.ask({"method": "get_files", "limit": 20})["files"]) == 20


def test_connections_are_remembered_and_forgotten(
    gateway: FakeApiGateway, site: Database, provider: Provider
) -> None:
    with connected(gateway.ws, provider.token()) as client:
        client.ask({"method": "get_overview"})
        mine = connection_of(gateway)
        assert mine in known(site)
        client.socket.close()
        eventually(lambda: mine not in known(site))


def test_a_client_that_has_gone_is_forgotten_though_nobody_said_so(
    gateway: FakeApiGateway, site: Database, provider: Provider
) -> None:
    gateway.loses_disconnects = True
    try:
        with connected(gateway.ws, provider.token()) as client:
            client.ask({"method": "get_overview"})
            mine = connection_of(gateway)
        eventually(lambda: not gateway.is_open(mine))
        assert mine in known(site)
        assert gateway.invoke("$default", mine, body="{}") == {"statusCode": 200}
        assert mine not in known(site)
    finally:
        gateway.loses_disconnects = False


def test_expired_connections_are_refused_closed_and_removed_by_tick(
    gateway: FakeApiGateway, site: Database, provider: Provider
) -> None:
    owner = site.connect()
    with connected(gateway.ws, provider.token()) as client:
        client.ask({"method": "get_overview"})
        mine = connection_of(gateway)
        owner.execute(
            "update locaria.websocket_connections set expires = now() where connection_id = %s",
            [mine],
        )
        assert client.ask({"method": "get_overview"})["code"] == 401
        eventually(lambda: mine not in known(site) and not gateway.is_open(mine))
    owner.execute(
        "insert into locaria.websocket_connections"
        " values ('left', '', '{}', now(), now() - interval '1 hour')"
    )
    owner.execute("select locaria.tick()")
    assert "left" not in known(site)


def test_a_connection_ends_with_its_token_or_after_two_hours(
    gateway: FakeApiGateway, site: Database, provider: Provider
) -> None:
    query = (
        "select extract(epoch from expires - now())::integer as left"
        " from locaria.websocket_connections where connection_id = %s"
    )
    for seconds, least, most in ((600, 500, 600), (10**6, 7000, 7200)):
        token = provider.token(exp=int(time.time()) + seconds)
        with connected(gateway.ws, token) as client:
            client.ask({"method": "get_overview"})
            row = site.connect().execute(query, [connection_of(gateway)]).fetchone()
            assert row is not None
            assert least <= row["left"] <= most


def test_a_full_buffer_is_tried_again(gateway: FakeApiGateway, provider: Provider) -> None:
    with connected(gateway.ws, provider.token()) as client:
        gateway.full_buffers, before = 2, gateway.posts
        assert "containers" in client.ask({"method": "get_containers", "request_id": 1})
        assert gateway.posts - before == 3


def test_an_authorizer_may_say_who_connects(gateway: FakeApiGateway) -> None:
    gateway.authorizer = {"role": "reader", "subject": "carol", "expires": "4000000000"}
    try:
        with connected(gateway.ws, None) as client:
            assert "containers" in client.ask({"method": "get_containers", "request_id": 1})
        gateway.authorizer["role"] = "root"
        with pytest.raises(Exception, match="HTTP 403"), connected(gateway.ws, None):
            pass
    finally:
        gateway.authorizer = {}


def test_a_database_connection_that_was_cut_is_opened_again(
    gateway: FakeApiGateway, site: Database, provider: Provider
) -> None:
    with connected(gateway.ws, provider.token()) as client:
        client.ask({"method": "get_overview"})
        with psycopg.connect(site.superuser_dsn, autocommit=True) as root:
            root.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where datname = current_database() and application_name = 'locaria websocket_api'"
            )
        assert "containers" in client.ask({"method": "get_containers", "request_id": 1})
