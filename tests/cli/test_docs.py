"""The examples of the documents, executed in their order."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from locaria.cli.errors import EXIT_CODES
from locaria.local.postgres.binaries import find_binaries
from tests.cli.conftest import Command, load, working
from tests.conftest import OWNER, Database

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(sql|sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCKERS = '{"file_loader": {}, "file_download": {}}'


def examples(document: str) -> Iterator[tuple[str, str]]:
    """Yield the language and text of each example that can be run."""
    text = (ROOT / document).read_text()
    for match in BLOCK.finditer(text):
        yield match[1], match[2]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with `locaria` and `psql`, for PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    psql = find_binaries(os.environ.get("LOCARIA_TEST_PG_BIN")).program("psql")
    for name, command in (
        ("locaria", f"'{sys.executable}' -m locaria.cli"),
        ("psql", f"'{psql}'"),
    ):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
    return folder


@pytest.fixture
def left_roles(db: Database) -> Iterator[None]:
    """Drop the logins that a document creates, since they belong to the cluster."""
    yield
    with closing(psycopg.connect(db.superuser_dsn, autocommit=True)) as superuser:
        found = superuser.execute(r"select rolname from pg_roles where rolname like 'docs\_%'")
        for (role,) in found.fetchall():
            superuser.execute(f'drop owned by "{role}"')
            superuser.execute(f'drop role "{role}"')


@pytest.mark.parametrize(
    ("document", "role"),
    [
        ("README.md", None),
        ("docs/applications.md", "app"),
        ("docs/dba.md", None),
        ("docs/downloads.md", None),
        ("docs/bundle_ingest.md", None),
        ("sql/README.md", None),
    ],
)
@pytest.mark.usefixtures("left_roles")
def test_the_examples_of_a_document_run(
    db: Database, tools: Path, tmp_path: Path, document: str, role: str | None
) -> None:
    with closing(psycopg.connect(db.superuser_dsn, autocommit=True)) as superuser:
        superuser.execute(f"grant create on database {db.name} to {OWNER}")
        superuser.execute(f"grant usage, create on schema public to {OWNER}")
    (tmp_path / "stations.csv").write_text("id,name\n1,Kings Cross\n")
    (tmp_path / "dockers.json").write_text(DOCKERS)
    environment = Command(db.dsn if role is None else db.dsn_of(role), tmp_path).environment
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    programs = {
        "sql": ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", environment["LOCARIA_DSN"], "-c"],
        "sh": ["bash", "-euo", "pipefail", "-c"],
        "python": [sys.executable, "-c"],
    }
    programs["sql"][0] = str(tools / "psql")
    db.connect("operator").execute("select locaria.tick()")
    with working(db.dsn_of("loader"), load):
        for language, text in examples(document):
            if language == "sql":
                arguments = [*programs["sql"][:-1], "-f", "-"]
                done = run(arguments, environment, tmp_path, text)
            else:
                done = run([*programs[language], text], environment, tmp_path)
            assert done.returncode == 0, f"{document}:\n{text}\n{done.stdout}{done.stderr}"


def run(
    arguments: list[str], environment: dict[str, str], folder: Path, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one example."""
    return subprocess.run(
        arguments,
        input=text,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_documented_exit_codes_are_those_of_the_command() -> None:
    text = (ROOT / "docs/applications.md").read_text()
    for code, meaning in EXIT_CODES.items():
        assert f"| {code.value} | {meaning} |" in text


def test_every_error_code_that_the_sql_raises_is_documented() -> None:
    raised = {
        code
        for path in (ROOT / "sql/functions").rglob("*.sql")
        for code in re.findall(r"errcode = '(LC\d+)'", path.read_text())
    }
    documented = set(re.findall(r"^\| (LC\d+) \|", (ROOT / "sql/README.md").read_text(), re.M))
    assert raised <= documented
