"""Credentials out of Secrets Manager, as moto's server plays it."""

import pytest
from credentials import resolve

from locaria_reporter import Fatal, Retry


def test_a_secret_is_a_text_or_an_object(
    secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert resolve({"secret": "maps/token"}) == {"key": "canary-token-1234"}
    assert resolve({"secret": "maps/login"}) == {"username": "maps", "password": "canary-password"}
    with pytest.raises(Fatal, match="secret not/there: ResourceNotFoundException"):
        resolve({"secret": "not/there"})


def test_a_store_that_does_not_answer_is_asked_again_later(
    secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    for name, value in (secrets | nobody).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Retry, match="secret maps/token"):
        resolve({"secret": "maps/token"})
