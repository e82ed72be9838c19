"""`locaria new-container`, and the tutorial that begins with it."""

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import jsonschema
import psycopg
import pytest
from click.testing import CliRunner

from locaria.cli import main
from locaria.local.postgres.binaries import find_binaries
from tests.cli.conftest import Command
from tests.conftest import OWNER, Database

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "writing_a_loader.md").read_text()
SCHEMA = json.loads((ROOT / "containers" / "dockers.schema.json").read_text())
IDLE = '"idle_timeout": "60 seconds"'
BLOCK = re.compile(r"^```(sql|sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def locaria(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "locaria.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def containers(tmp_path: Path) -> Path:
    """A folder with a copy of dockers.json."""
    folder = tmp_path / "containers"
    folder.mkdir()
    (folder / "dockers.json").write_text((ROOT / "containers" / "dockers.json").read_text())
    return folder


def test_a_loader_and_a_listener_are_made_and_pass_their_tests(containers: Path) -> None:
    before = (containers / "dockers.json").read_text()
    description = 'Loads "things", $5 each'
    made = locaria(
        containers.parent,
        *("new-container", "stations", "--containers", "containers"),
        *("--description", description, "--json"),
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["folder"] == "containers/stations"
    said = locaria(
        containers.parent,
        *("new-container", "greeter", "--type", "listener", "--containers", "containers"),
    )
    assert said.returncode == 0, said.stderr
    assert "python -m pytest containers/greeter" in said.stdout
    shell = locaria(
        containers.parent, "new-container", "maps", "--shell", "--containers", "containers"
    )
    assert shell.returncode == 0, shell.stderr
    assert "maps.sh: the loader" in shell.stdout
    assert "built from a checkout, as containers/maps" in shell.stdout
    after = (containers / "dockers.json").read_text()
    assert after.startswith(before.rstrip().removesuffix("}").rstrip())
    dockers = json.loads(after)
    jsonschema.validate(dockers, SCHEMA)
    assert dockers["stations"]["description"] == description
    ports = [entry["port"] for entry in dockers.values() if "port" in entry]
    assert len(ports) == len(set(ports))
    for name in ("stations", "greeter", "maps"):
        dockerfile = (containers / name / "Dockerfile").read_text()
        assert f"ENTRYPOINT {json.dumps(dockers[name]['entry_point'])}" in dockerfile
        assert ("postgresql-client" in dockerfile) == (name == "maps")
        assert "FROM ${BASE}" in dockerfile
    for command in (
        ["pytest", "-q"],
        ["ruff", "check", "--ignore", "I001", "--line-length", "100"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command, "containers"],
            cwd=containers.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Stations", "no name"),
        ("1st", "no name"),
        ("../x", "no name"),
        ("x" * 42, "no name"),
        ("file_loader", "already"),
        ("modules", "taken"),
        ("left_over", "taken"),
        ("linked", "taken"),
        ("loading", "a module in"),
        ("credentials", "a module in"),
        ("json", "module of Python"),
        ("class", "module of Python"),
        ("psycopg", "installed"),
    ],
)
def test_bad_and_taken_names_are_refused_and_nothing_is_written(
    containers: Path, name: str, words: str
) -> None:
    (containers / "left_over").mkdir()
    (containers / "linked").symlink_to("nowhere")
    (containers / "modules" / "loading").mkdir(parents=True)
    (containers / "modules" / "credentials.py").touch()
    before = sorted(containers.rglob("*")), (containers / "dockers.json").read_text()
    done = CliRunner().invoke(main, ["new-container", name, "--containers", str(containers)])
    assert done.exit_code == 2
    assert words in done.output
    assert before == (sorted(containers.rglob("*")), (containers / "dockers.json").read_text())


def test_a_folder_is_begun_and_one_of_something_else_is_not(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thing").write_text("")
    for folder, code in (("mine", 0), ("other", 2), ("no/such", 2)):
        where = tmp_path / folder
        done = CliRunner().invoke(main, ["new-container", "maps", "--containers", str(where)])
        assert done.exit_code == code, done.output
        assert (f"locaria agent --containers {where}" in done.output) == (code == 0)
    assert list(json.loads((tmp_path / "mine" / "dockers.json").read_text())) == ["maps"]
    assert not (tmp_path / "no").exists()
    again = CliRunner().invoke(
        main, ["new-container", "maps", "--containers", str(tmp_path / "mine")]
    )
    assert "already" in again.output
    listens = ["new-container", "x_y", "--shell", "--type", "listener"]
    assert "a listener in shell is not made" in CliRunner().invoke(main, listens).output


def test_what_could_not_be_written_whole_is_not_left_half(containers: Path) -> None:
    # Where the new dockers.json would be written first there is something else.
    (containers / "dockers.json.new").mkdir()
    (containers / "dockers.json.new" / "x").touch()
    before = sorted(containers.rglob("*"))
    done = CliRunner().invoke(main, ["new-container", "maps", "--containers", str(containers)])
    assert done.exit_code == 2
    assert "dockers.json.new: Is a directory" in done.output and "nothing was made" in done.output
    assert before == sorted(containers.rglob("*"))


def test_the_tutorial_can_be_followed(db: Database, tmp_path: Path) -> None:
    with closing(psycopg.connect(db.superuser_dsn, autocommit=True)) as superuser:
        superuser.execute(f"grant usage, create on schema public to {OWNER}")
        # As for the owner of `locaria up`, whose name is the schema's.
        superuser.execute(f"alter database {db.name} set search_path to locaria, public")
    tools = tmp_path / "bin"
    tools.mkdir()
    psql = find_binaries(os.environ.get("LOCARIA_TEST_PG_BIN")).program("psql")
    for name, command in (
        ("locaria", f"'{sys.executable}' -m locaria.cli"),
        ("python", f"'{sys.executable}'"),
        ("locaria-report", f"'{sys.executable}' -m locaria_reporter"),
        ("psql", f"'{psql}' -X -v ON_ERROR_STOP=1"),
    ):
        (tools / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (tools / name).chmod(0o755)
    environment = Command(db.dsn, tmp_path).environment
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    environment["DSN"] = environment.pop("LOCARIA_DSN")
    (tmp_path / "exported").write_text("")
    said = ""
    for language, text in BLOCK.findall(TUTORIAL):
        if language == "python":
            (tmp_path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
            continue
        dockers = tmp_path / "containers" / "dockers.json"
        # A reader may wait for the task to leave.
        if dockers.exists():
            dockers.write_text(dockers.read_text().replace(IDLE, '"idle_timeout": "0 seconds"'))
        # A reader's shell remembers what was exported.
        lines = f". ./exported\n{text}\nexport -p >exported"
        program = ["bash", "-euo", "pipefail", "-c", lines]
        if language == "sql":
            program = [str(tools / "psql"), "-d", db.dsn, "-c", text]
        done = subprocess.run(
            program,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        said += done.stdout
    assert said.count("1 passed") == 1
    assert said.count("2 passed") == 2
    assert said.count("3 passed") == 1
    with closing(psycopg.connect(db.dsn)) as owner:
        rows = owner.execute("select id, opened is null, height from public.stations order by id")
        assert [row[0] for row in rows.fetchall()] == [1, 3]
        rejected = owner.execute("select distinct line, reason from locaria.rejects").fetchall()
        assert rejected == [(3, "Invalid isoformat string: 'n/a'")]
        heights = owner.execute("select stations, highest from public.heights").fetchall()
        assert heights == [(2, 1638)]
        towns = owner.execute("select id, name from public.towns order by id").fetchall()
        assert towns == [("1", "Zermatt"), ("2", "Davos"), ("3", "Bern")]
        greeted = owner.execute(
            "select result -> 'result' from locaria.attempts where container = 'greeter'"
        ).fetchall()
        assert greeted == [({"hello": "Bern"},)]
