"""`locaria submit`."""

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Container, load, spoil, working
from tests.conftest import Database


def test_submit_inserts_one_row_per_path_in_one_statement(
    locaria: Command, db: Database, csv: Path
) -> None:
    other = csv.with_name("b.csv")
    other.touch()
    result = locaria(
        "submit", csv.name, other, "--table", "stations", "-c", "file_loader", "--json"
    )
    assert [row["attributes"] for row in result.json] == [
        {"path": str(csv), "table": "stations"},
        {"path": str(other), "table": "stations"},
    ]
    dispatches = db.connect().execute("select files from locaria.dispatches").fetchall()
    assert dispatches == [{"files": 2}]


def test_attributes_are_json_if_they_parse_else_text(locaria: Command, csv: Path) -> None:
    result = locaria(
        "submit", csv, "--json",
        *("-a", "limit=10", "-a", "header=true", "-a", "delimiter=;", "-a", 'columns=["a", "b"]'),
        *("-a", "note=a=b", "-a", "empty=", "-a", "number=NaN"),
    )  # fmt: skip
    (row,) = result.json
    assert row["attributes"] == {
        "path": str(csv),
        "limit": 10,
        "header": True,
        "delimiter": ";",
        "columns": ["a", "b"],
        "note": "a=b",
        "empty": "",
        "number": "NaN",
    }


def test_a_url_is_submitted_unchanged(locaria: Command) -> None:
    (row,) = locaria("submit", "s3://bucket/big file.csv", "--json").json
    assert row["attributes"] == {"url": "s3://bucket/big file.csv"}


def test_priority_and_time_are_stored_on_the_row(locaria: Command, csv: Path) -> None:
    (row,) = locaria("submit", csv, "--priority", "-7", "--after", "+2h", "--json").json
    assert (row["priority"], row["phase"]) == (-7, "scheduled")
    due = datetime.fromisoformat(row["run_after"]) - datetime.now(UTC)
    assert timedelta(minutes=119) < due <= timedelta(hours=2)
    (row,) = locaria("submit", csv, "--after", "2100-01-31T22:00", "--json").json
    assert row["run_after"] == "2100-01-31T22:00:00Z"
    (row,) = locaria("submit", csv, "--after", "hold", "--json").json
    assert (row["run_after"], row["phase"]) == ("infinity", "held")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv"], "there is no file"),
        (["."], "is a folder"),
        (["x://y", "-a", "novalue"], "is not of the form k=v"),
        (["x://y", "--after", "someday"], "is not a time"),
        (["x://y", "--priority", "99999"], "99999 is not in the range"),
        (["x://y", "-a", "path=z"], "--attribute can't set path"),
        (["x://y", "-t", "a", "-a", "table=z"], "table is given twice"),
        ([], "Name a PATH or URL"),
    ],
)
def test_a_wrong_argument_is_reported_and_nothing_is_inserted(
    locaria: Command, db: Database, arguments: list[str], words: str
) -> None:
    result = locaria("submit", *arguments, code=2)
    assert words in result.err
    assert db.connect().execute("select count(*) as n from locaria.files").fetchone() == {"n": 0}


def test_an_unknown_container_is_refused_and_the_known_ones_are_listed(
    locaria: Command, csv: Path
) -> None:
    result = locaria("submit", csv, "-c", "nothing", code=5)
    assert result.err.splitlines() == [
        'locaria: files.container: there is no container "nothing"',
        "hint: Containers: file_download, file_loader.",
    ]


def test_wait_ends_with_0_when_the_load_is_done(locaria: Command, db: Database, csv: Path) -> None:
    with working(db.dsn_of("loader"), load):
        result = locaria("submit", csv, "--table", "t", "--wait")
        assert "stations.csv → t: done  100 rows in" in result.out.replace("  ", "  ")
        (row,) = locaria("submit", csv, "--wait", "--json").json
        assert (row["phase"], row["percent"], row["rows_done"]) == ("done", 100, 100)


def test_wait_ends_with_1_and_the_reason_when_the_load_failed(
    locaria: Command, db: Database, csv: Path
) -> None:
    with working(db.dsn_of("loader"), spoil):
        result = locaria("submit", csv, csv, "--wait", code=1)
    assert "row 7 is bad" in result.err


def test_wait_ends_with_3_when_the_file_was_cancelled(locaria: Command, csv: Path) -> None:
    waiting = locaria.start("submit", csv, "--wait")
    assert waiting.stdout is not None
    assert "dispatched" in waiting.stdout.readline()
    locaria("cancel", 1)
    waiting.communicate(timeout=30)
    assert waiting.returncode == 3


def test_ctrl_c_ends_the_wait_with_130_and_leaves_the_file_running(
    locaria: Command, container: Container, csv: Path
) -> None:
    waiting = locaria.start("submit", csv, "--wait")
    assert waiting.stdout is not None
    assert "file 1 stations.csv" in waiting.stdout.readline()
    run = container.claim()
    container.report(run, stage="load", percent=10)
    assert "running" in waiting.stdout.readline()
    result = locaria.interrupt(waiting)
    assert result.code == 130
    assert "submitted files continue" in result.err
    assert "Traceback" not in result.err
    assert container.report(run, percent=20) == "running"


def test_on_a_terminal_wait_draws_a_bar(locaria: Command, db: Database, csv: Path) -> None:
    terminal, other_end = pty.openpty()
    with working(db.dsn_of("loader"), load):
        process = subprocess.Popen(
            [sys.executable, "-m", "locaria.cli", "submit", str(csv), "--wait"],
            stdout=other_end,
            stderr=other_end,
            env=locaria.environment | {"TERM": "xterm", "COLUMNS": "120"},
        )
        os.close(other_end)
        drawn = b""
        while chunk := _read(terminal):
            drawn += chunk
        assert process.wait(30) == 0
    os.close(terminal)
    assert "━━━━━".encode() in drawn
    assert b"100 rows in" in drawn


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end of a pseudo terminal is closed
        return b""


def test_wait_survives_a_lost_connection(
    locaria: Command, db: Database, container: Container, csv: Path
) -> None:
    waiting = locaria.start("submit", csv, "--wait", "--json")
    owner = db.connect()
    # Its INSERT is committed once a file is visible to this session.
    end_session = (
        "select pg_terminate_backend(pid) from pg_stat_activity, locaria.files "
        "where application_name = 'locaria submit' and datname = current_database()"
    )
    while not owner.execute(end_session).fetchall():
        assert waiting.poll() is None
    container.finish(container.claim())
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert json.loads(out)[0]["phase"] == "done"
    assert "trying again" in err
