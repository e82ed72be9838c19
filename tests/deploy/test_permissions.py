"""docs/aws_deployer_policy.json allows what a deployment does, and nothing else."""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from tests.deploy.permissions import POLICY, needed, template

LONGEST_MANAGED_POLICY = 6144


@pytest.fixture(scope="module")
def statements() -> list[dict[str, Any]]:
    """The statements, with lists of actions and resources."""
    found: list[dict[str, Any]] = json.loads(POLICY.read_text())["Statement"]
    for each in found:
        for key in ("Action", "Resource"):
            each[key] = [each[key]] if isinstance(each[key], str) else each[key]
    return found


def test_everything_that_is_done_is_allowed_and_nothing_else(
    statements: list[dict[str, Any]],
) -> None:
    allowed = [action for each in statements for action in each["Action"]]
    assert len(allowed) == len(set(allowed))
    lacking = [n for n in needed() if not any(fnmatchcase(n, pattern) for pattern in allowed)]
    assert sorted(lacking) == []
    idle = [pattern for pattern in allowed if not any(fnmatchcase(n, pattern) for n in needed())]
    assert idle == []


def test_a_name_stands_wherever_aws_knows_one(statements: list[dict[str, Any]]) -> None:
    path = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "Policies.json"
    known = json.loads(path.read_text())
    # Known by name, but not before they exist, or only by another thing's name.
    unnamed = {
        "ecs:CreateCluster",
        "ecs:ListTasks",
        "ecs:RegisterTaskDefinition",
        "ecs:DeregisterTaskDefinition",
        "logs:DescribeLogGroups",
    }
    for statement in statements:
        if "*" not in statement["Resource"]:
            continue
        for action in statement["Action"]:
            service, _, name = action.partition(":")
            told = known[service]["Actions"][name.lower()]
            assert not told.get("Resources") or action in unnamed, action


def test_roles_are_passed_to_the_services_of_the_template_alone(
    statements: list[dict[str, Any]],
) -> None:
    [passing] = [each for each in statements if "iam:PassRole" in each["Action"]]
    trusted = {
        statement["Principal"]["Service"]
        for resource in template()["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
        for statement in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    }
    assert set(passing["Condition"]["StringEquals"]["iam:PassedToService"]) == trusted


def test_it_is_a_policy_that_iam_takes() -> None:
    text = json.dumps(json.loads(POLICY.read_text()), separators=(",", ":"))
    assert len(text) <= LONGEST_MANAGED_POLICY, "of two policies, one would have to go elsewhere"
