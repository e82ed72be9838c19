"""What can go wrong with a launch, and in which words it is told.

The name of a class is the `errorType` of Lambda's on-failure record, which `task_events` hands to
the database as it is: the names are part of the protocol, and stable.

    EcsRunTaskError
    ├── PayloadError           the event is not a payload of this version; no retry can help
    ├── LaunchFailed           ECS had no room for (some) tasks; launch again under the next number
    ├── PermanentLaunchError   a person has to change permissions or configuration; it says what
    ├── RetryableLaunchError   ECS throttles, fails or is out of reach; send the same payload again
    ├── PermanentStopError     as PermanentLaunchError, for `stop_task`
    └── RetryableStopError     as RetryableLaunchError, for `stop_task`
"""

from __future__ import annotations

import re
from typing import Any

from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError


class EcsRunTaskError(Exception):
    """Base of everything that this function raises on purpose."""


class PayloadError(EcsRunTaskError):
    """The event is not a valid payload: an unknown key, a missing one, a wrong type or version."""


class LaunchFailed(EcsRunTaskError):  # noqa: N818 - the protocol's word for it
    """ECS answered, but started fewer tasks than asked for. Permanent for this launch number.

    ECS repeats its stored answer under the same client token, so only a new launch number can
    bring the missing tasks.
    """


class PermanentLaunchError(EcsRunTaskError):
    """ECS refused RunTask and will go on refusing it until a person changes something."""


class RetryableLaunchError(EcsRunTaskError):
    """ECS throttled, failed or could not be reached. The same payload may safely be sent again."""


class PermanentStopError(EcsRunTaskError):
    """ECS refused StopTask and will go on refusing it until a person changes something."""


class RetryableStopError(EcsRunTaskError):
    """ECS throttled, failed or could not be reached. The same payload may be sent again."""


_PASSING = {
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
    """Say what kind of shortage a failure reason of ECS is: `capacity`, `vCPU quota` or `other`.

    The texts are AWS's service event messages; AWS spells "You've" with either apostrophe, so it
    is matched beside it. An older quota counted tasks instead of vCPUs, in the same words.
    """
    text = reason.lower()
    if "reached the limit on the number of" in text:
        return "vCPU quota"
    if "capacity is unavailable" in text or text.startswith("resource:"):
        return "capacity"
    return "other"


def tell_failure(failure: dict[str, Any]) -> str:
    """One entry of `failures[]` as a clause: its kind, the reason, and the detail if any."""
    reason = failure.get("reason") or "ECS started no task and gave no reason"
    detail = failure.get("detail")
    return f"{classify(reason)}: {reason}" + (f" ({detail})" if detail else "")


def code_and_message(error: ClientError) -> tuple[str, str]:
    """The error code and the message of an answer of ECS."""
    told = error.response.get("Error", {})
    return told.get("Code", "Unknown"), told.get("Message", "")


def failed_call(
    error: ClientError | BotoCoreError, action: str, payload: dict[str, Any], before: str = ""
) -> EcsRunTaskError:
    """The exception to raise for a call of ECS that did not work.

    Args:
        error: what botocore raised, after its own retries.
        action: `RunTask` or `StopTask`.
        payload: the checked payload, to name things in the message.
        before: what had been done when the call failed, as a clause.
    """
    if isinstance(error, ClientError):
        code, message = code_and_message(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        passing = code in _PASSING or status >= 500
        advice = _advice(code, message, action, payload)
    else:
        code, message = type(error).__name__, str(error)
        # no connection; no answer in time, or a connection cut in the middle
        passing = isinstance(error, aws.ConnectionError | aws.HTTPClientError)
        advice = "check the role, AWS_REGION and the network of this Lambda function"
    told = f"{action} of {name_of(payload)}{before}: {code}: {message}"
    if passing:
        retryable = RetryableLaunchError if action == "RunTask" else RetryableStopError
        return retryable(f"{told} Send the same payload again.")
    permanent = PermanentLaunchError if action == "RunTask" else PermanentStopError
    return permanent(f"{told} To do: {advice}.")


def name_of(payload: dict[str, Any]) -> str:
    """What a payload is about, in a few words."""
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
