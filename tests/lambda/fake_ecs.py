"""The far end of boto3's ECS client, for answers that no emulator gives."""

from __future__ import annotations

import json
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict

Answer = tuple[int, dict[str, Any]] | Exception


class FakeEcs:
    """The far end of the function's client: takes real HTTP requests, gives the answers it is told.

    Unlike botocore's Stubber it sits below the parsing and the retries of botocore, so that the
    bytes of an answer are what is tested.
    """

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[dict[str, Any]] = []
        self.actions: list[str] = []

    def will_answer(self, *answers: Answer) -> None:
        """Queue answers: (status, body), or an exception of the connection."""
        self.answers += answers

    def will_refuse(self, code: str, message: str = "", status: int = 400, **more: Any) -> None:
        """Queue one error in the JSON protocol of ECS."""
        self.will_answer((status, {"__type": code, "message": message, **more}))

    def take(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Handler of botocore's `before-send` event."""
        target: Any = request.headers["X-Amz-Target"]
        body: Any = request.body
        self.actions.append(target.decode().rpartition(".")[2])
        self.requests.append(json.loads(body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return _Response(request.url, *answer)


class _Response(AWSResponse):
    def __init__(self, url: str, status: int, body: dict[str, Any]) -> None:
        headers: Any = HeadersDict()
        super().__init__(url, status, headers, None)
        self._body = json.dumps(body).encode()

    @property
    def content(self) -> bytes:
        return self._body


def launched(*numbers: int, failures: list[dict[str, str]] | None = None) -> Answer:
    """RunTask's answer with these tasks."""
    return 200, {"tasks": [{"taskArn": arn(n)} for n in numbers], "failures": failures or []}


def arn(number: int) -> str:
    return f"arn:aws:ecs:eu-west-1:123456789012:task/locaria/{number:032x}"
