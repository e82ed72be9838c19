"""The logins of tasks and functions, and the secrets that open them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from locaria.deploy import database as site
from locaria.deploy.database import Login
from locaria.deploy.errors import DeployError
from locaria.deploy.functions import WEBSOCKET_API
from locaria.deploy.target import Target
from locaria.deploy.template_functions import EVENTS_SECRET, WEB_SECRET
from locaria.deploy.template_tasks import secret_parameter


def login_parameters(target: Target) -> dict[str, Login]:
    """The logins of this stage, by the template's parameter with their secret."""
    logins = {secret_parameter("LOCARIA_DSN"): site.LOADER, EVENTS_SECRET: site.EVENTS}
    return logins | ({WEB_SECRET: site.WEB} if WEBSOCKET_API in target.zips else {})


def own_dsn(target: Target, parameter: str, login: Login) -> str | None:
    """What the secret of a login says; None where there is none yet.

    A secret of the site's own (another user, or an object as RDS writes it) is left alone: "".
    """
    text = target.secret_text(parameter)
    if text is None:
        return None
    try:
        user = conninfo_to_dict(text).get("user")
    except psycopg.ProgrammingError:
        return ""
    return text if user == login.role(target.settings.name) else ""


def wanted_dsn(target: Target, dsn: str) -> str:
    """A login's connection string with the place that locaria.toml says, if it says one."""
    settings = target.settings
    over = {"host": settings.database_host, "port": settings.database_port}
    parts: dict[str, Any] = dict(conninfo_to_dict(dsn))
    if all(value is None or str(parts.get(key)) == str(value) for key, value in over.items()):
        return dsn
    return make_conninfo(**parts | {key: value for key, value in over.items() if value})


def wrong_logins(target: Target) -> dict[str, Login]:
    """The logins that are to be made or put right, by parameter."""
    stage = target.settings.name
    told = {}
    for parameter, login in login_parameters(target).items():
        dsn = own_dsn(target, parameter, login)
        role, groups = login.role(stage), login.groups
        if dsn is None or (
            dsn and not target.site.login_is_right(role, dsn, groups, inherits=login.inherits)
        ):
            told[parameter] = login
    return told


def ensure_logins(target: Target) -> None:
    """Make the logins what their secrets say. Raises DeployError."""
    stage = target.settings.name
    for parameter, login in wrong_logins(target).items():
        role, groups = login.role(stage), ", ".join(login.groups)
        if target.aws.dry_run:
            target.say(f"create role {role} login password '***'; grant {groups} to {role}")
            continue
        dsn = own_dsn(target, parameter, login)
        try:
            target.site.ensure_login(role, dsn or "", login.groups, inherits=login.inherits)
        except psycopg.errors.InsufficientPrivilege as error:
            raise DeployError(
                f"the owner may not make the login {role}: {error.diag.message_primary}",
                f"Give the owner CREATEROLE, and {groups} with admin option; then deploy again",
            ) from None
        target.say(f"login {role} is in {groups}")
