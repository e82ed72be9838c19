"""Agents and `locaria up` never serve one database together, and nobody is held off by the dead."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from locaria.local.postgres.server import PostgresServer
from locaria.resources import ROOT
from tests.deploy.test_agent import Agents, agents

__all__ = ["agents"]


class Up:
    """`locaria up --dsn`, as a process, in a state directory of its own."""

    def __init__(self, dsn: str, state_dir: Path) -> None:
        words = ["up", "--http-port", "0", "--state-dir", str(state_dir)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "locaria.cli", *words],
            env=os.environ | {"LOCARIA_UP_DSN": dsn, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "Ctrl-C" in line:
                return
        assert self.process.stderr is not None
        raise AssertionError(self.process.stderr.read())

    def refusal(self) -> str:
        """What it says when it does not start."""
        out, said = self.process.communicate(timeout=60)
        assert self.process.returncode == 1, out + said
        return said

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture
def superuser_dsn(agents: Agents, pg_server: PostgresServer) -> str:
    return pg_server.dsn_for(str(conninfo_to_dict(agents.dsn)["dbname"]))


@pytest.fixture
def living_up(agents: Agents, superuser_dsn: str, tmp_path: Path) -> Iterator[Up]:
    """A `locaria up` that lives on the database of the agents."""
    up = Up(superuser_dsn, tmp_path / "up")
    up.ready()
    yield up
    up.kill()


def states(dsn: str) -> dict[str, str]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        connection.execute("set role locaria_reader")  # who sees little of other people's sessions
        rows = connection.execute("select kind, state, process from locaria.agents").fetchall()
    return {f"{row['kind']} {row['process']}": row["state"] for row in rows}


def logins(superuser_dsn: str) -> list[Any]:
    """The server's roles and their passwords, as they are stored."""
    with psycopg.connect(superuser_dsn) as connection:
        return connection.execute(
            "select rolname, rolpassword from pg_catalog.pg_authid order by rolname"
        ).fetchall()


def test_up_is_refused_where_an_agent_lives_or_has_lived_and_a_copy_of_an_agent_too(
    agents: Agents, superuser_dsn: str, tmp_path: Path
) -> None:
    agents.start("one")
    pid = agents.processes["one"].pid
    before = logins(superuser_dsn)
    up = Up(superuser_dsn, tmp_path / "up")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "secrets.json").write_text((tmp_path / "one" / "secrets.json").read_text())
    with pytest.raises(AssertionError, match="its state directory was copied"):
        agents.start("two")
    said = up.refusal()
    assert f"-{agents.mark('one')} process {pid}" in said
    assert "locaria up serves a database alone" in said
    assert logins(superuser_dsn) == before, "it touched nothing"
    agents.end("one", signal.SIGKILL)
    said = Up(superuser_dsn, tmp_path / "up").refusal()
    assert "belongs to agent_owner: run locaria agent with that login" in said
    assert states(superuser_dsn) == {f"agent {pid}": "died"}
    agents.start("one")  # the dead one holds nobody off
    [row] = agents.rows("select state, process from locaria.agents")
    assert row == {"state": "lives", "process": agents.processes["one"].pid}
    assert agents.end("one") == 0
    assert agents.rows("select state from locaria.agents") == [{"state": "stopped"}]


def test_nobody_else_lives_where_up_does(
    agents: Agents, living_up: Up, superuser_dsn: str, pg_server: PostgresServer, tmp_path: Path
) -> None:
    pid = living_up.process.pid
    who = f"locaria up {os.uname().nodename}-{pid}"
    second = Up(superuser_dsn, tmp_path / "second")
    elsewhere = Up(pg_server.dsn_for("postgres"), tmp_path / "elsewhere")
    with pytest.raises(AssertionError, match="Stop it there") as refused:
        agents.start("one")
    assert who in str(refused.value)
    assert who in second.refusal()
    assert "of this server" in elsewhere.refusal(), "the logins of both would be the same"
    assert states(superuser_dsn) == {f"up {pid}": "lives"}
    living_up.kill()
    again = Up(superuser_dsn, tmp_path / "up")
    again.ready()
    assert states(superuser_dsn) == {f"up {pid}": "died", f"up {again.process.pid}": "lives"}
    again.kill()
    with pytest.raises(AssertionError, match="belongs to somebody else"):
        agents.start("one")


def test_a_login_of_somebody_elses_keeps_its_password(
    pg_server: PostgresServer, tmp_path: Path
) -> None:
    with psycopg.connect(pg_server.dsn, autocommit=True) as superuser:
        superuser.execute(
            "do $$ begin create role locaria; exception when duplicate_object then end $$"
        )
        superuser.execute("comment on role locaria is null")
        superuser.execute("alter role locaria login password 'mine'")
        said = Up(pg_server.dsn_for("postgres"), tmp_path / "up").refusal()
        assert "a login locaria that is not the local runtime's" in said
        psycopg.connect(pg_server.dsn_for("postgres", "locaria", "mine")).close()
        superuser.execute("comment on role locaria is 'made by locaria up'")


def test_an_agent_comes_back_to_its_place_or_leaves_it_to_who_has_taken_it(agents: Agents) -> None:
    agents.start("one")
    here = "(select oid from pg_database where datname = current_database())"
    place = f"locktype = 'advisory' and classid = 4242007 and database = {here}"
    holder = f"select pid from pg_locks where {place}"
    [was] = agents.rows(holder)
    agents.rows("select pg_terminate_backend(%s)", was["pid"])
    agents.wait(lambda: [row for row in agents.rows(holder) if row != was])

    with psycopg.connect(agents.dsn, autocommit=True, row_factory=dict_row) as up:
        up.execute("set application_name = 'locaria up elsewhere'")
        cut = f"select pg_terminate_backend(pid) from pg_locks where {place}"
        taken = f"{cut}; select pg_advisory_lock(4242007, 0)"
        up.execute(taken.encode())
        agents.readers["one"].join()  # to the end of what it says
    assert agents.says("one", "served by locaria up elsewhere")
    assert agents.end("one") == 1


def test_who_lives_and_what_it_runs_is_seen_in_sql(agents: Agents) -> None:
    agents.start("one", ("actor", "first"))
    agents.submit(do="hang")
    seen = (
        "select a.*, h.level, h.value from locaria.agents a, locaria.health h "
        "where h.check = 'agents' and a.tasks = 1"
    )
    agents.wait(lambda: agents.rows(seen))
    [row] = agents.rows(seen)
    assert (row["state"], row["kind"], row["runs_by"]) == ("lives", "agent", "process")
    assert row["containers"] == ["actor", "first"]
    assert row["process"] == agents.processes["one"].pid
    assert (row["level"], row["value"]) == ("ok", f"{row['name']} lives")
    agents.end("one", signal.SIGKILL)
    told = "select level, value from locaria.health where \"check\" = 'agents'"
    agents.wait(lambda: agents.rows(told)[0]["level"] == "crit")
    assert agents.rows(told)[0]["value"].startswith(
        f"no runtime is alive; the last was {row['name']}"
    )
