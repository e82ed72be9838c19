"""The CloudFormation stack of a stage: what it is, what would change, changing it with progress."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from locaria.deploy.aws import Aws, Shape
from locaria.deploy.errors import DeployError

TAG = "locaria"
RESUMABLE = ("CREATE_FAILED", "UPDATE_FAILED")
HEALTHY = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    *RESUMABLE,
)
_GO_BACK = (
    "AWS could not go back to what was before. See why (aws cloudformation describe-stack-events "
    "--stack-name {stack}), put it right, then: "
    "aws cloudformation continue-update-rollback --stack-name {stack}"
)
_DELETE = "Delete it, which keeps database, bucket and secrets: locaria destroy --stage {stage}"
_WAIT = (
    "somebody changes it now, or an interrupted deployment goes on at AWS. Wait until that is done "
    "(aws cloudformation wait {waiter} --stack-name {stack}), then deploy again"
)
_ADVICE = {
    "ROLLBACK_COMPLETE": f"it could not be created, and AWS takes no changes to it. {_DELETE}",
    "ROLLBACK_FAILED": f"it could not be created, nor undone. {_DELETE}",
    "DELETE_FAILED": (
        "it could not be deleted as a whole. See why (aws cloudformation describe-stack-events "
        "--stack-name {stack}), then again: locaria destroy --stage {stage}"
    ),
    "UPDATE_ROLLBACK_FAILED": _GO_BACK,
    "IMPORT_ROLLBACK_FAILED": _GO_BACK,
    "REVIEW_IN_PROGRESS": (
        "somebody made a change set of that name and has not executed it. "
        "Delete it: aws cloudformation delete-stack --stack-name {stack}"
    ),
    "DELETE_IN_PROGRESS": (
        "it is being deleted. Wait until it is gone (aws cloudformation wait "
        "stack-delete-complete --stack-name {stack}), then deploy again"
    ),
}
_WAITERS = {
    "CREATE_IN_PROGRESS": "stack-create-complete",
    "IMPORT_IN_PROGRESS": "stack-import-complete",
    "ROLLBACK_IN_PROGRESS": "stack-rollback-complete",
    "UPDATE_ROLLBACK_IN_PROGRESS": "stack-rollback-complete",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "stack-rollback-complete",
}
LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True)
class Stack:
    """A stack as it is deployed."""

    name: str
    status: str
    reason: str
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    template: dict[str, Any] = field(default_factory=dict)
    is_ours: bool = True


def read_stack(aws: Aws, name: str) -> Stack | None:
    """The stack, or None when there is none."""
    try:
        [told] = aws.ask("cloudformation", "DescribeStacks", StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    if told["StackStatus"] == "DELETE_COMPLETE":
        return None
    tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
    return Stack(
        name=name,
        status=told["StackStatus"],
        reason=told.get("StackStatusReason", ""),
        parameters={p["ParameterKey"]: p["ParameterValue"] for p in told.get("Parameters", [])},
        outputs={o["OutputKey"]: o["OutputValue"] for o in told.get("Outputs", [])},
        template=_read_template(aws, name) if tags.get(TAG) == name else {},
        is_ours=tags.get(TAG) == name,
    )


def _read_template(aws: Aws, name: str) -> dict[str, Any]:
    body = aws.ask("cloudformation", "GetTemplate", StackName=name)["TemplateBody"]
    told = json.loads(body if isinstance(body, str) else json.dumps(body))
    return told if isinstance(told, dict) else {}


def check_state(stack: Stack | None, stage: str) -> str | None:
    """Why this stack can't be changed now, and what to do; None when it can."""
    if stack is None:
        return None
    if not stack.is_ours and stack.status != "REVIEW_IN_PROGRESS":
        return (
            f"there is a stack {stack.name} that Locaria did not make (it lacks the tag "
            f"{TAG}={stack.name}): choose another name for the stage"
        )
    if stack.status in HEALTHY:
        return None
    says = f"the stack {stack.name} is in {stack.status}"
    says += f" ({stack.reason})" if stack.reason else ""
    words = _ADVICE.get(stack.status, _WAIT)
    waiter = _WAITERS.get(stack.status, "stack-update-complete")
    return f"{says}: {words.format(stack=stack.name, stage=stage, waiter=waiter)}"


def differences(
    stack: Stack | None, template: dict[str, Any], parameters: dict[str, str]
) -> list[str]:
    """What would change, one clause each; empty when nothing would.

    Conditions are counted as the template says them: a resource that waits for an image appears
    when the image does, as a changed parameter.
    """
    new = template["Resources"]
    if stack is None:
        return [f"{len(new)} resources"]
    old = stack.template.get("Resources", {})
    added = sorted(new.keys() - old.keys())
    gone = sorted(old.keys() - new.keys())
    changed = sorted(name for name in new.keys() & old.keys() if new[name] != old[name])
    told = [
        f"{word} {', '.join(names)}"
        for word, names in (("new:", added), ("deleted:", gone), ("changed:", changed))
        if names
    ]
    rest = {k: v for k, v in template.items() if k != "Resources"}
    if not told and rest != {k: v for k, v in stack.template.items() if k != "Resources"}:
        told.append("changed: parameters or outputs of the template")
    values = sorted(k for k, v in parameters.items() if stack.parameters.get(k) != v)
    told += [f"{k} = {_short(parameters[k])}" for k in values]
    if not told and stack.status in RESUMABLE:
        told.append(f"it stopped half way ({stack.status})")
    return told


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"…{value[-57:]}"


def apply_stack(
    aws: Aws,
    name: str,
    template_url: str,
    parameters: dict[str, str],
    *,
    say: Callable[[str], None],
    poll_s: float = 3.0,
    shown: bool = False,
) -> None:
    """Create or update the stack, and wait, telling what happens.

    A creation that fails keeps what it made, so that the next deployment goes on from there; an
    update that fails is rolled back by AWS.

    Parameters:
        shown: a dry run has shown how it is created, so it would be there by now.

    Raises:
        DeployError: AWS could not do it; the first reason is in the message.
    """
    stack = read_stack(aws, name)
    request: Shape = {
        "StackName": name,
        "TemplateURL": template_url,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": [{"Key": TAG, "Value": name}],
    }
    began = _last_event(aws, name) if stack else None
    try:
        if stack is None and not shown:
            aws.change("cloudformation", "CreateStack", **request, DisableRollback=True)
        else:
            stopped = stack is not None and stack.status in RESUMABLE
            resuming = {"DisableRollback": True} if stopped else {}
            aws.change("cloudformation", "UpdateStack", **request, **resuming)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise DeployError(
            f"CloudFormation refused: {error.response['Error']['Message']}"
        ) from error
    if not aws.dry_run:
        _await_stack(aws, name, began, say, poll_s)


def delete_stack(aws: Aws, name: str, say: Callable[[str], None], poll_s: float = 3.0) -> None:
    """Delete the stack and wait. Raises DeployError."""
    began = _last_event(aws, name)
    # By its id: under its name a deleted stack can't be asked for any more.
    told = aws.ask("cloudformation", "DescribeStacks", StackName=name)["Stacks"][0]
    aws.change("cloudformation", "DeleteStack", StackName=name)
    if not aws.dry_run:
        _await_stack(aws, told["StackId"], began, say, poll_s)


def await_deletion(aws: Aws, name: str, say: Callable[[str], None], poll_s: float = 3.0) -> None:
    """Wait for a deletion that has begun. Raises DeployError."""
    told = aws.ask("cloudformation", "DescribeStacks", StackName=name)["Stacks"][0]
    if not aws.dry_run:
        _await_stack(aws, told["StackId"], _last_event(aws, name), say, poll_s)


def _await_stack(
    aws: Aws, name: str, began: str | None, say: Callable[[str], None], poll_s: float
) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_S
    seen, failures = {began}, []
    while True:
        status = aws.ask("cloudformation", "DescribeStacks", StackName=name)["Stacks"][0][
            "StackStatus"
        ]
        for event in _events_since(aws, name, seen):
            seen.add(event["EventId"])
            state, why = event.get("ResourceStatus", ""), event.get("ResourceStatusReason", "")
            line = f"{event['Timestamp']:%H:%M:%S} {state} {event['LogicalResourceId']}"
            say(f"{line}  {why}" if why else line)
            if state.endswith("FAILED") and "cancelled" not in why.lower():
                failures.append(f"{event['LogicalResourceId']}: {why}")
        if not status.endswith("IN_PROGRESS"):
            break
        if time.monotonic() > deadline:
            raise DeployError(f"the stack {name} is still in {status} after an hour")
        time.sleep(poll_s)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"):
        why = "; ".join(failures[:3]) or "see its events"
        raise DeployError(
            f"the stack is in {status}: {why}", "Put it right, then run the same command again."
        )


def _last_event(aws: Aws, name: str) -> str | None:
    events = aws.ask("cloudformation", "DescribeStackEvents", StackName=name)["StackEvents"]
    return events[0]["EventId"] if events else None


def _events_since(aws: Aws, name: str, seen: set[str | None]) -> list[Shape]:
    """New events, oldest first: one page, since we look every few seconds."""
    events = aws.ask("cloudformation", "DescribeStackEvents", StackName=name)["StackEvents"]
    new: list[Shape] = []
    for event in events:
        if event["EventId"] in seen:
            break
        new.append(event)
    return new[::-1]
