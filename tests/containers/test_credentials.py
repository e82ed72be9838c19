"""Credentials from where they are kept; Secrets Manager is moto's server."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from credentials import headers_for, resolve

import locaria_reporter as lr


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str]) -> Iterator[lr.Run]:
    """A run in a container that may read Secrets Manager."""
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    with lr.claim(channel=lr.RecordingChannel({})) as claimed:
        yield claimed
        claimed.finish()


def test_a_secret_is_a_token_or_an_object(run: lr.Run) -> None:
    assert resolve(run, {"secret": "maps/token"}) == {"token": "canary-token-1234"}
    login = resolve(run, {"secret": "maps/login"})
    assert login == {"username": "maps", "password": "canary-password"}
    assert headers_for(login) == {"Authorization": "Basic bWFwczpjYW5hcnktcGFzc3dvcmQ="}
    with pytest.raises(lr.Fatal, match="secret 'not/there' can't be read: ResourceNotFound"):
        resolve(run, {"secret": "not/there"})


def test_a_variable_is_one_that_was_set_for_it(
    run: lr.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCARIA_CREDENTIAL_MAPS", '{"key": "canary-key", "port": 1, "no": null}')
    assert resolve(run, {"environment": "MAPS"}) == {"key": "canary-key", "port": "1"}
    for name in ("NONE", "../MAPS", "maps", ""):
        with pytest.raises(lr.Fatal, match="has no variable LOCARIA_CREDENTIAL_"):
            resolve(run, {"environment": name})


def test_what_was_found_is_never_said() -> None:
    channel = lr.RecordingChannel({})
    with lr.claim(channel=channel) as run:
        resolve(run, {"username": "ann-smith", "password": "canary-1"})
        run.finish(message="ann-smith came with canary-1")
    assert channel.message == "ann-smith came with ****"


@pytest.mark.parametrize("given", ["canary-text", ["canary-text"], {"secret": {"a": "canary"}}])
def test_what_is_no_object_of_texts_is_refused_unseen(run: lr.Run, given: Any) -> None:
    with pytest.raises(lr.Fatal, match="an object of texts is needed") as refused:
        resolve(run, given)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, "ThrottlingException", lr.Retry),
        (500, "InternalServiceError", lr.Retry),
        (400, "AccessDeniedException", lr.Fatal),
    ],
)
def test_a_busy_store_is_asked_again_later_and_a_refusal_is_final(
    run: lr.Run, monkeypatch: pytest.MonkeyPatch, status: int, code: str, outcome: type[lr.Retry]
) -> None:
    import boto3  # noqa: PLC0415
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415

    class Answer:
        headers = MappingProxyType({"x-amzn-ErrorType": code})
        content = f'{{"__type": "{code}", "message": "words"}}'.encode()
        status_code = status
        text = content.decode()

    def send(_: URLLib3Session, request: AWSRequest) -> Answer:
        del request
        return Answer()

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(URLLib3Session, "send", send)
    boto3.DEFAULT_SESSION = None
    with pytest.raises(outcome, match=f"secret 'maps/token' can't be read: {code}: words"):
        resolve(run, {"secret": "maps/token"})


def test_a_store_that_does_not_answer_is_asked_again_later(
    run: lr.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(lr.Retry, match="secret 'maps/token' can't be read"):
        resolve(run, {"secret": "maps/token"})
