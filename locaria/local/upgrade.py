"""The schema at the start of an agent: brought up to date, unless it is, or is newer than it.

An upgrade locks tables that applications write to, for a moment, and gives up after 10 seconds
behind a long transaction. So it is not done at every start of every agent: what was installed, and
by which version, is kept in the parameter `agents`.
"""

from __future__ import annotations

import json
import logging
import re
from importlib.metadata import version

import psycopg
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from locaria.deploy.database import sql_digest
from locaria.install import install
from locaria.local.site import SiteError

log = logging.getLogger(__name__)
_INSTALLED = """
    select parameter ->> 'sql', parameter ->> 'version'
      from locaria.parameters where parameter_name = 'agents'
"""
_REMEMBER = """
    insert into locaria.parameters as p (parameter_name, parameter, description)
    values ('agents', %(told)s::jsonb, 'Which schema agents installed here, and their version.')
    on conflict (parameter_name) do update set parameter = p.parameter || excluded.parameter
"""


def bring_up_to_date(dsn: str) -> bool:
    """Install or upgrade where that is needed; whether the schema is now this version's.

    False: a newer agent has installed its own, with which this one gets along until it is upgraded.
    Raises SiteError.
    """
    installed, by = _installed(dsn)
    ours = version("locaria")
    if _number(by) > _number(ours):
        log.warning("the schema is of Locaria %s, this is %s: upgrade this agent, too", by, ours)
        return False
    if installed == sql_digest():
        return True
    try:
        install(dsn)
    except CommandError as error:
        raise SiteError(
            f"the schema is newer than this agent (Locaria {ours}): upgrade it. {error}"
        ) from error
    except DBAPIError as error:
        raise _refused(error.orig) from error
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_REMEMBER, {"told": json.dumps({"sql": sql_digest(), "version": ours})})
    log.info("installed the schema of Locaria %s", ours)
    return True


def _installed(dsn: str) -> tuple[str, str]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("select to_regclass('locaria.parameters')").fetchone()
        if row is None or row[0] is None:
            return "", ""
        found = connection.execute(_INSTALLED).fetchone()
    return (found[0] or "", found[1] or "") if found else ("", "")


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _refused(error: BaseException | None) -> Exception:
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return SiteError(
            "the schema could not be upgraded: for 10 seconds a transaction kept a table locked "
            "(select * from pg_stat_activity order by xact_start). Nothing is changed; start again"
        )
    if isinstance(error, psycopg.Error):
        return error
    return SiteError(f"the schema could not be upgraded: {error}")
