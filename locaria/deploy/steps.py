"""The steps of a deployment.

Each looks at what is there before it does anything, so that a deployment that stopped half way goes
on when it is started again, and one that is repeated changes nothing.
"""

from __future__ import annotations

import base64
import json

import psycopg
from botocore.exceptions import ClientError
from psycopg.conninfo import conninfo_to_dict

from locaria.deploy import database as site
from locaria.deploy.containers import Container
from locaria.deploy.errors import DeployError
from locaria.deploy.functions import WEBSOCKET_API
from locaria.deploy.images import PLATFORMS, check_size
from locaria.deploy.stack import apply_stack, differences, read_stack
from locaria.deploy.target import PENDING, Target
from locaria.deploy.template_functions import EVENTS_SECRET, WEB_SECRET
from locaria.deploy.template_tasks import secret_parameter
from locaria.install import DOCKERS_JSON


def build_images(target: Target) -> None:
    """Build what is missing in the registry, here, and check it; nothing on AWS changes.

    Raises:
        DeployError: a build failed, or an image is over its limit.
    """
    for container in target.containers:
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
    _make_bucket(target)
    _make_secrets(target)
    _upload_zips(target)
    if any(not target.has_repository(container) for container in target.containers):
        waiting = {f"Image{c.logical}": target.known_image(c) for c in target.containers}
        _apply(target, target.parameters() | waiting)
    _push_images(target)
    _apply(target, target.parameters())
    _attach_role(target)
    _change_database(target)


def _make_bucket(target: Target) -> None:
    if target.has_bucket():
        return
    place = (
        {}
        if target.aws.region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": target.aws.region}}
    )
    target.aws.change("s3", "CreateBucket", Bucket=target.bucket, **place)
    target.aws.change(
        "s3",
        "PutPublicAccessBlock",
        Bucket=target.bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )


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


def _new_secret(target: Target, variable: str) -> str:
    for login in (site.LOADER, site.EVENTS, site.WEB):
        if login.variable == variable:
            return target.site.new_dsn(login.role(target.settings.name))
    given = (target.options.secrets or {}).get(variable)
    if given is None:
        raise DeployError(f"no value for the secret {variable}", f"export {variable}=…")
    return given


def _upload_zips(target: Target) -> None:
    for zip in target.zips.values():
        if not target.has_zip(zip):
            body = zip.path.read_bytes()
            target.aws.change("s3", "PutObject", Bucket=target.bucket, Key=zip.key, Body=body)


def _apply(target: Target, parameters: dict[str, str]) -> None:
    """Bring the stack to these parameters, unless it is there."""
    now = read_stack(target.aws, target.settings.stack)
    if now is not None and not differences(now, target.template, parameters):
        return
    body = json.dumps(target.template, sort_keys=True).encode()
    key = "code/template.json"
    target.aws.change("s3", "PutObject", Bucket=target.bucket, Key=key, Body=body)
    url = f"https://{target.bucket}.s3.{target.aws.region}.amazonaws.com/{key}"
    name = target.settings.stack
    apply_stack(target.aws, name, url, parameters, say=target.say, poll_s=target.options.poll_s)


def _push_images(target: Target) -> None:
    waiting = [c for c in target.containers if not target.has_image(c)]
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
    if name is None or target.aws.dry_run:
        return
    target.stack = read_stack(target.aws, target.settings.stack)
    if target.role_is_attached():
        return
    try:
        target.aws.change(
            "rds",
            f"AddRoleTo{kind}",
            **{f"{kind}Identifier": name},
            RoleArn=target.stack.outputs["DatabaseRoleArn"] if target.stack else "",
            FeatureName="Lambda",
        )
    except ClientError as error:
        raise DeployError(
            f"the role can't be attached to {name}: {error.response['Error']['Message']}"
        ) from error


def _change_database(target: Target) -> None:
    if target.aws.dry_run:
        for line in ("locaria db upgrade", "locaria db register", "-- fargate_config: "):
            config = json.dumps(target.fargate_config()) if line.startswith("--") else ""
            target.say(line + config)
        return
    deployed, now = target.site.deployed(), _digests()
    if deployed.get("sql") != now["sql"]:
        target.say("upgrading the database")
        target.site.upgrade()
    _ensure_logins(target)
    if deployed.get("containers") != now["containers"]:
        target.say(f"registered: {', '.join(target.site.register(DOCKERS_JSON))}")
    there, wanted = target.site.fargate_config(), target.fargate_config()
    if not target.config_is_right(there):
        merged = {key: there.get(key, {}) | wanted[key] for key in wanted}
        target.site.save_parameter("fargate_config", there | merged)
    if deployed != now:
        target.site.save_parameter("deployment", now)


def _digests() -> dict[str, str]:
    return {"sql": site.sql_digest(), "containers": site.containers_digest()}


def _ensure_logins(target: Target) -> None:
    """The logins are what their secrets say; a secret of the site's own is left alone."""
    logins = {secret_parameter("LOCARIA_DSN"): site.LOADER, EVENTS_SECRET: site.EVENTS}
    if WEBSOCKET_API in target.zips:
        logins[WEB_SECRET] = site.WEB
    for parameter, login in logins.items():
        role = login.role(target.settings.name)
        told = target.aws.ask(
            "secretsmanager", "GetSecretValue", SecretId=target.secret_arns[parameter]
        )
        text = str(told["SecretString"])
        if text.lstrip().startswith("{") or conninfo_to_dict(text).get("user") != role:
            continue
        groups = ", ".join(login.groups)
        try:
            if target.site.ensure_login(role, text, login.groups):
                target.say(f"login {role} is in {groups}")
        except psycopg.errors.InsufficientPrivilege as error:
            raise DeployError(
                f"the owner may not make the login {role}: {error.diag.message_primary}",
                f"Give the owner CREATEROLE, and {groups} with admin option; then deploy again",
            ) from None
