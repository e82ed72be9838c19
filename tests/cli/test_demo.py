"""`locaria demo`: the real thing, on a runtime of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command

AIRPORTS = 73_623


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Command]:
    """The command, with a state directory of its own; what it starts is stopped."""
    locaria = Command(None, tmp_path)
    if "LOCARIA_TEST_PG_BIN" in os.environ:
        locaria.environment["LOCARIA_PG_BIN"] = os.environ["LOCARIA_TEST_PG_BIN"]
    yield locaria
    locaria("down", code=None)


@pytest.mark.acceptance
def test_the_demo_loads_the_airports_and_again(home: Command) -> None:
    said = home("demo")
    for words in ("insert into locaria.files", "done", "Timeline", f"{AIRPORTS:,} rows", "psql"):
        assert words in said.out
    assert "was started and stays up" in said.out
    assert "In a browser: http://127.0.0.1:" in said.out
    again = home("demo", "--json").json
    assert again["status"]["phase"] == "done"
    assert len(again["rows"]) == 5
    # The other commands find the running runtime by themselves.
    loads = [row for row in home("list", "--json").json if row["container"] == "file_loader"]
    assert [row["phase"] for row in loads] == ["done", "done"]
    assert loads[0]["file_id"] == again["status"]["file_id"]
