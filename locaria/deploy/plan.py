"""What a deployment would change, part by part, before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass

from locaria.deploy.fargate import merged_config
from locaria.deploy.logins import login_parameters, own_dsn, wanted_dsn, wrong_logins
from locaria.deploy.stack import differences
from locaria.deploy.target import Target


@dataclass(frozen=True)
class Change:
    """One line of the plan.

    Attributes:
        what: image, secret, stack, …; `name` which one.
        action: create, update, …; empty where it is as it should be.
    """

    what: str
    name: str
    action: str
    detail: str = ""


def make_plan(target: Target) -> list[Change]:
    """Every part of a stage, and what would be done to it."""
    first = Change("role", "AWSServiceRoleForECS", "create", "ECS's own, once in an account")
    return [
        *([] if target.has_ecs_role else [first]),
        _plan_bucket(target),
        *_plan_secrets(target),
        *_plan_zips(target),
        *_plan_images(target),
        _plan_stack(target),
        *_plan_role(target),
        *_plan_database(target),
    ]


def _plan_bucket(target: Target) -> Change:
    bucket, wrong = target.bucket, list[str]()
    if not bucket.is_there():
        return Change("bucket", bucket.name, "create")
    wrong += [] if bucket.is_closed() else ["close to the public"]
    wrong += [] if bucket.has_rules() else ["end unfinished uploads"]
    return Change("bucket", bucket.name, ", ".join(wrong))


def _plan_secrets(target: Target) -> list[Change]:
    logins = login_parameters(target)

    def action(parameter: str) -> str:
        if parameter not in target.secret_arns:
            return "create"
        login = logins.get(parameter)
        dsn = own_dsn(target, parameter, login) if login else ""
        return "" if not dsn or wanted_dsn(target, dsn) == dsn else "new address of the database"

    return [Change("secret", name, action(each)) for each, name in target.secret_names.items()]


def _plan_zips(target: Target) -> list[Change]:
    there = target.bucket.is_there()
    return [
        Change("zip", zip.key, "" if there and target.bucket.has(zip.key) else "upload", each.name)
        for each, zip in target.zips.items()
    ]


def _plan_images(target: Target) -> list[Change]:
    return [
        Change("image", target.uri(c), "" if target.has_image(c) else "build, push")
        for c in target.wanted
    ]


def _plan_stack(target: Target) -> Change:
    told = differences(target.stack, target.template, target.parameters())
    action = "" if not told else "create" if target.stack is None else "update"
    return Change("stack", target.settings.stack, action, "; ".join(told))


def _plan_role(target: Target) -> list[Change]:
    kind, name = target.database_kind()
    if name is None:
        return []
    attached = target.stack is not None and target.role_is_attached()
    return [Change("role", f"of {kind} {name}, to call Lambda", "" if attached else "attach")]


def _plan_database(target: Target) -> list[Change]:
    deployed, now = target.deployed, target.record()
    place = target.site.parts.get("dbname") or "the database"
    schema = "" if deployed.get("sql") == now["sql"] else "upgrade"
    listed = "" if deployed.get("containers") == now["containers"] else "register"
    there = target.site.fargate_config() if deployed else {}
    configured = bool(deployed) and there == merged_config(target, there)
    wrong = wrong_logins(target)
    stage = target.settings.name
    return [
        Change("database", str(place), schema),
        *[
            Change("login", login.role(stage), "make" if parameter in wrong else "")
            for parameter, login in login_parameters(target).items()
        ],
        Change("containers", ", ".join(now["names"]), listed),
        *[Change("container", name, "retire", _left(target, name)) for name in target.retired()],
        Change("parameters", "fargate_config", "" if configured else "write"),
    ]


def _left(target: Target, name: str) -> str:
    """What becomes of the files of a container that goes."""
    count = target.site.count_waiting(name)
    return f"{count} files wait for it: they stay, and `why` tells them" if count else ""
