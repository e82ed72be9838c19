"""Listeners through the real runtime: rows, HTTP, cancel, crashes, signals."""

import json
import os
import signal
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

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
    (run,) = place.runs(done)
    assert run["task_arn"] == place.status(file)["task_arn"]
    assert place.wait(refused)["last_error"] == "not today"
    assert "no command 'dance'" in place.wait(unknown)["last_error"]
    assert listening(place.wait(file, listening))
