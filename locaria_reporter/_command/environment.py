"""What the child process finds in its environment: parameters, and the database without a DSN."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psycopg import conninfo

from locaria_reporter._run import Run

_NAME = re.compile(r"[^A-Za-z0-9_]")
_LONGEST = 100_000
# What the service file says in other words, or what must not be in a file for all libpq programs.
_NOT_IN_SERVICE = ("password", "application_name", "passfile", "service", "options")
_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER"}


def child_environment(run: Run, dsn: str | None, socket_path: Path) -> dict[str, str]:
    """The environment of the command: ours, without the DSN, with the run's."""
    environment = {name: value for name, value in os.environ.items() if name != "LOCARIA_DSN"}
    environment |= parameter_variables(run.parameters)
    parameters = run.temporary / "parameters.json"
    parameters.write_text(json.dumps(run.parameters), encoding="utf-8")
    environment |= {
        "LOCARIA_RUN": str(run.id),
        "LOCARIA_FILE": str(run.file_id),
        "LOCARIA_ATTEMPT": str(run.attempt),
        "LR_TMP": str(run.temporary),
        "LR_PARAMETERS": str(parameters),
        "LR_SOCKET": str(socket_path),
        "PGAPPNAME": f"locaria run={run.id}",
    }
    if dsn:
        environment |= database_variables(dsn, run.temporary)
    return environment


def parameter_variables(parameters: Mapping[str, Any]) -> dict[str, str]:
    """`P_name` for each parameter that can be a variable; text as it is, the rest as JSON."""
    found: dict[str, str] = {}
    for name, value in parameters.items():
        if value is None:
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        if "\0" not in text and len(text) <= _LONGEST:
            found.setdefault("P_" + _NAME.sub("_", name), text)
    return found


def database_variables(dsn: str, directory: Path) -> dict[str, str]:
    """A service file and a password file (0600) in `directory`, and PG variables naming them."""
    given = {key: str(value) for key, value in conninfo.conninfo_to_dict(dsn).items() if value}
    service = directory / "pg_service.conf"
    lines = [f"{key}={value}" for key, value in given.items() if key not in _NOT_IN_SERVICE]
    _write_private(service, "\n".join(["[locaria]", *lines, ""]))
    variables = {name: given[key] for key, name in _VARIABLES.items() if key in given}
    variables["PGSERVICEFILE"] = str(service)
    password = given.get("password") or os.environ.get("PGPASSWORD")
    if password:
        passfile = directory / "pgpass"
        _write_private(passfile, _password_lines(given, password))
        variables["PGPASSFILE"] = str(passfile)
    return variables


def _password_lines(given: Mapping[str, str], password: str) -> str:
    """One line for each host; libpq asks for 'localhost' when a socket is meant."""
    hosts = [host for host in given.get("host", "").split(",") if host] or ["localhost"]
    hosts += ["localhost"] if any(host.startswith("/") for host in hosts) else []
    user = given.get("user", "*")
    database = given.get("dbname", "*")
    return "".join(
        ":".join(_escape(word) for word in (host, "*", database, user, password)) + "\n"
        for host in hosts
    )


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace(":", "\\:")


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
