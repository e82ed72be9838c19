"""Who gets in: tokens, tickets, pages, names; and that no token is ever written down."""

import json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from locaria.web.settings import Settings, SettingsError, read_settings
from tests.conftest import Database
from tests.web.conftest import Web, served
from tests.web.provider import Provider

CANARY = "canary-token-that-nobody-may-see"
READER = "reader-token-0123456789"


def write_tokens(path: Path) -> Path:
    path.touch(mode=0o600)
    tokens = [
        {"token": CANARY, "role": "operator", "subject": "ops"},
        {"token": READER, "role": "reader", "subject": "wall display"},
        {
            "token": "token-of-yesterday",
            "role": "operator",
            "subject": "old",
            "expires": "2020-01-01T00:00:00+00:00",
        },
    ]
    path.write_text(json.dumps({"tokens": tokens}))
    return path


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """An identity provider."""
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def guarded(
    site: Database, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Web]:
    """A server that knows tokens, and an identity provider."""
    environment = provider.environment | {
        "LOCARIA_WEB_TOKENS": str(write_tokens(tmp_path_factory.mktemp("tokens") / "tokens.json")),
        "LOCARIA_WEB_ORIGINS": "https://maps.example.org",
    }
    with Web(read_settings(site.dsn_of("web"), "0.0.0.0", environment)) as web:
        yield web


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def opening(web: Web, status: int | None = None, **options: Any) -> None:
    """Open a connection, and expect to be refused with a status, or not."""
    if status is None:
        with web.connect(**options) as client:
            assert "containers" in client.ask({"method": "get_containers", "request_id": 1})
        return
    with pytest.raises(InvalidStatus) as caught, web.connect(**options):
        pass
    assert caught.value.response.status_code == status


def test_a_known_token_opens_a_connection_and_an_unknown_or_old_one_does_not(
    guarded: Web,
) -> None:
    opening(guarded, additional_headers=bearer(CANARY))
    for headers in ({}, bearer("unknown-token-of-some-length"), bearer("token-of-yesterday")):
        opening(guarded, 401, additional_headers=headers)
        answer = httpx.post(f"{guarded.http}/api", json={}, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_sql_runs_under_the_role_of_the_token_and_refusals_are_logged(
    guarded: Web, caplog: pytest.LogCaptureFixture
) -> None:
    ask = {"method": "instantiate_container", "name": "file_loader", "parameters": {}}
    with caplog.at_level(logging.INFO):
        answer = httpx.post(f"{guarded.http}/api", json=ask, headers=bearer(READER))
        assert answer.status_code == answer.json()["code"] == 403
        opening(guarded, 401, additional_headers=bearer("unknown-token-of-some-length"))
    assert "refused 'instantiate_container' to wall display (reader): 403" in caplog.text
    assert "refused /ws to 127.0.0.1" in caplog.text


def test_a_ticket_opens_one_connection(guarded: Web) -> None:
    answer = httpx.post(f"{guarded.http}/ticket", json={}, headers=bearer(READER))
    assert answer.json()["role"] == "reader"
    url = f"{guarded.ws}?ticket={answer.json()['ticket']}"
    opening(guarded, url=url)
    opening(guarded, 401, url=url)
    assert httpx.post(f"{guarded.http}/api?{url.partition('?')[2]}", json={}).status_code == 401
    assert httpx.post(f"{guarded.http}/ticket", json={}).status_code == 401


def test_a_ticket_that_is_too_old_opens_nothing(guarded: Web, site: Database) -> None:
    answer = httpx.post(f"{guarded.http}/ticket", json={}, headers=bearer(READER))
    site.connect().execute("update locaria.tickets set expires = now() - interval '1 second'")
    opening(guarded, 401, url=f"{guarded.ws}?ticket={answer.json()['ticket']}")
    site.connect().execute("select locaria.forget_connections()")
    row = site.connect().execute("select count(*) from locaria.tickets").fetchone()
    assert row == {"count": 0}


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, None),
        ({"locaria_role": ["nonsense", "reader"]}, None),
        ({"locaria_role": "gis-admins"}, None),
        ({"aud": None, "client_id": "locaria"}, None),
        ({"locaria_role": "nonsense"}, 403),
        ({"locaria_role": None}, 403),
        ({"iss": "https://evil.example.org"}, 401),
        ({"aud": "somebody else"}, 401),
        ({"aud": None}, 401),
        ({"exp": 1}, 401),
        ({"exp": None}, 401),
        ({"nbf": 2**33}, 401),
        ({"sub": None}, 401),
    ],
)
def test_a_jwt_is_checked(
    guarded: Web, provider: Provider, claims: dict[str, Any], status: int | None
) -> None:
    opening(guarded, status, additional_headers=bearer(provider.token(**claims)))


def test_a_jwt_signed_otherwise_is_refused(guarded: Web, provider: Provider) -> None:
    for token in (
        provider.unsigned(),
        provider.signed_with_the_public_key(),
        provider.token()[:-6] + "AAAAAA",
        provider.signed_by_a_stranger(),
        "a.b.c",
        "é.é.é",
    ):
        opening(
            guarded,
            401,
            additional_headers={
                "Authorization": f"Bearer {token}".encode("latin-1").decode("latin-1")
            },
        )


def test_keys_are_fetched_once_and_again_when_they_were_rotated(
    site: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locaria.web.access.jwt_tokens._RETRY_S", 0.0)
    with Provider() as provider:
        settings = read_settings(site.dsn_of("web"), "127.0.0.1", provider.environment)
        with Web(settings) as web:
            for _ in range(3):
                opening(web, additional_headers=bearer(provider.token()))
            assert provider.asked == 1
            provider.rotate()
            opening(web, additional_headers=bearer(provider.token()))
            assert provider.asked == 2


def test_a_connection_ends_when_its_token_does(guarded: Web, provider: Provider) -> None:
    token = provider.token(exp=int(time.time()) + 2)
    with guarded.connect(additional_headers=bearer(token)) as client:
        assert "containers" in client.ask({"method": "get_containers", "request_id": 1})
        with pytest.raises(ConnectionClosed) as caught:
            client.receive()
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4401, "the token has expired")


def test_a_revoked_token_ends_the_connections_that_it_opened(
    site: Database, tmp_path: Path
) -> None:
    path = write_tokens(tmp_path / "tokens.json")
    settings = Settings(dsn=site.dsn_of("web"), tokens=path)

    def keep(*kept: dict[str, str]) -> None:
        path.with_suffix(".new").touch(mode=0o600)
        path.with_suffix(".new").write_text(json.dumps({"tokens": kept}))
        path.with_suffix(".new").replace(path)

    def close_code(client: Any) -> Any:
        with pytest.raises(ConnectionClosed) as caught:
            client.receive()
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code, caught.value.rcvd.reason

    reader = {"token": READER, "role": "reader", "subject": "wall display"}
    with Web(settings) as web:
        posted = httpx.post(f"{web.http}/ticket", json={}, headers=bearer(CANARY))
        unused = httpx.post(f"{web.http}/ticket", json={}, headers=bearer(CANARY))
        with (
            web.connect(additional_headers=bearer(READER)) as kept,
            web.connect(additional_headers=bearer(CANARY)) as revoked,
            web.connect(url=f"{web.ws}?ticket={posted.json()['ticket']}") as by_ticket,
        ):
            keep(reader)
            assert close_code(revoked) == (4401, "the token was revoked")
            assert close_code(by_ticket) == (4401, "the token was revoked")
            opening(web, 401, url=f"{web.ws}?ticket={unused.json()['ticket']}")
            assert "containers" in kept.ask({"method": "get_containers", "request_id": 1})
            keep(reader | {"role": "operator"})  # another right is another token
            assert close_code(kept)[0] == 4401


def test_a_page_of_another_origin_is_refused(web: Web, guarded: Web) -> None:
    for server, headers in ((web, {}), (guarded, bearer(CANARY))):
        for origin in (
            "https://evil.example.org",
            "null",
            server.http + "1",
            "http://[",
            "file://",
        ):
            opening(server, 403, origin=origin, additional_headers=headers)
            posted = httpx.post(f"{server.http}/api", json={}, headers=headers | {"Origin": origin})
            assert posted.status_code == 403
        opening(server, origin=server.http, additional_headers=headers)
    opening(guarded, origin="https://maps.example.org", additional_headers=bearer(CANARY))


def test_a_form_of_another_page_can_not_post(web: Web) -> None:
    answer = httpx.post(f"{web.http}/api", content='{"method": "get_containers"}')
    assert answer.status_code == 415


def test_a_name_that_is_not_ours_is_refused_where_all_are_trusted(web: Web) -> None:
    for headers in ({"Host": "rebound.example.org"}, {"Host": "["}, {"X-Forwarded-For": "1.2.3.4"}):
        answer = httpx.post(f"{web.http}/api", json={"method": "get_containers"}, headers=headers)
        assert answer.status_code == 403, headers
    local = web.http.replace("127.0.0.1", "localhost")
    assert httpx.post(f"{local}/api", json={"method": "get_containers"}).status_code == 200


def test_an_open_server_listens_on_loopback_only(site: Database) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(SettingsError, match="LOCARIA_WEB_TOKENS"):
            Settings(dsn=site.dsn, host=host)


@pytest.mark.parametrize(
    "wrong",
    [
        {"LOCARIA_JWKS_URL": "https://id.example.org/keys"},
        {"LOCARIA_JWKS_URL": "http://id.example.org/keys"},
        {"LOCARIA_JWT_ALGORITHMS": "HS256"},
        {"LOCARIA_JWT_ALGORITHMS": "none"},
        {"LOCARIA_JWT_ROLES": "admins=root"},
        {"LOCARIA_WEB_MAX_MESSAGE": "much"},
    ],
)
def test_unsafe_settings_are_refused(wrong: dict[str, str]) -> None:
    whole = {
        "LOCARIA_JWKS_URL": "https://id.example.org/keys",
        "LOCARIA_JWT_ISSUER": "https://id.example.org",
        "LOCARIA_JWT_AUDIENCE": "locaria",
    }
    environment = (
        wrong if wrong == {"LOCARIA_JWKS_URL": whole["LOCARIA_JWKS_URL"]} else whole | wrong
    )
    with pytest.raises(SettingsError):
        read_settings("", "127.0.0.1", environment)


def test_a_file_of_tokens_is_private_and_read_again_when_it_changes(
    settings: Settings, tmp_path: Path
) -> None:
    path = write_tokens(tmp_path / "tokens.json")
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        Web(Settings(dsn=settings.dsn, tokens=path))
    path.chmod(0o600)
    with served(settings, tokens=path) as web:
        opening(web, additional_headers=bearer(READER))
        path.write_text('{"tokens": []}')
        opening(web, 401, additional_headers=bearer(READER))
        path.write_text("nonsense, half written")
        opening(web, 401, additional_headers=bearer(READER))
        write_tokens(path)
        opening(web, additional_headers=bearer(READER))


def test_no_token_or_ticket_is_ever_logged(
    guarded: Web, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = [CANARY, "wrong-" + CANARY, provider.token(), provider.token(exp=1)]
    with caplog.at_level(logging.DEBUG):
        for token in secrets:
            httpx.post(f"{guarded.http}/api", json={"method": "x"}, headers=bearer(token))
        answer = httpx.post(f"{guarded.http}/ticket", json={}, headers=bearer(CANARY)).json()
        opening(guarded, url=f"{guarded.ws}?ticket={answer['ticket']}")
        opening(guarded, 401, url=f"{guarded.ws}?ticket={answer['ticket']}")
    ours = [each for each in caplog.records if not each.name.startswith(("httpc", "websockets"))]
    written = "\n".join(each.getMessage() for each in ours)
    for secret in (*secrets, answer["ticket"]):
        assert secret not in written


def test_the_statement_of_the_document_makes_a_ticket(site: Database) -> None:
    document = (Path(__file__).parents[2] / "docs" / "websocket_api.md").read_text()
    statements = re.findall(r"```sql\n(.*?)```", document, re.S)
    assert statements
    with site.connect("web") as application:
        application.execute("set role locaria_web")
        for statement in statements:
            row = application.execute(statement.encode()).fetchone()
            assert row is not None
            assert len(row["issue_ticket"]) == 64
