"""Errors of a launch, and their messages.

The name of a class is the `errorType` of Lambda's on-failure record, which `task_events` passes
to the database unchanged: the names are part of the protocol, and stable.

    EcsRunTaskError
    ├── PayloadError           the event is not a payload of this version; no retry can help
    ├── LaunchFailed           ECS had no room for (some) tasks; launch again under the next number
    ├── PermanentLaunchError   permissions or configuration must change; the message says how
    ├── RetryableLaunchError   ECS throttles, fails or can't be reached; send the same payload again
    ├── PermanentStopError     as PermanentLaunchError, for `stop_task`
    └── RetryableStopError     as RetryableLaunchError, for `stop_task`
"""

from __future__ import annotations

import re
from typing import Any

from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError


class EcsRunTaskError(Exception):
    """Base of the errors that this function reports."""


class PayloadError(EcsRunTaskError):
    """The event is not a valid payload: an unknown key, a missing one, a wrong type or version."""


class LaunchFailed(EcsRunTaskError):  # noqa: N818 - the protocol's word for it
    """ECS answered, but started fewer tasks than asked for. Permanent for this launch number.

    ECS repeats its stored answer under the same client token, so only a new launch number can
    bring the missing tasks.
    """


class PermanentLaunchError(EcsRunTaskError):
    """ECS refused RunTask, and will until permissions or configuration change."""


class RetryableLaunchError(EcsRunTaskError):
    """ECS throttled, failed or could not be reached. The same payload may safely be sent again."""


class PermanentStopError(EcsRunTaskError):
    """ECS refused StopTask, and will until permissions or configuration change."""


class RetryableStopError(EcsRunTaskError):
    """ECS throttled, failed or could not be reached. The same payload may be sent again."""


_TRANSIENT = {
    "ServerException",
    "ServiceUnavailable",
    "InternalFailure",
    "RequestTimeout",
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
}
_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}
_NOT_SIGNED = {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException"}
_MISSING_PERMISSION = re.compile(
    r"not authorized to perform: (?P<action>[\w:]+)(?: on resource: (?P<resource>[^\s,]+))?"
)
_FIXES = {
    "ClusterNotFoundException": "cluster {cluster} does not exist in this account and region: "
    "create it, or correct `cluster` in fargate_config",
    "BlockedException": "AWS has blocked this account: ask AWS Support",
    "PlatformUnknownException": "correct `platform_version` in fargate_config, or leave it out",
    "PlatformTaskDefinitionIncompatibilityException": "task definition {task} needs another "
    "platform: correct `platform_version` in fargate_config",
    "UnsupportedFeatureException": "task definition {task} uses something that Fargate does not "
    "offer in this region",
}
_FIX_ANY = {
    "RunTask": "check in fargate_config that task definition {task} is registered and ACTIVE, is "
    "made for FARGATE with awsvpc and has a container named {container}, and that the subnets and "
    "security groups exist, in one VPC",
    "StopTask": "check the cluster {cluster} and the ARN of the task",
}


def classify(reason: str) -> str:
    """Classify a failure reason of ECS as `capacity`, `vCPU quota` or `other`.

    The texts are AWS's service event messages; AWS writes "You've" with either apostrophe, so
    the pattern leaves it out. An older quota counted tasks instead of vCPUs, in the same words.
    """
    text = reason.lower()
    if "reached the limit on the number of" in text:
        return "vCPU quota"
    if "capacity is unavailable" in text or text.startswith("resource:"):
        return "capacity"
    return "other"


def describe_failure(failure: dict[str, Any]) -> str:
    """Describe one entry of `failures[]`: its kind, its reason, and its detail if there is one."""
    reason = failure.get("reason") or "ECS started no task and gave no reason"
    detail = failure.get("detail")
    return f"{classify(reason)}: {reason}" + (f" ({detail})" if detail else "")


def code_and_message(error: ClientError) -> tuple[str, str]:
    """Return the code and the message of an error response of ECS."""
    details = error.response.get("Error", {})
    return details.get("Code", "Unknown"), details.get("Message", "")


def failed_call(
    error: ClientError | BotoCoreError, action: str, payload: dict[str, Any], before: str = ""
) -> EcsRunTaskError:
    """Return the exception to raise for a failed call of ECS.

    Args:
        error: what botocore raised, after its own retries.
        action: `RunTask` or `StopTask`.
        payload: the checked payload, whose names go into the message.
        before: what was done before the call failed, as a clause.
    """
    if isinstance(error, ClientError):
        code, message = code_and_message(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        transient = code in _TRANSIENT or status >= 500
        advice = _advice(code, message, action, payload)
    else:
        code, message = type(error).__name__, str(error)
        # No connection, no answer in time, or a connection cut halfway.
        transient = isinstance(error, aws.ConnectionError | aws.HTTPClientError)
        advice = "check the role, AWS_REGION and the network of this Lambda function"
    text = f"{action} of {name_of(payload)}{before}: {code}: {message}"
    if transient:
        retryable = RetryableLaunchError if action == "RunTask" else RetryableStopError
        return retryable(f"{text} Send the same payload again.")
    permanent = PermanentLaunchError if action == "RunTask" else PermanentStopError
    return permanent(f"{text} To do: {advice}.")


def name_of(payload: dict[str, Any]) -> str:
    """Name the subject of a payload in a few words."""
    if "task_arn" in payload:
        return str(payload["task_arn"])
    return f"{payload['container']} (dispatch {payload['dispatch']}, launch {payload['launch']})"


def _advice(code: str, message: str, action: str, payload: dict[str, Any]) -> str:
    if code in _NOT_SIGNED:
        return "AWS does not accept this function's credentials: check its role and AWS_REGION"
    if code not in _DENIED:
        return _FIXES.get(code, _FIX_ANY[action]).format_map(payload)
    denied = _MISSING_PERMISSION.search(message)
    missing = denied["action"] if denied else f"ecs:{action}"
    where = f" on {denied['resource']}" if denied and denied["resource"] else ""
    advice = f"allow {missing}{where} to the role of this Lambda function"
    if missing == "iam:PassRole":
        advice += ", on condition that iam:PassedToService is ecs-tasks.amazonaws.com"
    return advice
