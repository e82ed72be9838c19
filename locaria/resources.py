"""Where the product's files are: SQL, migrations, Lambda functions and containers.

An installed package holds them in `locaria/_resources`; a checkout has them beside the package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_resources"

ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
SQL = ROOT / "sql"
ALEMBIC_INI = ROOT / "alembic.ini"
STANDIN_SQL = SQL / "standin"
LAMBDA = ROOT / "lambda"
CONTAINERS = ROOT / "containers"
DOCKERS_JSON = CONTAINERS / "dockers.json"
DEFAULT_STATE_DIR = ROOT / ".locaria"
