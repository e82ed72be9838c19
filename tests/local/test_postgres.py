"""The server of our own: who runs it, what it survives, what it says when it can't start."""

import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from locaria.local import processes
from locaria.local.postgres.server import PostgresError, PostgresServer, system_user

BIN_DIR = os.environ.get("LOCARIA_TEST_PG_BIN")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about running as root")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A started server in a folder of the test's own."""
    server = PostgresServer(tmp_path / "pg", bin_dir=BIN_DIR, durable=False)
    with server:
        yield server
    server.destroy()


def ask(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_its_password_is_in_a_file_for_its_owner_and_needed_to_log_in(
    server: PostgresServer,
) -> None:
    mode = stat.S_IMODE((server.data_dir / "server.json").stat().st_mode)
    assert mode == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn_for("postgres", "postgres", "wrong"))


def test_a_restart_keeps_the_port_and_what_was_committed(server: PostgresServer) -> None:
    dsn = server.dsn
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create table kept as select 7 as n")
    server.restart("immediate")
    assert server.dsn == dsn
    assert ask(dsn, "select n from kept") == 7


def test_it_outlives_a_parent_killed_by_sigkill_and_is_adopted(tmp_path: Path) -> None:
    data_dir = tmp_path / "pg"
    code = (
        "import os, sys; from locaria.local.postgres.server import PostgresServer; "
        "PostgresServer(sys.argv[1], bin_dir=sys.argv[2] or None, durable=False).start(); "
        "os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", code, data_dir, BIN_DIR or ""], check=False)
    assert died.returncode == -signal.SIGKILL
    server = PostgresServer(data_dir, bin_dir=BIN_DIR)
    pid = server.pid
    try:
        assert pid is not None
        server.start()
        assert server.pid == pid
        assert ask(server.dsn, "select 1") == 1
    finally:
        server.destroy()
    assert not processes.is_alive(pid)


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(server: PostgresServer) -> None:
    server.stop()
    pid_file = server.data_dir / "cluster" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n/nowhere\n0\n{server.port}\n\n127.0.0.1\n0\nready\n")
    assert server.pid is None
    server.start()
    assert ask(server.dsn, "select 1") == 1


def test_stopping_twice_is_fine(server: PostgresServer) -> None:
    server.stop()
    server.stop()
    assert server.pid is None


def test_what_initdb_said_is_in_the_error(tmp_path: Path) -> None:
    bin_dir = Path(tempfile.mkdtemp())
    bin_dir.chmod(0o755)
    for name, text in (("postgres", "echo postgres 18.1"), ("initdb", "echo no room; exit 1")):
        (bin_dir / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_dir / name).chmod(0o755)
    server = PostgresServer(tmp_path / "pg", bin_dir=bin_dir)
    with pytest.raises(PostgresError, match=r"(?s)initdb of .* failed:.*no room"):
        server.start()
    server.destroy()
    shutil.rmtree(bin_dir)


def test_what_the_server_said_is_in_the_error(server: PostgresServer) -> None:
    server.stop()
    conf = server.data_dir / "cluster" / "postgresql.conf"
    conf.write_text(conf.read_text() + "\nno_such_setting = 1\n")
    with pytest.raises(PostgresError, match="no_such_setting"):
        server.start()


def run_as_nobody(data_dir: Path) -> None:
    """In a child process: become an ordinary user and run a server."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    with PostgresServer(data_dir, bin_dir=BIN_DIR, durable=False) as server:
        assert ask(server.dsn, "select 1") == 1


@as_root
def test_an_ordinary_user_runs_it_as_himself() -> None:
    programs = PostgresServer("/nowhere", bin_dir=BIN_DIR)._binaries
    nobody = system_user._look_up("nobody")
    if nobody is None or not system_user.can_reach(nobody, programs.program("postgres")):
        pytest.skip("an ordinary user can't reach the server programs here")
    home = Path(tempfile.mkdtemp())
    os.chown(home, 65534, 65534)
    child = multiprocessing.get_context("fork").Process(target=run_as_nobody, args=(home / "pg",))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert (home / "pg" / "cluster" / "PG_VERSION").stat().st_uid == 65534
    shutil.rmtree(home)


@as_root
def test_root_keeps_data_outside_a_closed_folder_and_does_not_open_it(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "pg", bin_dir=BIN_DIR, durable=False)
    with server:
        kept = (closed / "pg" / "cluster").readlink()
        assert kept.is_relative_to(system_user.SYSTEM_DIR)
        assert kept.stat().st_uid != 0
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    server.destroy()
    assert not kept.exists()
