"""What a deployment would change, part by part, before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.conninfo import conninfo_to_dict

from locaria.deploy import database as site
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
    return [
        _plan_bucket(target),
        *_plan_secrets(target),
        *_plan_zips(target),
        *_plan_images(target),
        _plan_stack(target),
        *_plan_role(target),
        *_plan_database(target),
    ]


def _plan_bucket(target: Target) -> Change:
    return Change("bucket", target.bucket, "" if target.has_bucket() else "create")


def _plan_secrets(target: Target) -> list[Change]:
    return [
        Change("secret", name, "" if parameter in target.secret_arns else "create")
        for parameter, name in target.secret_names.items()
    ]


def _plan_zips(target: Target) -> list[Change]:
    there = target.has_bucket()
    return [
        Change("zip", zip.key, "" if there and target.has_zip(zip) else "upload", function.name)
        for function, zip in target.zips.items()
    ]


def _plan_images(target: Target) -> list[Change]:
    return [
        Change("image", target.uri(c), "" if target.has_image(c) else "build, push")
        for c in target.containers
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
    deployed = target.site.deployed()
    place = conninfo_to_dict(target.site.dsn).get("dbname") or "the database"
    schema = "" if deployed.get("sql") == site.sql_digest() else "upgrade"
    listed = "" if deployed.get("containers") == site.containers_digest() else "register"
    names = ", ".join(container.name for container in target.containers)
    configured = bool(deployed) and target.config_is_right(target.site.fargate_config())
    return [
        Change("database", str(place), schema),
        Change("containers", names, listed),
        Change("parameters", "fargate_config", "" if configured else "write"),
    ]
