"""The examples of docs/loader_authors.md, executed as they stand there."""

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from locaria.local.postgres.binaries import find_binaries
from tests.reporter.conftest import ROOT, Site

TEXT = (ROOT / "docs" / "loader_authors.md").read_text()
COUNTER = {"LOCARIA_CONTAINER": "word_counter"}
CSV = "id,name,select\n1,Bern,x\n2,Thun,y\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_python_loader_has_ten_lines_and_loads(site: Site, tmp_path: Path) -> None:
    loader, source = tmp_path / "load.py", tmp_path / "in.csv"
    loader.write_text(blocks("python")[0])
    assert len(loader.read_text().splitlines()) <= 10
    source.write_text(CSV)
    file_id = site.submit(url=source.as_uri(), table="places")
    process = site.start(sys.executable, str(loader))
    assert process.wait(timeout=30) == 0, process.communicate()[0]
    assert site.file(file_id)["status"] == "FARGATE_PROCESSED"
    rows = site.rows('select id, name, "select" as s from public.places order by id')
    assert [tuple(r.values()) for r in rows] == [("1", "Bern", "x"), ("2", "Thun", "y")]
    assert site.run(file_id)["bytes_done"] == len(CSV)


def test_the_python_loader_runs_outside_locaria(site: Site, tmp_path: Path) -> None:
    loader, source = tmp_path / "load.py", tmp_path / "in.csv"
    loader.write_text(blocks("python")[0])
    source.write_text(CSV)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOCARIA")}
    command = [sys.executable, str(loader), f"url={source}", "table=places"]
    for _ in (1, 2):
        done = subprocess.run(
            command,
            env={**environment, "PYTHONPATH": str(ROOT), "DATABASE_URL": site.db.dsn},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "100%" in done.stderr and "done" in done.stderr
    assert site.one("select count(*) as n from public.places")["n"] == 2
    without = subprocess.run(
        command,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert without.returncode == 1 and "set DATABASE_URL" in without.stderr


def test_the_shell_loader_has_five_lines_and_loads(site: Site, tmp_path: Path) -> None:
    loader, source, tools = tmp_path / "load.sh", tmp_path / "in.csv", tmp_path / "bin"
    loader.write_text(blocks("sh")[0])
    assert len(loader.read_text().splitlines()) <= 5
    loader.chmod(0o755)
    source.write_text(CSV)
    tools.mkdir()
    report = tools / "locaria-report"
    report.write_text(f'#!/bin/sh\nexec {sys.executable} -m locaria_reporter "$@"\n')
    report.chmod(0o755)
    binaries = Path(find_binaries(os.environ.get("LOCARIA_TEST_PG_BIN")).bin_dir)
    site.owner.execute("create table public.places (id int, name text, s text)")
    site.owner.execute("grant select, insert on public.places to locaria_loader")
    file_id = site.submit(url=source.as_uri(), table="public.places")
    process = site.start_report(
        "run",
        "--drain",
        "--idle",
        "0",
        "--",
        str(loader),
        PATH=f"{tools}:{binaries}:{os.environ['PATH']}",
    )
    assert process.wait(timeout=60) == 0, process.communicate()[0]
    assert site.file(file_id)["status"] == "FARGATE_PROCESSED", site.run(file_id)
    assert site.run(file_id)["result"] == {"checks": {"not_empty": True}}
    assert site.one("select count(*) as n from public.places")["n"] == 2


def test_the_loader_with_a_checkpoint_loads(site: Site) -> None:
    site.owner.execute("create table public.measurements (id bigint, value float8)")
    site.submit()
    process = site.start(sys.executable, "-c", blocks("python")[1])
    assert process.wait(timeout=30) == 0, process.communicate()[0]
    assert site.one("select count(*) as n from public.measurements")["n"] == 1000


@pytest.fixture
def counter(site: Site) -> Site:
    """The listener of the documents is registered."""
    site.owner.execute(
        "select locaria.register_container('word_counter', %s)",
        ['{"type": "listener", "port": 8125, "limits": {"idle_timeout": "0 seconds"}}'],
    )
    return site


def test_the_listener_listens_and_counts_words(counter: Site, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    command = tools / "locaria"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m locaria.cli "$@"\n')
    command.chmod(0o755)
    binaries = Path(find_binaries(os.environ.get("LOCARIA_TEST_PG_BIN")).bin_dir)
    listens = threading.Thread(
        target=lambda: (
            counter.await_that(lambda: counter.rows("select from locaria.files"))
            and counter.start(
                sys.executable, "-c", blocks("python")[2], **COUNTER, LOCARIA_PORT="0"
            )
        )
    )
    listens.start()
    done = subprocess.run(
        ["sh", "-euc", blocks("sh")[1]],
        env={
            **counter.environment,
            "LOCARIA_DSN": counter.db.dsn,
            "PATH": f"{tools}:{binaries}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    listens.join()
    assert done.returncode == 0, done.stderr
    reply, description = map(json.loads, done.stdout.splitlines()[-2:])
    assert reply["result"] == {"map": 2}
    assert description["commands"]["count"]["description"] == "Counts words."
    insert, select = blocks("sql")[0].split(";", 1)
    command_file = counter.one(insert)["id"]
    assert command_file == 2
    counter.await_that(lambda: counter.file(2)["finished"])
    assert counter.one(select) == {"outcome": "succeeded", "result": {"result": {"map": 3}}}


def test_the_listener_with_a_loop_greets(counter: Site) -> None:
    counter.owner.execute(
        "insert into locaria.files (container, attributes)"
        ' values (\'word_counter\', \'{"command": "greet", "name": "Anna"}\')'
    )
    process = counter.start(sys.executable, "-c", blocks("python")[3], **COUNTER)
    assert process.wait(timeout=30) == 0, process.communicate()[0]
    assert counter.run(1)["result"] == {"result": "hello Anna"}


def test_the_example_of_a_test_passes() -> None:
    exec(compile(blocks("python")[4], "docs/loader_authors.md", "exec"), {})
