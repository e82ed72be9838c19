"""The SQL of the product, read from sql/ in the order in which it is applied."""

from collections.abc import Iterator
from pathlib import Path

from locaria.resources import SQL

ROLES = SQL / "grants" / "010_roles.sql"


def schema() -> Iterator[str]:
    """The stateful files, run once on a fresh install, in number order."""
    return _read(sorted((SQL / "schema").glob("*.sql")))


def replaceable() -> Iterator[str]:
    """Roles, functions, triggers, views and grants: applied at the end of every upgrade."""
    privileges = sorted(path for path in (SQL / "grants").glob("*.sql") if path != ROLES)
    functions = sorted((SQL / "functions").rglob("*.sql"))
    triggers = sorted((SQL / "triggers").glob("*.sql"))
    views = sorted((SQL / "views").glob("*.sql"))
    return _read([ROLES, *functions, *triggers, *views, *privileges])


def _read(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        yield f"-- {path.relative_to(SQL)}\n{path.read_text(encoding='utf-8')}"
