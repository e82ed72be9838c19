"""Whether a database can become a stage's, asked before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from locaria.deploy.database import Connection, Login, SiteDatabase
from locaria.deploy.errors import Refused

OLDEST = 14

_FACTS = """
    select
      current_setting('server_version_num')::integer as version,
      current_user as me,
      current_database() as name,
      pg_is_in_recovery() as is_replica,
      has_database_privilege(current_database(), 'create') as may_create,
      (select pg_get_userbyid(n.nspowner) from pg_namespace n
        where n.nspname = 'locaria' and not pg_has_role(n.nspowner, 'usage')) as other_owner,
      to_regnamespace('locaria') is not null as has_schema,
      r.rolsuper as is_superuser,
      r.rolsuper or r.rolcreaterole as may_make_roles,
      r.rolsuper or exists (
        select from pg_roles g where g.rolname = 'rds_superuser' and pg_has_role(g.oid, 'member')
      ) as may_extend,
      exists (select from pg_available_extensions e where e.name = 'aws_lambda') as offers_lambda,
      (
        select bool_and(
          has_schema_privilege(p.pronamespace, 'usage') and has_function_privilege(p.oid, 'execute')
        )
        from pg_proc p
        where p.pronamespace = to_regnamespace('aws_lambda') and p.proname = 'invoke'
      ) as may_invoke,
      coalesce(has_schema_privilege(to_regnamespace('aws_commons'), 'usage'), true) as may_name
    from pg_roles r where r.rolname = current_user
"""
_NOT_GIVEN = """
    select g.name from unnest(%s::text[]) as g(name)
    left join pg_roles r on r.rolname = g.name
    where r.oid is null or not pg_has_role(r.oid, 'member with admin option')
"""


def check_database(site: SiteDatabase, missing: Sequence[Login]) -> list[str]:
    """Everything because of which a deployment would stop in the database, one line each.

    Parameters:
        missing: the logins that this deployment has to make or to put right.

    Raises:
        Unreachable: there is no connection.
    """
    with site.connect() as connection:
        facts = connection.execute(_FACTS).fetchone()
        assert facts is not None
        return complaints(facts) + _about_logins(connection, facts, missing)


def complaints(facts: dict[str, Any]) -> list[str]:
    """What stands against a database, from what it told about itself."""
    me, name = facts["me"], facts["name"]
    if facts["version"] < OLDEST * 10000:
        major = facts["version"] // 10000
        return [f"the database is a PostgreSQL {major}, and Locaria needs {OLDEST} or newer"]
    if facts["is_replica"]:
        return ["the database is a read replica: give the writer's address"]
    wrong = []
    if facts["other_owner"]:
        owner = facts["other_owner"]
        wrong.append(f"schema locaria is {owner}'s: connect as {owner}, or: grant {owner} to {me}")
    elif not facts["has_schema"] and not facts["may_create"]:
        wrong.append(f"{me} may create nothing there: grant create on database {name} to {me}")
    return wrong + _about_lambda(facts)


def _about_lambda(facts: dict[str, Any]) -> list[str]:
    me = facts["me"]
    grants = (
        f"grant usage on schema aws_lambda, aws_commons to {me}; "
        f"grant execute on all functions in schema aws_lambda, aws_commons to {me}"
    )
    if facts["may_invoke"] is False or (facts["may_invoke"] and not facts["may_name"]):
        return [f"{me} may not call aws_lambda.invoke. As rds_superuser: {grants}"]
    if facts["may_invoke"] is None and not facts["offers_lambda"]:
        return [
            "this server has no extension aws_lambda, as Aurora and RDS have: without AWS's "
            "database run `locaria agent` (docs/agent.md)"
        ]
    if facts["may_invoke"] is None and not facts["may_extend"]:
        return [
            f"the extension aws_lambda is missing, and {me} may not make it. As rds_superuser: "
            f"create extension aws_lambda cascade; {grants}"
        ]
    return []


def _about_logins(
    connection: Connection, facts: dict[str, Any], missing: Sequence[Login]
) -> list[str]:
    if not missing:
        return []
    if not facts["may_make_roles"]:
        return [f"{facts['me']} may make no logins: alter role {facts['me']} createrole"]
    if facts["version"] < 160000 or facts["is_superuser"]:
        return []  # before 16 CREATEROLE gives any group away
    groups = sorted({group for login in missing for group in login.groups})
    there = connection.execute("select rolname from pg_roles where rolname = any(%s)", [groups])
    known = [row["rolname"] for row in there]
    held = [row["name"] for row in connection.execute(_NOT_GIVEN, [known])]
    if held:
        listed, me = ", ".join(held), facts["me"]
        return [f"{me} may not give {listed} to a login: grant {listed} to {me} with admin option"]
    return []


def check_stage(deployed: dict[str, Any], stage: dict[str, str]) -> None:
    """A database is one stage's, since it starts tasks by one configuration.

    Parameters:
        deployed: what the last deployment wrote; `stage` what this one is: name, account, region.

    Raises:
        Refused: it is another's.
    """
    there = {key: deployed[key] for key in stage if key in deployed}
    if there and there != stage:
        words = "stage {stage} in account {account}, {region}"
        raise Refused(
            f"this database belongs to {words.format(**there)}, not to {words.format(**stage)}",
            "Each stage has a database of its own. Where the other is destroyed for good: "
            "delete from locaria.parameters where parameter_name = 'deployment'",
        )
