"""What several parts of the template say in the same words."""

from __future__ import annotations

from typing import Any

from troposphere import GetAtt, Ref, Sub, Template, iam, logs

Statement = dict[str, Any]
NAME = Ref("Name")


def named(rest: str) -> Any:
    """A resource's name behind that of the stack, so that stages stand side by side."""
    return Sub(f"${{Name}}{rest}")


def arn(service: str, rest: str) -> Any:
    """An ARN in the stack's account and region."""
    return Sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}")


def allow(
    actions: str | list[str], resources: Any, condition: Statement | None = None
) -> Statement:
    """One statement of a policy."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def make_role(
    template: Template,
    title: str,
    service: str,
    statements: list[Any],
    condition: str | None = None,
    *,
    source: Any = None,
) -> Any:
    """Add a role that one service may take, for this account alone.

    Parameters:
        source: ARN pattern of the thing on whose behalf the service takes it.
    """
    guard: Statement = {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}}
    if source is not None:
        guard["ArnLike"] = {"aws:SourceArn": source}
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if service != "lambda.amazonaws.com":  # Lambda sends neither key when it takes a role
        trust["Condition"] = guard
    role = iam.Role(
        title,
        AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
        Policies=[
            iam.Policy(
                PolicyName="locaria",
                PolicyDocument={"Version": "2012-10-17", "Statement": statements},
            )
        ]
        if statements
        else [],
    )
    if condition:
        role.Condition = condition
    return template.add_resource(role)


def make_log_group(template: Template, title: str, name: Any, condition: str | None = None) -> Any:
    """Add a log group that forgets after `LogDays`."""
    group = logs.LogGroup(title, LogGroupName=name, RetentionInDays=Ref("LogDays"))
    if condition:
        group.Condition = condition
    return template.add_resource(group)


def may_log(group: str) -> Statement:
    """Writing to one log group."""
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], GetAtt(group, "Arn"))
