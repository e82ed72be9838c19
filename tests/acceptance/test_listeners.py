"""Listeners through the real runtime: rows, HTTP, cancel, crashes, signals."""

import json
import os
import signal
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from locaria.local.status import read_status
from tests.acceptance.conftest import Place, Row

pytestmark = pytest.mark.acceptance


def post(endpoint: str, command: str, **parameters: Any) -> tuple[int, Row]:
    """Send a command; status and reply."""
    request = urllib.request.Request(
        endpoint,
        json.dumps({"command": command, "parameters": parameters}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def listening(row: Row) -> bool:
    return row["endpoint"] is not None and row["command"] is None


def pid_of(place: Place, file: int) -> int:
    row = place.one(
        """
        select (t.info ->> 'pid')::int as pid from locaria.files f
        join locaria.runs r on r.id = f.claimed_by join locaria.tasks t on t.id = r.task_id
        where f.id = %s
        """,
        file,
    )
    return int(row["pid"])


def test_a_listener_takes_commands_until_it_is_cancelled(place: Place) -> None:
    file = place.submit("echo")
    row = place.wait(file, listening)
    assert post(row["endpoint"], "say", words="hello")[1]["result"] == {"said": "hello"}
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(post, row["endpoint"], "say", words="slow", seconds=2.5)
        place.wait(file, lambda row: row["command"] == "say")
        status, reply = slow.result()
    assert (status, reply["result"]) == (200, {"said": "slow"})
    place.wait(file, listening)
    place.db.execute("select locaria.cancel(%s)", [file])
    assert place.wait(file, seconds=10)["phase"] == "cancelled"
    with pytest.raises(OSError):
        post(row["endpoint"], "say", words="anybody there?")


def test_a_killed_listener_comes_back_and_no_attempt_is_used_up(place: Place) -> None:
    file = place.submit("echo")
    first = place.wait(file, listening)
    os.kill(pid_of(place, file), signal.SIGKILL)
    second = place.wait(file, lambda row: listening(row) and row["run_id"] != first["run_id"])
    assert second["attempt"] == 1, place.story(file)
    assert post(second["endpoint"], "say", words="again")[0] == 200


def test_commands_as_rows_are_done_by_the_listener_that_is_there(place: Place) -> None:
    file = place.submit("echo")
    place.wait(file, listening)
    done = place.submit("echo", command="say", words="row")
    refused = place.submit("echo", command="refuse", parameters={"words": "not today"})
    unknown = place.submit("echo", command="dance")
    assert place.wait(done)["phase"] == "done", place.story(done)
    assert place.one(
        """
        select t.started < f.created as yes from locaria.files f
        join locaria.runs r on r.file_id = f.id join locaria.tasks t on t.id = r.task_id
        where f.id = %s
        """,
        done,
    )["yes"], "by a task that was there already"
    assert place.wait(refused)["last_error"] == "not today"
    assert "no command 'dance'" in place.wait(unknown)["last_error"]
    assert listening(place.wait(file, listening))


def test_two_commands_at_once_are_done_one_after_the_other(place: Place) -> None:
    file = place.submit("echo")
    endpoint = place.wait(file, listening)["endpoint"]
    with ThreadPoolExecutor() as pool:
        replies = list(
            pool.map(lambda n: post(endpoint, "say", words=str(n), seconds=0.2), range(4))
        )
    assert [reply["result"]["said"] for _, reply in replies] == ["0", "1", "2", "3"]
    place.wait(file, lambda _: _logged(place, file) == 4)


def _logged(place: Place, file: int) -> int:
    row = place.one(
        """
        select count(*) as n from locaria.log
        where file_id = %s and message like 'say from 127.0.0.1: done (%%'
        """,
        file,
    )
    return int(row["n"])


def test_a_container_with_autostart_comes_up_by_itself_and_stays_silent_when_cancelled(
    place: Place,
) -> None:
    place.db.execute("update locaria.containers set autostart = true where name = 'echo'")
    try:
        row = place.one("select 0 as id")
        while row["id"] == 0:
            row = place.one("select coalesce(max(autostart_file), 0) as id from locaria.containers")
        file = row["id"]
        endpoint = place.wait(file, listening)["endpoint"]
        place.wait(
            file, lambda _: read_status(place.runtime.state_dir)["listeners"] == {"echo": endpoint}
        )
        place.db.execute("select locaria.cancel(%s)", [file])
        place.wait(file)
        before = place.one("select last_tick from locaria.ticks")["last_tick"]
        place.wait(
            file,
            lambda _: place.one("select last_tick > %s as yes from locaria.ticks", before)["yes"],
        )
        assert place.one("select count(*) as n from locaria.files where finished is null")["n"] == 0
        place.db.execute("select locaria.retry(%s)", [file])
        place.wait(file, listening)
    finally:
        place.db.execute("update locaria.containers set autostart = false, autostart_file = null")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("nowhere", "there is no table nowhere: load it first"),
        ("private", "grant select on private to locaria_loader"),
        ("plain", "no column of the latitude"),
    ],
)
def test_a_place_finder_that_cannot_read_its_table_says_what_to_do(
    place: Place, table: str, words: str
) -> None:
    place.db.execute("create table if not exists public.private (name text)")
    place.db.execute("create table if not exists public.plain (name text)")
    place.db.execute("grant select on public.plain to locaria_loader")
    row = place.wait(place.submit("place_finder", table=table))
    assert (row["phase"], row["attempt"]) == ("failed", 1), place.story(row["file_id"])
    assert words in row["last_error"]


def test_the_place_finder_finds_what_was_loaded_and_refreshes(place: Place, tmp_path: Path) -> None:
    table = tmp_path / "harbours.csv"
    table.write_text("ident,name,lat,lon\nA,Zürich Hafen,47.36,8.54\nB,Port of Genève,46.2,6.15\n")
    load = place.submit("file_loader", path=str(table), table="harbours")
    assert place.wait(load)["phase"] == "done", place.story(load)
    finder = place.submit("place_finder", table="harbours", columns=["ident"])
    endpoint = place.wait(finder, listening)["endpoint"]
    (found,) = post(endpoint, "find", name="geneve")[1]["result"]
    assert (found["ident"], found["name"]) == ("B", "Port of Genève")
    near = post(endpoint, "near", latitude=47, longitude=8.5)[1]["result"]
    assert [each["ident"] for each in near] == ["A", "B"]
    table.write_text("ident,name,lat,lon\nC,Basel,47.58,7.6\n")
    load = place.submit("file_loader", path=str(table), table="harbours")
    assert place.wait(load)["phase"] == "done", place.story(load)
    refresh = place.submit("place_finder", command="refresh")
    place.wait(refresh)
    assert place.runs(refresh)[0]["result"] == {"result": {"places": 1, "before": 2}}
    assert post(endpoint, "find", name="bas")[1]["result"][0]["ident"] == "C"
    status, reply = post(endpoint, "near", latitude="north", longitude=0)
    assert (status, reply["errors"]) == (
        422,
        [{"path": "parameters.latitude", "reason": "must be a number"}],
    )
