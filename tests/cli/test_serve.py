"""`locaria serve`."""

import json
import os
import re
import select
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from websockets.sync.client import connect

from locaria.local.runtime import Runtime
from locaria.local.site import OWNER, WEB, read_web_dsn
from tests.cli.conftest import Command
from tests.conftest import Database, server_folder

GROUPS = ("locaria_reader", "locaria_app", "locaria_operator", "locaria_web")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A running local runtime with its own Postgres."""
    with server_folder() as folder:
        started = Runtime(
            folder / "state",
            bin_dir=os.environ.get("LOCARIA_TEST_PG_BIN"),
            durable=False,
            containers_dir=tmp_path_factory.mktemp("containers"),
            http_port=0,
        )
        with started:
            yield started
        assert started.server is not None
        started.server.destroy()


@pytest.fixture
def locaria(runtime: Runtime, tmp_path: Path) -> Command:
    """The command beside the runtime, with no DSN named."""
    command = Command(None, tmp_path)
    command.environment["LOCARIA_STATE_DIR"] = str(runtime.state_dir)
    return command


@contextmanager
def serving(locaria: Command, *options: object) -> Iterator[str]:
    """Run `locaria serve` and yield its HTTP address."""
    process = locaria.start("serve", *options)
    assert process.stdout is not None and process.stderr is not None
    try:
        assert select.select([process.stdout], [], [], 60)[0], "serve printed nothing"
        line = process.stdout.readline()
        found = re.match(r"Locaria serves (http://\S+) and ws://\S+/ws\n", line)
        assert found, line + process.stderr.read()
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def assert_get_files_answers(http: str) -> None:
    """Ask for the files over HTTP and over the WebSocket."""
    question = json.dumps({"method": "get_files"})
    request = urllib.request.Request(
        f"{http}/api", question.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        over_http = json.load(response)
    with connect(http.replace("http", "ws", 1) + "/ws", proxy=None) as socket:
        socket.send(question)
        over_websocket = json.loads(socket.recv(30))
    assert over_http["files"] == over_websocket["files"] == []


def test_serve_uses_the_web_login_of_the_running_runtime(
    locaria: Command, runtime: Runtime
) -> None:
    with serving(locaria) as http:
        assert_get_files_answers(http)
        with closing(psycopg.connect(runtime.dsn)) as owner:
            logins = owner.execute(
                "select distinct usename from pg_stat_activity where application_name = %s",
                ["locaria web"],
            ).fetchall()
        assert logins == [(WEB,)]


def test_serve_keeps_the_password_out_of_its_arguments_and_output(
    locaria: Command, runtime: Runtime
) -> None:
    dsn = read_web_dsn(runtime.state_dir)
    assert dsn is not None
    password = str(psycopg.conninfo.conninfo_to_dict(dsn)["password"])
    process = locaria.start("serve")
    assert process.stdout is not None
    line = process.stdout.readline()
    with urllib.request.urlopen(line.split()[2] + "/live", timeout=30) as response:
        assert response.status == 200
    arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert password not in arguments + line + out + err
    assert "Traceback" not in err


def test_serve_prints_the_missing_grant_and_works_once_it_has_run(
    locaria: Command, runtime: Runtime
) -> None:
    locaria.environment["LOCARIA_DSN"] = runtime.dsn
    refused = locaria("serve", "--port", 0, code=5)
    assert f"the login {OWNER} can't take the roles {', '.join(GROUPS)}" in refused.err
    assert "unset LOCARIA_DSN" in refused.err
    found = re.search(r"(grant .*);", refused.err)
    assert found, refused.err
    with closing(psycopg.connect(runtime.site.superuser_dsn, autocommit=True)) as superuser:
        superuser.execute(found[1].encode())
        try:
            with serving(locaria, "--port", 0) as http:
                assert_get_files_answers(http)
        finally:
            superuser.execute(f"revoke {', '.join(GROUPS)} from {OWNER}".encode())


def test_only_the_missing_roles_are_named(db: Database, tmp_path: Path) -> None:
    refused = Command(db.dsn_of("reader"), tmp_path)("serve", "--port", 0, code=5)
    assert "grant locaria_app, locaria_operator, locaria_web to test_reader" in refused.err


def test_serve_on_a_database_that_cannot_be_reached_ends_with_exit_code_4(
    locaria: Command,
) -> None:
    refused = locaria("serve", "--dsn", "postgresql://u@127.0.0.1:1/d", code=4)
    assert "can't reach database d at 127.0.0.1:1 as u" in refused.err


def test_a_taken_port_is_refused_if_it_was_asked_for(locaria: Command, runtime: Runtime) -> None:
    with serving(locaria, "--port", 0) as http:
        port = http.rpartition(":")[2]
        assert f"can't listen on 127.0.0.1:{port}" in locaria("serve", "--port", port, code=5).err


def test_an_open_server_on_a_public_interface_is_refused(locaria: Command) -> None:
    refused = locaria("serve", "--host", "0.0.0.0", "--port", 0, code=2)
    assert "LOCARIA_WEB_TOKENS" in refused.err
