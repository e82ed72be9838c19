"""The JSON Schema of the payload and the function's own check say the same."""

from __future__ import annotations

import json
import re
from types import ModuleType
from typing import Any

import pytest
from function_modules import LAMBDA
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

Payload = dict[str, Any]

SCHEMA = json.loads((LAMBDA / "protocol" / "run_task.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)

STOP: Payload = {
    "version": 1,
    "action": "stop_task",
    "cluster": "locaria",
    "task_arn": "arn:aws:ecs:local:000000000000:task/locaria/8d2e6c",
    "reason": "cancelled",
}

REFUSED: list[tuple[Payload, str]] = [
    ({"version": 2}, "version 1, not 2"),
    ({"version": "1"}, "version 1, not '1'"),
    ({"version": True}, "version 1, not True"),
    ({"version": None}, "version 1, not None"),
    ({"action": "describe"}, "unknown action 'describe'"),
    ({"action": ["run_task"]}, "unknown action"),
    ({"dispatch": 0}, "dispatch must be a whole number from 1"),
    ({"dispatch": "17"}, "dispatch must be a whole number"),
    ({"dispatch": True}, "dispatch must be a whole number"),
    ({"dispatch": 2**63}, "dispatch must be a whole number"),
    ({"dispatch": 17.5}, "dispatch must be a whole number"),
    ({"launch": 0}, "launch must be"),
    ({"launch": None}, "launch must be"),
    ({"count": 0}, "count must be a whole number from 1 to 1000"),
    ({"count": 1001}, "count must be"),
    ({"xact": 123456}, "xact must be a string"),
    ({"xact": "12x"}, "xact must be"),
    ({"container": ""}, "container must be"),
    ({"container": "file loader"}, "container must be"),
    ({"container": "c" * 256}, "container must be"),
    ({"task": "file_loader:latest"}, "task must be"),
    ({"task": "arn:aws:iam::123456789012:role/admin"}, "task must be"),
    ({"cluster": "a/b"}, "cluster must be"),
    ({"subnets": []}, "subnets must be a list of 1 to 16"),
    ({"subnets": "subnet-1"}, "subnets must be a list"),
    ({"subnets": ["subnet-1", 2]}, "subnets must be a list"),
    ({"subnets": ["subnet-1", "subnet-1"]}, "subnets must be a list"),
    ({"subnets": [f"subnet-{n}" for n in range(17)]}, "subnets must be a list"),
    ({"security_groups": ["default"]}, "security_groups must be a list"),
    ({"security_groups": [f"sg-{n}" for n in range(6)]}, "security_groups must be a list"),
    ({"assign_public_ip": True}, "assign_public_ip must be"),
    ({"platform_version": "newest"}, "platform_version must be"),
    ({"capacity_provider": "MY_EC2"}, "capacity_provider must be"),
    ({"origin": "a b"}, "origin must be"),
    ({"priority": 5}, "priority is not a key of this payload"),
    ({"task_arn": "arn"}, "task_arn is not a key of this payload"),
    ({"command": ["sh", "-c", "id"]}, "command is never taken from an event"),
    ({"taskRoleArn": "arn:aws:iam::1:role/x"}, "taskRoleArn is never taken from an event"),
    ({"execution_role": "x"}, "execution_role is never taken from an event"),
    ({"environment": [{"name": "A", "value": "b"}]}, "environment is never taken from an event"),
    ({"overrides": {}}, "overrides is never taken from an event"),
    ({"image": "evil"}, "image is never taken from an event"),
]


def is_valid(payload: object) -> bool:
    verdict: bool = VALIDATOR.is_valid(payload)
    return verdict


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("example", SCHEMA["examples"])
def test_every_example_is_accepted_by_both(protocol: ModuleType, example: Payload) -> None:
    VALIDATOR.validate(example)
    assert protocol.check_payload(example) == example["action"]


def test_the_examples_show_every_key() -> None:
    shown = {key for example in SCHEMA["examples"] for key in example}
    properties = [definition["properties"] for definition in SCHEMA["$defs"].values()]
    assert shown == {key for each in properties for key in each}
    assert all(
        "description" in field
        for each in properties
        for field in each.values()
        if "const" not in field
    )


@pytest.mark.parametrize(("change", "complaint"), REFUSED)
def test_what_one_refuses_the_other_refuses(
    protocol: ModuleType, payload: Payload, change: Payload, complaint: str
) -> None:
    assert not is_valid(payload | change)
    with pytest.raises(protocol.PayloadError, match=re.escape(complaint)):
        protocol.check_payload(payload | change)


@pytest.mark.parametrize(
    "change",
    [
        {"task_arn": "8d2e6c"},
        {"task_arn": None},
        {"reason": None},
        {"reason": 5},
        {"cluster": ""},
        {"dispatch": 17},
        {"command": "kill"},
    ],
)
def test_a_stop_is_checked_as_strictly(protocol: ModuleType, change: Payload) -> None:
    assert is_valid(STOP)
    assert protocol.check_payload(STOP) == "stop_task"
    assert not is_valid(STOP | change)
    with pytest.raises(protocol.PayloadError, match="refused"):
        protocol.check_payload(STOP | change)


@pytest.mark.parametrize("action", ["run_task", "stop_task"])
def test_every_required_key_is_missed_by_both(
    protocol: ModuleType, payload: Payload, action: str
) -> None:
    whole = payload if action == "run_task" else STOP
    for key in SCHEMA["$defs"][action]["required"]:
        cut = {name: value for name, value in whole.items() if name != key}
        assert not is_valid(cut), key
        with pytest.raises(protocol.PayloadError, match=key):
            protocol.check_payload(cut)


@pytest.mark.parametrize("event", [None, [], "run_task", 17])
def test_an_event_that_is_no_object_is_refused_by_both(protocol: ModuleType, event: object) -> None:
    assert not is_valid(event)
    with pytest.raises(protocol.PayloadError, match="must be a JSON object"):
        protocol.check_payload(event)


def test_a_refusal_names_everything_that_is_wrong(protocol: ModuleType, payload: Payload) -> None:
    del payload["cluster"]
    with pytest.raises(
        protocol.PayloadError, match=r"cluster is missing; command is never .*; count must be"
    ):
        protocol.check_payload(payload | {"count": 0, "command": "id"})


@pytest.mark.parametrize(
    "change",
    [
        {"count": 2.0},  # JSON Schema calls 2.0 an integer; the database never writes it so
        {"container": "file_loader\n"},  # Python's `$`, in the validator, ignores a last newline
    ],
)
def test_where_the_function_is_stricter_than_a_validator(
    protocol: ModuleType, payload: Payload, change: Payload
) -> None:
    assert is_valid(payload | change)
    with pytest.raises(protocol.PayloadError, match="refused"):
        protocol.check_payload(payload | change)


@pytest.mark.parametrize("action", ["run_task", "stop_task"])
def test_both_know_the_same_keys_with_the_same_bounds(protocol: ModuleType, action: str) -> None:
    schema = SCHEMA["$defs"][action]
    required: dict[str, Any] = protocol.REQUIRED[action]
    fields = required | protocol.OPTIONAL[action]
    assert set(schema["required"]) == {"version", "action", *required}
    assert set(schema["properties"]) == {"version", "action", *fields}
    assert schema["additionalProperties"] is False
    for key, field in fields.items():
        told = schema["properties"][key]
        if isinstance(field, protocol.Integer):
            assert (told["minimum"], told["maximum"]) == (field.low, field.high)
        elif isinstance(field, protocol.TextList):
            assert (told["items"]["pattern"], told["maxItems"]) == (
                f"^({field.pattern})$",
                field.most,
            )
        elif "enum" in told:
            assert "|".join(told["enum"]) == field.pattern
        elif key != "reason":
            assert told["pattern"] == f"^({field.pattern})$"
