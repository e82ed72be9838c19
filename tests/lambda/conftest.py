"""The two functions, loaded as Lambda loads them, and what they talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import psycopg
import pytest
from fake_ecs import FakeEcs, arn
from function_modules import loaded
from psycopg import sql
from recording_database import STUB, RecordingDatabase

Payload = dict[str, Any]


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach a real account, whatever the machine is logged in to."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECS", "LOCARIA_DSN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("LOCARIA_DSN_SECRET", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


@pytest.fixture
def ecs_run_task() -> Iterator[ModuleType]:
    with loaded("ecs_run_task") as module:
        yield module


@pytest.fixture
def protocol() -> Iterator[ModuleType]:
    with loaded("ecs_run_task", "run_task_payload") as module:
        yield module


@pytest.fixture
def payload() -> Payload:
    """A valid `run_task` payload, to be changed by the test."""
    return {
        "version": 1,
        "action": "run_task",
        "dispatch": 17,
        "launch": 1,
        "xact": "123456",
        "container": "file_loader",
        "count": 2,
        "task": "file_loader",
        "cluster": "locaria",
        "subnets": ["subnet-1"],
        "security_groups": ["sg-1"],
    }


@pytest.fixture
def ecs(ecs_run_task: ModuleType, monkeypatch: pytest.MonkeyPatch) -> FakeEcs:
    """What the function's own client talks to. Retries come without their pauses."""
    fake = FakeEcs()
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", _at_once)
    ecs_run_task._ecs().meta.events.register("before-send.ecs", fake.take)
    return fake


def _at_once(*_: object) -> float:
    return 0.0


@pytest.fixture
def events_db(pg_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingDatabase]:
    """A database of its own for the test, named in LOCARIA_DSN."""
    name = "task_events_test"
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    with psycopg.connect(pg_server.dsn, autocommit=True) as server:
        server.execute(drop)
        server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        made = RecordingDatabase(pg_server.dsn, name)
        made.execute(sql.SQL(STUB))
        monkeypatch.setenv("LOCARIA_DSN", made.dsn)
        yield made
        server.execute(drop)


@pytest.fixture
def task_events(events_db: RecordingDatabase) -> Iterator[ModuleType]:
    with loaded("task_events") as module:
        yield module
        module._database.close()


@pytest.fixture
def state_change() -> Callable[..., dict[str, Any]]:
    """Makes "ECS Task State Change" envelopes of EventBridge."""

    def make(task_arn: str = arn(1), **detail: Any) -> dict[str, Any]:
        return {
            "version": "0",
            "id": "8f07966c-b005-4a0f-9ee9-63d2c41448b3",
            "detail-type": "ECS Task State Change",
            "source": "aws.ecs",
            "account": "123456789012",
            "time": "2026-02-03T04:05:06Z",
            "region": "eu-west-1",
            "resources": [task_arn],
            "detail": {
                "taskArn": task_arn,
                "startedBy": "locaria-17-1",
                "lastStatus": "STOPPED",
                "stopCode": "EssentialContainerExited",
                "stoppedReason": "OutOfMemoryError: Container killed due to memory usage",
                "containers": [{"name": "file_loader", "exitCode": 137, "lastStatus": "STOPPED"}],
                "version": 5,
                **detail,
            },
        }

    return make
