"""A fresh install equals an upgraded one, and the plain script for psql equals Alembic."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from locaria import sql_files
from locaria.install import install, plain_sql
from locaria.local.postgres.binaries import find_binaries
from locaria.local.postgres.server import PostgresServer
from locaria.resources import SQL
from tests.conftest import OWNER, PASSWORD

MakeDatabase = Callable[[str], str]


@pytest.fixture
def empty(pg_server: PostgresServer, template: str) -> Iterator[MakeDatabase]:
    """A function that creates an empty database, whose owner is not a superuser, and returns its DSN."""
    made: list[str] = []

    def make(name: str) -> str:
        with closing(psycopg.connect(pg_server.dsn, autocommit=True)) as superuser:
            superuser.execute(f"create database {name} owner {OWNER}".encode())
        made.append(name)
        return pg_server.dsn_for(name, OWNER, PASSWORD)

    yield make
    with closing(psycopg.connect(pg_server.dsn, autocommit=True)) as superuser:
        for name in made:
            superuser.execute(f"drop database {name} with (force)".encode())


def run_program(name: str, *arguments: str, text: str | None = None) -> str:
    bin_dir = os.environ.get("LOCARIA_TEST_PG_BIN")
    program = find_binaries(Path(bin_dir) if bin_dir else None).bin_dir / name
    done = subprocess.run(
        [program, *arguments], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def dump(dsn: str) -> str:
    """Return the schema as pg_dump writes it, without the lines that differ between two dumps."""
    text = run_program(
        "pg_dump", "--schema-only", "--schema=locaria", "--schema=locaria_staging", dsn
    )
    return re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.M)


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with closing(psycopg.connect(dsn)) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_second_upgrade_changes_nothing(
    empty: MakeDatabase,
) -> None:
    dsn = empty("locaria_twice")
    install(dsn)
    once = dump(dsn)
    before = rows(dsn, "select * from locaria.parameters order by 1")
    install(dsn)
    assert dump(dsn) == once
    assert rows(dsn, "select * from locaria.parameters order by 1") == before
    assert rows(dsn, "select locaria.schema_version()") == [("1",)]
    assert rows(dsn, "select version_num from locaria.schema_migrations") == [("0001",)]


def test_an_upgrade_of_a_database_in_use_equals_a_fresh_install(empty: MakeDatabase) -> None:
    """An upgrade restores every replaceable object to its definition in sql/."""
    dsn = empty("locaria_upgraded")
    install(dsn)
    fresh = dump(dsn)
    with closing(psycopg.connect(dsn, autocommit=True)) as owner:
        owner.execute("select locaria.register_container('file_loader', '{}')")
        owner.execute("insert into locaria.files (attributes) values ('{}')")
        owner.execute(
            "create or replace function locaria.schema_version() returns text language sql as 'select ''0''::text'"
        )
        owner.execute("grant execute on function locaria.clock() to public")
        owner.execute("drop view locaria.failures")
        owner.execute("drop trigger _100_change_status on locaria.files")
    assert dump(dsn) != fresh
    install(dsn)
    assert dump(dsn) == fresh
    assert rows(dsn, "select count(*) from locaria.files") == [(1,)]


def test_two_upgrades_at_once_do_the_work_once(empty: MakeDatabase) -> None:
    dsn = empty("locaria_concurrent")
    failures: list[BaseException] = []

    def upgrade() -> None:
        try:
            program = "import sys; from locaria.install import install; install(sys.argv[1])"
            done = subprocess.run(
                [sys.executable, "-c", program, dsn], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
        except BaseException as failure:  # noqa: BLE001 - checked below
            failures.append(failure)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rows(dsn, "select count(*) from locaria.schema_migrations") == [(1,)]


def test_the_plain_script_gives_the_same_schema_through_psql(empty: MakeDatabase) -> None:
    by_alembic, by_psql = empty("locaria_alembic"), empty("locaria_psql")
    install(by_alembic)
    run_program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", by_psql, text=plain_sql())
    assert dump(by_psql) == dump(by_alembic)
    for table in ("schema_migrations", "statuses", "status_transitions", "ticks"):
        query = (
            f"select * from locaria.{table} order by 1, 2"
            if table not in ("schema_migrations",)
            else f"select * from locaria.{table}"
        )
        assert rows(by_psql, query) == rows(by_alembic, query)
    parameters = (
        "select parameter_name, parameter from locaria.parameters "
        "where parameter_name <> 'installation' order by 1"
    )
    assert rows(by_psql, parameters) == rows(by_alembic, parameters)
    install(by_psql)
    assert dump(by_psql) == dump(by_alembic), "alembic can upgrade it afterwards"


def test_a_failed_upgrade_leaves_nothing_behind(
    empty: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = empty("locaria_failed")
    good = list(sql_files.replaceable())
    monkeypatch.setattr(sql_files, "replaceable", lambda: iter([*good, "select 1/0"]))
    with pytest.raises(Exception, match="division by zero"):
        install(dsn)
    assert rows(dsn, "select to_regclass('locaria.files')") == [(None,)]
    monkeypatch.undo()
    install(dsn)


def test_every_replaceable_file_can_be_applied_twice(empty: MakeDatabase) -> None:
    dsn = empty("locaria_replaced")
    install(dsn)
    before = dump(dsn)
    with closing(psycopg.connect(dsn)) as owner:
        owner.execute("set check_function_bodies = off")
        for text in sql_files.replaceable():
            owner.execute(text.encode())
            owner.execute(text.encode())
        owner.commit()
    assert dump(dsn) == before


def test_every_file_of_sql_is_applied() -> None:
    applied = {
        text.split("\n", 1)[0].removeprefix("-- ")
        for text in [*sql_files.schema(), *sql_files.replaceable()]
    }
    there = {str(path.relative_to(SQL)) for path in SQL.rglob("*.sql")}
    assert applied == {path for path in there if not path.startswith("standin/")}


def test_function_bodies_are_valid(empty: MakeDatabase) -> None:
    """An upgrade turns the check off, because functions refer to objects created later."""
    dsn = empty("locaria_checked")
    install(dsn)
    definitions = rows(
        dsn,
        "select pg_get_functiondef(oid) from pg_proc where pronamespace = 'locaria'::regnamespace and prokind = 'f'",
    )
    with closing(psycopg.connect(dsn, autocommit=True)) as owner:
        for (definition,) in definitions:
            owner.execute(str(definition).encode())


def test_an_owner_without_createrole_can_install_where_the_roles_exist(
    pg_server: PostgresServer, template: str
) -> None:
    """The roles exist already, so the owner does not need CREATEROLE."""
    with closing(psycopg.connect(pg_server.dsn, autocommit=True)) as superuser:
        superuser.execute("create role plain_owner login password 'for tests only'")
        superuser.execute("create database locaria_plain owner plain_owner")
        try:
            dsn = pg_server.dsn_for("locaria_plain", "plain_owner", PASSWORD)
            install(dsn)
            install(dsn)
            assert rows(dsn, "select count(*) from locaria.status") == [(0,)]
        finally:
            superuser.execute("drop database locaria_plain with (force)")
            superuser.execute("drop role plain_owner")


def test_restoring_a_dump_launches_no_task(pg_server: PostgresServer, empty: MakeDatabase) -> None:
    source, target = empty("locaria_dumped"), empty("locaria_restored")
    install(source)
    with closing(psycopg.connect(source, autocommit=True)) as owner:
        owner.execute("select locaria.register_container('file_loader', '{}')")
        owner.execute(
            "insert into locaria.files (attributes) select '{}' from generate_series(1, 10)"
        )
        owner.execute("delete from locaria.dispatches")
        owner.execute("select locaria.cancel(1)")
    script = run_program("pg_dump", "--no-comments", source)
    run_program("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", target, text=script)
    for table in ("files", "transitions", "containers", "statuses"):
        query = f"select * from locaria.{table} order by 1"
        assert rows(source, query) == rows(target, query)
    assert rows(target, "select count(*) from locaria.dispatches") == [(0,)]
    assert dump(target).count("CREATE TRIGGER") == dump(source).count("CREATE TRIGGER")
