"""`locaria cancel`, `retry`, `db`, and the errors of every command."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from locaria.local.postgres.binaries import find_binaries
from tests.cli.conftest import Command, Container
from tests.cli.test_reading import insert
from tests.conftest import OWNER, PASSWORD, Database


def test_cancel_shows_the_outcome_for_each_file(
    locaria: Command, db: Database, container: Container
) -> None:
    running, waiting = insert(db), insert(db)
    run = container.claim()
    rows = locaria("cancel", waiting, running, "--reason", "wrong file", "--json").json
    assert [(row["file_id"], row["status"]) for row in rows] == [
        (running, "FARGATE_PROCESSING"),
        (waiting, "CANCELLED"),
    ]
    assert container.report(run) == "cancel"
    container.fail(run, "cancelled")
    assert "wrong file" in locaria("show", waiting).out
    assert "wrong file" in locaria("show", running).out


def test_cancel_refuses_a_finished_file_and_accepts_a_cancelled_one(
    locaria: Command, db: Database, container: Container
) -> None:
    done = insert(db)
    container.finish(container.claim())
    assert "nothing to cancel" in locaria("cancel", done, code=5).out
    waiting = insert(db)
    locaria("cancel", waiting)
    locaria("cancel", waiting)


def test_retry_runs_a_failed_file_again_and_refuses_a_running_one(
    locaria: Command, db: Database, container: Container
) -> None:
    file = insert(db)
    container.fail(container.claim())
    (row,) = locaria("retry", file, "--reason", "mended", "--json").json
    assert row == {"file_id": file, "status": "REGISTERED", "note": "runs again"}
    container.claim()
    assert "cancel it first" in locaria("retry", file, code=5).out


def test_an_application_can_submit_and_read_but_not_cancel(
    db: Database, tmp_path: Path, csv: Path
) -> None:
    locaria = Command(db.dsn_of("app"), tmp_path)
    locaria("submit", csv)
    locaria("show", 1)
    locaria("watch", "--help")
    result = locaria("cancel", 1, code=5)
    assert "permission denied" in result.err
    assert "locaria_operator" in result.err


def test_a_reader_can_read_everything_and_submit_nothing(
    db: Database, tmp_path: Path, csv: Path
) -> None:
    file = insert(db)
    locaria = Command(db.dsn_of("reader"), tmp_path)
    for command in (("list",), ("show", file), ("explain", file), ("logs", file), ("queue",)):
        locaria(*command)
    locaria("health", code=1)
    assert "permission denied" in locaria("submit", csv, code=5).err


def test_without_a_database_the_error_names_the_fix(locaria_without_dsn: Command) -> None:
    result = locaria_without_dsn("list", code=4)
    assert "LOCARIA_DSN is not set" in result.err
    assert "locaria up --detach" in result.err


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:sEcret@127.0.0.1:1/d",
        "host=127.0.0.1 port=1 dbname=d user=u password=sEcret",
    ],
)
def test_an_unreachable_database_is_named_without_its_password(
    locaria_without_dsn: Command, dsn: str
) -> None:
    result = locaria_without_dsn("list", "--dsn", dsn, code=4)
    assert "can't reach database d at 127.0.0.1:1 as u" in result.err
    assert "sEcret" not in result.err


@pytest.mark.parametrize("dsn", ["sEcret", "postgresql://u:sEcret", "postgres//u:sEcret@h/d"])
def test_a_broken_connection_string_is_not_repeated(locaria_without_dsn: Command, dsn: str) -> None:
    assert "sEcret" not in locaria_without_dsn("list", "--dsn", dsn, code=4).err


def test_a_wrong_password_is_reported_but_not_printed(
    locaria_without_dsn: Command, db: Database
) -> None:
    dsn = db.dsn.replace("for%20tests%20only", "sEcret")
    assert dsn != db.dsn
    result = locaria_without_dsn("list", "--dsn", dsn, code=4)
    assert "password authentication failed" in result.err
    assert "sEcret" not in result.err


def test_the_error_for_a_database_without_locaria_names_the_install_command(
    locaria_without_dsn: Command, db: Database
) -> None:
    dsn = db.server.dsn_for("template1")
    result = locaria_without_dsn("list", "--dsn", dsn, code=5)
    assert "Locaria is not installed in database template1" in result.err
    assert "locaria db upgrade" in result.err


def test_db_upgrade_can_be_repeated_and_version_shows_the_revision(
    db: Database, tmp_path: Path
) -> None:
    with empty_database(db) as name:
        locaria = Command(db.server.dsn_for(name, OWNER, PASSWORD), tmp_path)
        assert "grant create on database" in locaria("db", "upgrade", code=5).err
        with closing(psycopg.connect(db.superuser_dsn, autocommit=True)) as superuser:
            superuser.execute(f"grant create on database {name} to {OWNER}")
        locaria("db", "upgrade")
        locaria("db", "upgrade")
        result = locaria("db", "version", "--json").json
        assert result["schema_version"] == "1"
        assert result["database"] == name
        assert result["revision"] in locaria("db", "version").out


@contextmanager
def empty_database(db: Database) -> Iterator[str]:
    """Create an empty database that belongs to the superuser."""
    name = f"{db.name}_empty"
    with closing(psycopg.connect(db.superuser_dsn, autocommit=True)) as superuser:
        superuser.execute(f"create database {name}")
        try:
            yield name
        finally:
            superuser.execute(f"drop database {name} with (force)")


def test_db_sql_applies_in_psql(locaria: Command, db: Database, tmp_path: Path) -> None:
    script = tmp_path / "locaria.sql"
    script.write_text(locaria("db", "sql").out)
    with empty_database(db) as name:
        dsn = db.server.dsn_for(name)
        Command(dsn, tmp_path)("list", code=5)
        program = find_binaries(os.environ.get("LOCARIA_TEST_PG_BIN")).program("psql")
        apply = [program, "-qX", "-v", "ON_ERROR_STOP=1", "-f", script, dsn]
        subprocess.run(apply, check=True)
        Command(dsn, tmp_path)("list")


def test_db_register_reads_a_dockers_json(locaria: Command, tmp_path: Path) -> None:
    dockers = tmp_path / "dockers.json"
    dockers.write_text('{"geo_loader": {"description": "maps", "limits": {"max_tasks": 2}}}')
    assert locaria("db", "register", dockers, "--json").json == ["geo_loader"]
    rows = {row["container"]: row for row in locaria("queue", "--json").json}
    assert rows["geo_loader"]["max_tasks"] == 2
    dockers.write_text("[]")
    assert "must be an object" in locaria("db", "register", dockers, code=2).err


def test_the_help_of_every_command_has_an_example(locaria_without_dsn: Command) -> None:
    listed = locaria_without_dsn("--help").out.partition("Commands:")[2].partition("\n\n")[0]
    names = {line.split()[0] for line in listed.splitlines() if line}
    assert {"submit", "watch", "list", "show", "logs", "cancel", "retry", "explain"} <= names
    with ThreadPoolExecutor(4) as pool:
        helps = dict(
            zip(names, pool.map(lambda n: locaria_without_dsn(n, "--help"), names), strict=True)
        )
    for name, result in helps.items():
        assert f"locaria {name}" in result.out.partition("\n")[2], name


def test_the_help_lists_the_exit_codes(locaria_without_dsn: Command) -> None:
    result = locaria_without_dsn("submit", "--help").out
    for code in ("0", "1", "2", "3", "4", "5", "130"):
        assert f"\n  {code:>3}  " in result or f" {code}  " in result


def test_psql_connects_without_a_password_in_its_arguments(locaria: Command) -> None:
    assert OWNER in locaria("psql", "-XAtc", "select current_user").out
    argv = locaria("psql", "-XAtc", r"\! tr '\\0' ' ' < /proc/$PPID/cmdline").out
    assert "select" not in argv and PASSWORD not in argv and "psql" in argv
    # Without a psql on PATH, the one of the embedded server is used.
    locaria.environment["PATH"] = "/nowhere"
    assert OWNER in locaria("psql", "-XAtc", "select current_user").out
