"""The template's Lambda side: functions, their roles, queues, the ECS rule, the tick schedule."""

from __future__ import annotations

from typing import Any

from troposphere import (
    AWSHelperFn,
    Equals,
    GetAtt,
    If,
    Not,
    Ref,
    Sub,
    Template,
    awslambda,
    events,
    scheduler,
    sqs,
)

from locaria.deploy.containers import Container
from locaria.deploy.functions import ECS_RUN_TASK, RUNTIME, TASK_EVENTS, Function
from locaria.deploy.template_parts import allow, arn, make_log_group, make_role, may_log, named

EVENTS_SECRET = "LoginEvents"  # noqa: S105 - the name of a parameter
WEB_SECRET = "LoginWeb"  # noqa: S105
DATABASE_SECRETS = {"taskEvents": EVENTS_SECRET, "websocketApi": WEB_SECRET}
TICK = '{"action":"tick"}'
DAYS_14 = 14 * 86400


class _AtMost(AWSHelperFn):  # type: ignore[misc]
    """A mapping's `ScalingConfig`: after an outage the queue must not use up the connections.

    troposphere has two classes of that name, and only the other one (4.11) can be reached.
    """

    def __init__(self, functions: int) -> None:
        self.data = {"MaximumConcurrency": functions}


def add_queues(template: Template) -> None:
    """What ECS and failed invocations tell waits here for the database; then the dead letters."""
    dead = template.add_resource(
        sqs.Queue(
            "DeadLetters",
            QueueName=named("-dead-letters"),
            MessageRetentionPeriod=DAYS_14,
            SqsManagedSseEnabled=True,
        )
    )
    template.add_resource(
        sqs.Queue(
            "Events",
            QueueName=named("-events"),
            MessageRetentionPeriod=DAYS_14,
            SqsManagedSseEnabled=True,
            VisibilityTimeout=6 * TASK_EVENTS.timeout,
            RedrivePolicy=sqs.RedrivePolicy(
                deadLetterTargetArn=GetAtt(dead, "Arn"), maxReceiveCount=10
            ),
        )
    )
    _add_rule(template)
    for queue in ("Events", "DeadLetters"):
        statement = allow("sqs:SendMessage", GetAtt(queue, "Arn"))
        statement["Principal"] = {"Service": "events.amazonaws.com"}
        statement["Condition"] = {"ArnEquals": {"aws:SourceArn": GetAtt("TaskStateRule", "Arn")}}
        template.add_resource(
            sqs.QueuePolicy(
                f"{queue}Policy",
                Queues=[Ref(queue)],
                PolicyDocument={"Version": "2012-10-17", "Statement": [statement]},
            )
        )


def _add_rule(template: Template) -> None:
    """What ECS tells of this cluster's tasks goes to the queue; undeliverable, to the dead ones."""
    template.add_resource(
        events.Rule(
            "TaskStateRule",
            Description="What becomes of the tasks of this cluster",
            EventPattern={
                "source": ["aws.ecs"],
                "detail-type": ["ECS Task State Change"],
                "detail": {"clusterArn": [GetAtt("Cluster", "Arn")]},
            },
            Targets=[
                events.Target(
                    Id="events",
                    Arn=GetAtt("Events", "Arn"),
                    RetryPolicy=events.RetryPolicy(
                        MaximumEventAgeInSeconds=86400, MaximumRetryAttempts=185
                    ),
                    DeadLetterConfig=events.DeadLetterConfig(Arn=GetAtt("DeadLetters", "Arn")),
                )
            ],
        )
    )


def add_function(
    template: Template, function: Function, statements: list[Any], variables: dict[str, Any]
) -> None:
    """One function with its role and log group; it waits for its zip to be there."""
    title, condition = function.logical, f"Has{function.logical}"
    template.add_condition(condition, Not(Equals(Ref(function.code_parameter), "")))
    make_log_group(template, f"{title}Logs", Sub(f"/aws/lambda/${{Name}}-{function.name}"))
    secret = DATABASE_SECRETS.get(function.name)
    if secret:
        statements = [*statements, allow("secretsmanager:GetSecretValue", Ref(secret))]
        variables = variables | {"LOCARIA_DSN_SECRET": Ref(secret)}
    if function.in_vpc:
        statements = [*statements, *_may_enter_vpc(function)]
    role = [*statements, may_log(f"{title}Logs")]
    make_role(template, f"{title}Role", "lambda.amazonaws.com", role)
    resource = awslambda.Function(
        title,
        Condition=condition,
        FunctionName=named(f"-{function.name}"),
        Runtime=RUNTIME,
        Handler=function.handler,
        Architectures=[If("IsArm", "arm64", "x86_64")],
        Code=awslambda.Code(S3Bucket=Ref("Bucket"), S3Key=Ref(function.code_parameter)),
        MemorySize=function.memory,
        Timeout=function.timeout,
        Role=GetAtt(f"{title}Role", "Arn"),
        LoggingConfig=awslambda.LoggingConfig(LogGroup=Ref(f"{title}Logs")),
    )
    if variables:
        resource.Environment = awslambda.Environment(Variables=variables)
    if function.in_vpc:
        resource.VpcConfig = awslambda.VPCConfig(
            SubnetIds=Ref("FunctionSubnets"), SecurityGroupIds=Ref("SecurityGroups")
        )
    template.add_resource(resource)


def _may_enter_vpc(function: Function) -> list[Any]:
    """Network interfaces, made by Lambda with the function's role, but never by its code.

    EC2 knows no name for an interface that is still to be made, and DescribeNetworkInterfaces
    none at all (Lambda guide, "Required IAM permissions" of VPC access).
    """
    actions = [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ]
    itself = arn("lambda", f"function:${{Name}}-{function.name}")
    return [
        allow(actions, "*"),
        {
            "Effect": "Deny",
            "Action": actions,
            "Resource": "*",
            "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": itself}},
        },
    ]


def add_ecs_run_task(template: Template, containers: list[Container]) -> None:
    """`ecsRunTask`, and the role by which Aurora or RDS calls it."""
    roles = [GetAtt(f"{c.logical}{kind}Role", "Arn") for c in containers for kind in _ROLES]
    statements = [
        allow(
            "ecs:RunTask",
            [arn("ecs", f"task-definition/${{Name}}-{c.name}:*") for c in containers],
            {"ArnEquals": {"ecs:cluster": GetAtt("Cluster", "Arn")}},
        ),
        allow("ecs:StopTask", arn("ecs", "task/${Cluster}/*")),
        allow(
            "iam:PassRole",
            roles,
            {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
        allow("sqs:SendMessage", GetAtt("Events", "Arn")),
    ]
    add_function(template, ECS_RUN_TASK, statements, {})
    destination = awslambda.OnFailure(Destination=GetAtt("Events", "Arn"))
    template.add_resource(
        awslambda.EventInvokeConfig(
            "EcsRunTaskRetries",
            Condition="HasEcsRunTask",
            FunctionName=Ref("EcsRunTask"),
            Qualifier="$LATEST",
            MaximumEventAgeInSeconds=3600,
            MaximumRetryAttempts=2,
            DestinationConfig=awslambda.DestinationConfig(OnFailure=destination),
        )
    )
    make_role(
        template,
        "DatabaseRole",
        "rds.amazonaws.com",
        [allow("lambda:InvokeFunction", arn("lambda", f"function:${{Name}}-{ECS_RUN_TASK.name}"))],
        source=arn("rds", "*"),
    )


_ROLES = ("Task", "Execution")


def add_task_events(template: Template) -> None:
    """`taskEvents`, fed by the queue; and the schedule on which it calls tick()."""
    statements = [
        allow(
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            GetAtt("Events", "Arn"),
        )
    ]
    add_function(template, TASK_EVENTS, statements, {})
    template.add_resource(
        awslambda.EventSourceMapping(
            "EventsToTaskEvents",
            Condition="HasTaskEvents",
            FunctionName=Ref("TaskEvents"),
            EventSourceArn=GetAtt("Events", "Arn"),
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig=_AtMost(5),
        )
    )
    _add_tick(template)


def _add_tick(template: Template) -> None:
    function = arn("lambda", f"function:${{Name}}-{TASK_EVENTS.name}")
    make_role(
        template,
        "TickRole",
        "scheduler.amazonaws.com",
        [allow("lambda:InvokeFunction", function)],
        "HasTick",
        source=arn("scheduler", "schedule-group/default"),
    )
    template.add_resource(
        scheduler.Schedule(
            "Tick",
            Condition="HasTick",
            Name=named("-tick"),
            Description="Calls locaria.tick(), which heals whatever went wrong",
            ScheduleExpression=Ref("TickRate"),
            FlexibleTimeWindow=scheduler.FlexibleTimeWindow(Mode="OFF"),
            Target=scheduler.Target(
                Arn=GetAtt("TaskEvents", "Arn"),
                RoleArn=GetAtt("TickRole", "Arn"),
                Input=TICK,
                # The next one comes anyway.
                RetryPolicy=scheduler.RetryPolicy(
                    MaximumEventAgeInSeconds=60, MaximumRetryAttempts=0
                ),
            ),
        )
    )
