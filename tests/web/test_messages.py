"""Requests and replies over the WebSocket and POST /api: what is carried, what is refused."""

import json

import httpx
import pytest

from tests.web.conftest import Web


def test_a_request_is_answered_and_its_id_echoed(web: Web) -> None:
    with web.connect() as client:
        reply = client.ask({"method": "get_containers", "request_id": {"any": [1, None]}})
        assert reply["request_id"] == {"any": [1, None]}
        assert "containers" in reply
    posted = httpx.post(f"{web.http}/api", json={"method": "get_containers", "request_id": 1})
    assert posted.status_code == 200
    assert posted.json()["request_id"] == 1


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        ("{nonsense", 400, "not JSON"),
        ("", 400, "not JSON"),
        ("[]", 400, "JSON object"),
        ('"get_containers"', 400, "JSON object"),
        ('{"method": NaN}', 400, "NaN"),
        (b"\x00\x01", 400, "binary"),
        ('{"method": "no_such_method"}', 400, "method"),
        ('{"method": 7}', 400, ""),
        ("{}", 400, ""),
        ('{"a":' * 70 + "1" + "}" * 70, 400, "deeper than 64"),
        ('{"a":' + "[" * 50_000 + "]" * 50_000 + "}", 400, "deeper than 64"),
        ('{"method": "get_containers", "x": ' + "9" * 5000 + "}", 400, "not JSON"),
        ('{"method": "get_files", "container": "\\u0000"}', 400, ""),
        ('{"method": "get_files", "container": "\\ud800"}', 400, ""),
        (json.dumps({"method": "get_containers", "x": "x" * 131_072}), 413, "131,072 bytes"),
        (json.dumps({"method": "get_containers", "x": "x" * 10_000_000}), 413, "131,072 bytes"),
    ],
)
def test_what_is_no_request_gets_an_error_reply_and_the_connection_stays_open(
    web: Web, message: str | bytes, code: int, words: str
) -> None:
    with web.connect() as client:
        reply = client.ask(message)
        assert (reply["code"], words in reply["message"]) == (code, True), reply
        assert client.ask({"method": "get_containers", "request_id": 2})["request_id"] == 2
