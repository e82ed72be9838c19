"""Where in the checkout the parts are that the local runtime puts together."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STANDIN_SQL = ROOT / "sql" / "standin"
LAMBDA = ROOT / "lambda"
CONTAINERS = ROOT / "containers"
DEFAULT_STATE_DIR = ROOT / ".locaria"
