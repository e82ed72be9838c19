"""The loader as a real process, on the real database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from psycopg import sql

from tests.conftest import Database
from tests.containers.site import Site

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "containers" / "file_loader"
MODULES = ROOT / "containers" / "modules"
# The modules of a container lie flat beside its entry point; those that several share, in modules/.
sys.path[:0] = [str(FOLDER), str(MODULES)]

DOCKERS = json.loads((ROOT / "containers" / "dockers.json").read_text(encoding="utf-8"))


@dataclass
class Loader:
    """Files to insert, and processes that load them."""

    db: Database
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        with psycopg.connect(self.db.superuser_dsn, autocommit=True) as superuser:
            superuser.execute("grant create on schema public to locaria_owner")
        owner = self.db.connect()
        owner.execute(
            "select locaria.register_container('file_loader', %s::jsonb)",
            [json.dumps(DOCKERS["file_loader"])],
        )
        owner.execute("update locaria.containers set idle_timeout = '0', backoff = '1 ms'")
        self.owner = owner
        self.app = self.db.connect("app")

    def write(self, content: str | bytes, name: str = "things.csv") -> Path:
        """A file with this content."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def insert(self, path: Path | str, **attributes: Any) -> int:
        """Insert a row into files, as an application does; its id."""
        row = self.app.execute(
            "insert into locaria.files (container, attributes)"
            " values ('file_loader', %s::jsonb) returning id",
            [json.dumps({"path": str(path), **attributes})],
        ).fetchone()
        assert row is not None
        return int(row["id"])

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Start a task, as ECS would."""
        process = subprocess.Popen(
            [sys.executable, *DOCKERS["file_loader"]["entry_point"][1:]],
            cwd=FOLDER,
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT}:{MODULES}",
                "LOCARIA_DSN": self.db.dsn_of("loader"),
                "LOCARIA_CONTAINER": "file_loader",
                **self.environment,
                **environment,
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.processes.append(process)
        return process

    def drain(self, **environment: str) -> str:
        """Run a task until it leaves; what it printed."""
        process = self.start(**environment)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output

    def load(self, content: str | bytes, name: str = "things.csv", **attributes: Any) -> int:
        """Write, insert, run: the file's id."""
        file = self.insert(self.write(content, name), **attributes)
        self.drain()
        return file

    def file(self, file: int) -> dict[str, Any]:
        """The row of files."""
        row = self.app.execute("select * from locaria.files where id = %s", [file]).fetchone()
        assert row is not None
        return row

    def succeeded(self, file: int) -> bool:
        """Whether the file was loaded; shows why when not."""
        row = self.file(file)
        assert row["status"] == "FARGATE_PROCESSED", (row["status"], row["last_error"])
        return True

    def rejects(self, file: int) -> list[tuple[int, str]]:
        """Line and reason of each row set aside."""
        rows = self.app.execute(
            "select line, reason from locaria.rejects where file_id = %s order by line, id", [file]
        ).fetchall()
        return [(row["line"], row["reason"]) for row in rows]

    def rows(self, table: str = "things") -> list[tuple[Any, ...]]:
        """The rows of a table."""
        with psycopg.connect(self.db.dsn) as connection:
            name = sql.Identifier(*table.split("."))
            return connection.execute(sql.SQL("select * from {}").format(name)).fetchall()

    def types(self, table: str = "things") -> dict[str, str]:
        """The columns of a table, with their types."""
        rows = self.owner.execute(
            "select attname, format_type(atttypid, atttypmod) as type from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
            [table],
        ).fetchall()
        return {row["attname"]: row["type"] for row in rows}

    def result(self, file: int) -> dict[str, Any]:
        """What the last run reported."""
        row = self.owner.execute(
            "select result from locaria.runs where file_id = %s order by id desc limit 1", [file]
        ).fetchone()
        assert row is not None
        return dict(row["result"])

    def close(self) -> None:
        """End what is still running."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def loader(db: Database, tmp_path: Path) -> Iterator[Loader]:
    """Insert files and load them."""
    made = Loader(db, tmp_path)
    try:
        yield made
    finally:
        made.close()


Write = Callable[[str], Path]


@dataclass(frozen=True)
class S3:
    """A bucket on a local server that speaks S3."""

    endpoint: str
    bucket: str

    @property
    def url(self) -> str:
        """What LOCARIA_OBJECT_STORE may be."""
        return f"s3://{self.bucket}/some/prefix"

    @property
    def environment(self) -> dict[str, str]:
        """What a container needs to reach it."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing-secret",
            "AWS_REGION": "eu-west-2",
        }


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """moto's S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> S3:
    """A fresh bucket, which this process can reach, too."""
    made = S3(s3_endpoint, f"bucket-{abs(hash(request.node.nodeid)) % 10**12}")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=made.endpoint, region_name="eu-west-2").create_bucket(
        Bucket=made.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
    )
    return made


@pytest.fixture
def secrets(s3_endpoint: str) -> dict[str, str]:
    """The environment of a container that may read Secrets Manager: maps/token, maps/login."""
    environment = {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "eu-west-2",
    }
    client = boto3.client(
        "secretsmanager",
        endpoint_url=s3_endpoint,
        region_name="eu-west-2",
        aws_access_key_id="testing",
        aws_secret_access_key="testing-secret",
    )
    login = json.dumps({"username": "maps", "password": "canary-password"})
    for name, value in {"maps/token": "canary-token-1234", "maps/login": login}.items():
        with suppress(client.exceptions.ResourceExistsException):
            client.create_secret(Name=name, SecretString=value)
    return environment


@pytest.fixture
def site(db: Database, tmp_path: Path) -> Iterator[Site]:
    """Insert files of any container, and have them worked off."""
    made = Site(db, tmp_path)
    try:
        yield made
    finally:
        made.close()
