"""Files of any container, and tasks that work them off, on the real database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from locaria.local.aws.ecs.model import load_task_definitions
from tests.conftest import Database

ROOT = Path(__file__).parent.parent.parent
DOCKERS_JSON = ROOT / "containers" / "dockers.json"


@dataclass
class Site:
    """A database with the containers registered, and a folder for what they store."""

    db: Database
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        with psycopg.connect(self.db.superuser_dsn, autocommit=True) as superuser:
            superuser.execute("grant create on schema public to locaria_owner")
        self.owner = self.db.connect()
        for name, entry in json.loads(DOCKERS_JSON.read_text(encoding="utf-8")).items():
            self.owner.execute(
                "select locaria.register_container(%s, %s::jsonb)", [name, json.dumps(entry)]
            )
        self.owner.execute("update locaria.containers set idle_timeout = '0', backoff = '1 ms'")
        self.app = self.db.connect("app")
        self.environment.setdefault("LOCARIA_OBJECT_STORE", (self.folder / "objects").as_uri())

    def write(self, content: str | bytes, name: str = "things.csv") -> Path:
        """A file with this content."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def insert(self, container: str, **attributes: Any) -> int:
        """Insert a row into files, as an application does; its id."""
        row = self.app.execute(
            "insert into locaria.files (container, attributes) values (%s, %s::jsonb) returning id",
            [container, json.dumps(attributes)],
        ).fetchone()
        assert row is not None
        return int(row["id"])

    def request_download(self, table: str | None = None, **attributes: Any) -> int:
        """Ask for a download as an application does: by the status alone."""
        named = {} if table is None else {"table": table}
        row = self.app.execute(
            "insert into locaria.files (status, attributes)"
            " values ('DOWNLOAD_REQUESTED', %s::jsonb) returning id",
            [json.dumps({**named, **attributes})],
        ).fetchone()
        assert row is not None
        return int(row["id"])

    def start(self, container: str, **environment: str) -> subprocess.Popen[str]:
        """Start a task, as the local ECS does."""
        definition = load_task_definitions(DOCKERS_JSON)[container]
        paths = dict(definition.environment)["PYTHONPATH"]
        process = subprocess.Popen(
            definition.command,
            cwd=definition.folder,
            env={
                **os.environ,
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                "PYTHONPATH": os.pathsep.join([str(ROOT), paths]),
                "LOCARIA_DSN": self.db.dsn_of("loader"),
                "LOCARIA_CONTAINER": container,
                **self.environment,
                **environment,
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.processes.append(process)
        return process

    def drain(self, container: str, **environment: str) -> str:
        """Run a task until it leaves; what it printed."""
        process = self.start(container, **environment)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output

    def file(self, file: int) -> dict[str, Any]:
        """The row of files."""
        row = self.app.execute("select * from locaria.files where id = %s", [file]).fetchone()
        assert row is not None
        return row

    def succeeded(self, file: int) -> bool:
        """Whether the file is done; shows why when not."""
        row = self.file(file)
        done = ("FARGATE_PROCESSED", "DOWNLOAD_COMPLETE")
        assert row["status"] in done, (row["status"], row["last_error"])
        return True

    def error(self, file: int) -> str:
        """Why a file ended in ERROR."""
        row = self.file(file)
        assert row["status"] == "ERROR", row
        return str(row["last_error"])

    def result(self, file: int) -> dict[str, Any]:
        """What the last run reported."""
        row = self.owner.execute(
            "select result from locaria.runs where file_id = %s order by id desc limit 1", [file]
        ).fetchone()
        assert row is not None
        return dict(row["result"])

    def execute(self, statement: str) -> None:
        """As the superuser: what a site's DBA does."""
        with psycopg.connect(self.db.superuser_dsn, autocommit=True) as superuser:
            superuser.execute(statement)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of a table, in the order of their text."""
        with psycopg.connect(self.db.superuser_dsn) as connection:
            statement = sql.SQL("select * from {} as t order by t::text")
            return connection.execute(
                statement.format(sql.Identifier(*table.split(".")))
            ).fetchall()

    def types(self, table: str) -> dict[str, str]:
        """The columns of a table, with their types."""
        rows = self.owner.execute(
            "select attname, format_type(atttypid, atttypmod) as type from pg_attribute"
            " where attrelid = to_regclass(quote_ident(%s)) and attnum > 0 and not attisdropped"
            " order by attnum",
            [table],
        ).fetchall()
        return {row["attname"]: row["type"] for row in rows}

    def close(self) -> None:
        """End what is still running."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
