"""What who deploys must be allowed: by the calls in the code, and by what CloudFormation does."""

import ast
import itertools
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint

from locaria.deploy.containers import load_containers
from locaria.deploy.functions import list_functions
from locaria.deploy.template import build_template
from locaria.resources import ROOT

POLICY = ROOT / "docs" / "aws_deployer_policy.json"
# What a call's name is filled in with.
FILLED = {"rds": ("DBCluster", "DBInstance"), "ec2": ("Subnets", "SecurityGroups")}
# Where IAM knows a call by another name (service authorization reference, Amazon S3).
RENAMED = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
}
# `docker push`, as ECR's guide lists it ("IAM permissions for pushing an image").
PUSHING = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
}
# What CloudFormation's handlers do for features that the template does not use.
NOT_USED = (
    *("kms:", "elasticfilesystem:", "s3files:", "firehose:", "s3:getObject", "s3:REST."),
    *("s3:GetObjectVersion", "CodeSigning", "LayerVersion", "PutFunctionConcurrency"),
    *("DeleteFunctionConcurrency", "PutFunctionRecursion", "PutFunctionScaling", "RuntimeAlias"),
    *("PutRuntimeManagement", "CapacityProvider", "PublishVersion", "PutAccountSetting"),
    *("DeleteRepositoryPolicy", "SetRepositoryPolicy", "PermissionsBoundary", "AttachRolePolicy"),
    *("DetachRolePolicy", "UserPolicy", "GroupPolicy", "KmsKey", "LogDelivery", "ResourcePolic"),
    *("DeleteDataProtection", "PutDataProtection", "DeleteIndexPolicy", "PutIndexPolicy"),
    *("BearerToken", "DeletionProtection"),
)
USED_ALL_THE_SAME = {"ecs:PutClusterCapacityProviders"}


@cache
def calls_of_the_code() -> frozenset[tuple[str, str]]:
    """Service and operation of every call that `locaria.deploy` can make."""
    files = sorted((ROOT / "locaria" / "deploy").glob("*.py"))
    return frozenset(call for path in files for call in _calls(path))


def _calls(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            words = node.args[1:] if node.func.attr == "find" else node.args
            if node.func.attr in ("ask", "find", "change") and len(words) == 2:
                service = ast.literal_eval(words[0])
                yield from ((service, name) for name in _names(service, words[1]))


def _names(service: str, word: ast.expr) -> Iterator[str]:
    if isinstance(word, ast.Constant):
        yield str(word.value)
        return
    assert isinstance(word, ast.JoinedStr), ast.dump(word)
    for filled in FILLED[service]:
        parts = (p.value if isinstance(p, ast.Constant) else filled for p in word.values)
        yield "".join(map(str, parts))


@cache
def template() -> Any:
    return json.loads(build_template(load_containers(), list_functions()).to_json())


def calls_of_cloudformation() -> set[str]:
    """What the handlers of the template's kinds of resource do, by their own declaration."""
    kinds = {resource["Type"] for resource in template()["Resources"].values()}
    found: set[str] = set()
    schemas = Path(cfnlint.__file__).parent / "data" / "schemas" / "resources"
    for path in schemas.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        if not any(f'"{kind}"' in text for kind in kinds):
            continue
        schema = json.loads(text)
        if schema["typeName"] in kinds:
            kinds.remove(schema["typeName"])
            handlers = [
                schema["handlers"].get(n, {}) for n in ("create", "read", "update", "delete")
            ]
            found.update(itertools.chain(*(each.get("permissions", []) for each in handlers)))
    assert not kinds
    return found


@cache
def needed() -> frozenset[str]:
    """Every permission, as IAM writes it."""
    direct = {f"{service}:{name}" for service, name in calls_of_the_code()}
    made = {
        each
        for each in calls_of_cloudformation()
        if each in USED_ALL_THE_SAME or not any(word in each for word in NOT_USED)
    }
    return frozenset({RENAMED.get(each, each) for each in direct} | made | PUSHING)
