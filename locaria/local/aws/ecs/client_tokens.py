"""RunTask's idempotency: a client token gives the answer of its first request again.

Source: "Ensuring idempotency in Amazon ECS API requests". The same token with other parameters is
a ConflictException that names the tasks of the first request. A token holds for 24 hours, or until
an hour after its last task has ended, whichever is shorter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from locaria.local.aws.ecs.model import EcsError, Task

_LONGEST = timedelta(hours=24)
_AFTER_END = timedelta(hours=1)


@dataclass(frozen=True)
class Answer:
    """What a request with a token was answered; `parameters` is a digest of the request."""

    parameters: str
    task_ids: list[str]
    failures: list[dict[str, Any]]
    given_at: str


class ClientTokens:
    """The answers by token. Kept in a file: a request may be repeated after a crash of ours.

    Parameters
        path  the file.
        task  gives the task of an id, None when it is forgotten.
    """

    def __init__(self, path: Path, task: Callable[[str], Task | None]) -> None:
        self._path = path
        self._task = task
        self._answers: dict[str, Answer] = {}
        if path.exists():
            loaded = json.loads(path.read_text())
            self._answers = {token: Answer(**answer) for token, answer in loaded.items()}

    def answer(self, cluster: str, request: dict[str, Any]) -> Answer | None:
        """The stored answer to a request; None when it is the first. Raises ConflictException."""
        token = request.get("clientToken")
        if token is None:
            return None
        self._expire()
        known = self._answers.get(f"{cluster}/{token}")
        if known is not None and known.parameters != _parameters(request):
            tasks = [self._task(task_id) for task_id in known.task_ids]
            raise EcsError(
                "ConflictException",
                "The clientToken was used before with other parameters.",
                resourceIds=[task.arn for task in tasks if task is not None],
            )
        return known

    def store(
        self,
        cluster: str,
        request: dict[str, Any],
        task_ids: list[str],
        failures: list[dict[str, Any]],
    ) -> None:
        """Remember the answer to a request, if it has a token."""
        token = request.get("clientToken")
        if token is None:
            return
        now = datetime.now(UTC).isoformat()
        answer = Answer(_parameters(request), task_ids, failures, now)
        self._answers[f"{cluster}/{token}"] = answer
        try:
            self._save()
        except OSError:
            del self._answers[f"{cluster}/{token}"]
            raise

    def _expire(self) -> None:
        kept = {token: answer for token, answer in self._answers.items() if self._holds(answer)}
        if len(kept) < len(self._answers):
            self._answers = kept
            self._save()

    def _holds(self, answer: Answer) -> bool:
        given_at = datetime.fromisoformat(answer.given_at)
        now = datetime.now(UTC)
        if now - given_at > _LONGEST:
            return False
        tasks = [self._task(task_id) for task_id in answer.task_ids]
        ends = [task.facts.get("stoppedAt") if task else given_at for task in tasks] or [given_at]
        if any(end is None for end in ends):
            return True
        return now - max(end for end in ends if end is not None) <= _AFTER_END

    def _save(self) -> None:
        growing = self._path.with_suffix(".new")
        growing.write_text(json.dumps({token: asdict(a) for token, a in self._answers.items()}))
        growing.replace(self._path)


def _parameters(request: dict[str, Any]) -> str:
    others = {name: value for name, value in request.items() if name != "clientToken"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()
