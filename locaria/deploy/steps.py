"""The steps of a deployment.

Each looks at what is there before it does anything, so that a deployment that stopped half way goes
on when it is started again, and one that is repeated changes nothing.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from botocore.exceptions import ClientError

from locaria.deploy import database as site
from locaria.deploy.containers import Container
from locaria.deploy.errors import DeployError
from locaria.deploy.fargate import merged_config
from locaria.deploy.images import PLATFORMS, check_size
from locaria.deploy.logins import ensure_logins, login_parameters, own_dsn, wanted_dsn
from locaria.deploy.stack import apply_stack, differences, read_stack
from locaria.deploy.target import PENDING, Target

TEMPLATE_KEY = "code/template.json"


def build_images(target: Target) -> None:
    """Build what is missing in the registry, here, and check it; nothing on AWS changes.

    Raises:
        DeployError: a build failed, or an image is over its limit.
    """
    for container in target.wanted:
        if not target.has_image(container):
            _build(target, container)


def _build(target: Target, container: Container) -> None:
    tag, arguments = target.local_tag(container), []
    if target.options.base:
        arguments.append(f"--build-arg=BASE={target.options.base}")
    target.say(f"building {tag}")
    target.engine.build(container, tag, PLATFORMS[target.settings.architecture], arguments)
    size = None if target.commands.dry_run else target.engine.size(tag)
    complaint = check_size(container, size) if size is not None else None
    if complaint:
        raise DeployError(complaint)


def carry_out(target: Target) -> None:
    """Every step in order, once the images are built; each does nothing where nothing is to do."""
    _forget_proof(target)
    _make_ecs_role(target)
    target.bucket.make()
    _make_secrets(target)
    _upload_zips(target)
    if any(not target.has_repository(container) for container in target.wanted):
        waiting = {f"Image{c.logical}": target.known_image(c) for c in target.containers}
        _apply(target, target.parameters() | waiting)
    _push_images(target)
    _apply(target, target.parameters())
    _attach_role(target)
    _change_database(target)


def _forget_proof(target: Target) -> None:
    """What was proved is about to change: should this stop half way, the next one proves."""
    if target.deployed.get("proved") and not target.aws.dry_run:
        target.deployed.pop("proved")
        target.site.save_parameter("deployment", target.deployed)


def _make_ecs_role(target: Target) -> None:
    """ECS makes its own role with an account's first cluster, and then can't take it in time.

    So that cluster would fail (aws-cloudformation/cloudformation-coverage-roadmap#818). Made first
    of all, the role is known everywhere when the stack asks for the cluster.
    """
    if not target.has_ecs_role:
        service = {"AWSServiceName": "ecs.amazonaws.com"}
        target.aws.change("iam", "CreateServiceLinkedRole", **service)


def _make_secrets(target: Target) -> None:
    for parameter, name in target.secret_names.items():
        if parameter in target.secret_arns:
            continue
        made = target.aws.change(
            "secretsmanager",
            "CreateSecret",
            Name=name,
            Description=f"Of Locaria's stage {target.settings.name}",
            SecretString=_new_secret(target, name.rpartition("/")[2]),
        )
        target.secret_arns[parameter] = str(made.get("ARN", PENDING))
    for parameter, login in login_parameters(target).items():
        dsn = own_dsn(target, parameter, login)
        if dsn and (wanted := wanted_dsn(target, dsn)) != dsn:
            arn = target.secret_arns[parameter]
            target.aws.change("secretsmanager", "PutSecretValue", SecretId=arn, SecretString=wanted)
            target.secret_texts.pop(arn)


def _new_secret(target: Target, variable: str) -> str:
    for login in site.LOGINS:
        if login.variable == variable:
            return target.site.new_dsn(login.role(target.settings.name))
    given = (target.options.secrets or {}).get(variable)
    if given is None:
        raise DeployError(f"no value for the secret {variable}", f"export {variable}=…")
    return given


def _upload_zips(target: Target) -> None:
    for zip in target.zips.values():
        if not target.bucket.has(zip.key):
            target.bucket.put(zip.key, zip.path.read_bytes())


def _apply(target: Target, parameters: dict[str, str]) -> None:
    """Bring the stack to these parameters, unless it is there."""
    now = read_stack(target.aws, target.settings.stack)
    if now is not None and not differences(now, target.template, parameters):
        return
    target.bucket.put(TEMPLATE_KEY, target.template_body)
    apply_stack(
        target.aws,
        target.settings.stack,
        target.bucket.url(TEMPLATE_KEY),
        parameters,
        say=target.say,
        poll_s=target.options.poll_s,
        shown=target.stack_shown,
    )
    target.stack_shown = True


def _push_images(target: Target) -> None:
    waiting = [c for c in target.wanted if not target.has_image(c)]
    if not waiting:
        return
    target.engine.log_in(target.registry, _registry_password(target))
    for container in waiting:
        uri = target.uri(container)
        target.say(f"pushing {uri}")
        target.engine.push(target.local_tag(container), uri)
        if not target.commands.dry_run and not target.has_image(container):
            raise DeployError(f"{uri} was pushed, but ECR does not have it")


def _registry_password(target: Target) -> str:
    if target.aws.dry_run:
        return "***"
    told = target.aws.ask("ecr", "GetAuthorizationToken")["authorizationData"][0]
    token = base64.b64decode(told["authorizationToken"]).decode()
    return token.partition(":")[2]


def _attach_role(target: Target) -> None:
    kind, name = target.database_kind()
    if name is None:
        return
    target.stack = read_stack(target.aws, target.settings.stack)
    if target.stack is not None and target.role_is_attached():
        return
    outputs = target.stack.outputs if target.stack else {}
    try:
        target.aws.change(
            "rds",
            f"AddRoleTo{kind}",
            **{f"{kind}Identifier": name},
            RoleArn=outputs.get("DatabaseRoleArn", PENDING),
            FeatureName="Lambda",
        )
    except ClientError as error:
        raise DeployError(
            f"the role can't be attached to {name}: {error.response['Error']['Message']}"
        ) from error


def _change_database(target: Target) -> None:
    if target.aws.dry_run:
        _show_database(target)
        return
    deployed, now = target.deployed, target.record()
    if deployed.get("sql") != now["sql"]:
        target.say("upgrading the database")
        target.site.upgrade()
    ensure_logins(target)
    if deployed.get("containers") != now["containers"]:
        target.say(f"registered: {', '.join(target.site.register(target.dockers))}")
    if retired := target.retired():
        target.say(f"retired: {', '.join(target.site.retire(retired))}")
    there = target.site.fargate_config()
    if there != (wanted := merged_config(target, there)):
        target.site.save_parameter("fargate_config", wanted)
    if {key: deployed.get(key) for key in now} != now:
        save_record(target, now)


def save_record(target: Target, record: dict[str, Any]) -> None:
    """Write what this deployment is, for the next one to compare."""
    target.site.save_parameter("deployment", record)
    target.deployed.clear()
    target.deployed.update(record)


def _show_database(target: Target) -> None:
    deployed, now = target.deployed, target.record()
    if deployed.get("sql") != now["sql"]:
        target.say("locaria db upgrade")
    ensure_logins(target)
    if deployed.get("containers") != now["containers"]:
        target.say("locaria db register")
    for name in target.retired():
        target.say(f"select locaria.retire_container('{name}')")
    there = target.site.fargate_config() if deployed else {}
    if there != (wanted := merged_config(target, there)):
        target.say(f"locaria.parameters, fargate_config: {json.dumps(wanted)}")
