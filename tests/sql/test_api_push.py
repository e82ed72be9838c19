"""Notifications of changes, sent only while a server watches."""

import json
from typing import Any

import pytest

from tests.conftest import Connection
from tests.sql.asking import ask, register
from tests.sql.scenario import Scenario, one


class Ear:
    """A session that listens for changes."""

    def __init__(self, scene: Scenario) -> None:
        self.session: Connection = scene.session("reader")
        self.session.execute("listen locaria_changes")

    def heard(self) -> list[str]:
        """Return the notifications since the last call; they arrive before the reply to a query."""
        self.session.execute("select 1")
        return [notice.payload for notice in self.session.notifies(timeout=0)]


def watch(scene: Scenario, how_long: str = "1 minute") -> None:
    scene.session("reader").execute("select locaria.watch_changes(%s)", [how_long])


def live(scene: Scenario) -> list[str]:
    """Each kind of change of a file, by name."""
    file = scene.insert_file()
    run = scene.claim_one()["run_id"]
    scene.progress(run, percent=1)
    scene.call("log_run", run, json.dumps([{"message": "x"}]))
    scene.control("cancel", file)
    scene.fail(run, "cancelled")
    scene.control("retry", file)
    scene.finish(scene.claim_one()["run_id"])
    return [str(file)] * 8


def test_nothing_is_notified_while_no_server_watches(scene: Scenario) -> None:
    ear = Ear(scene)
    live(scene)
    assert ear.heard() == []
    watch(scene)
    live(scene)
    assert ear.heard() != []
    scene.tick(minutes=2)
    ear.heard()
    live(scene)
    assert ear.heard() == [], "a minute without a renewal is the end"


def test_each_change_is_notified_with_the_id_of_its_file(scene: Scenario) -> None:
    scene.at()
    ear = Ear(scene)
    watch(scene)
    assert ear.heard() == []
    file = scene.insert_file()
    assert ear.heard() == [str(file)]
    run = scene.claim_one()["run_id"]
    assert ear.heard() == [str(file)]
    scene.progress(run, percent=1)
    assert ear.heard() == [str(file)]
    scene.call("log_run", run, json.dumps([{"message": "x"}]))
    assert ear.heard() == [str(file)]
    scene.call("heartbeat", 1, [run])
    assert ear.heard() == [], "a heartbeat changes nothing that anybody sees"
    scene.call("log_run", run, json.dumps([{"level": "debug", "message": "x"}]))
    assert ear.heard() == [], "it was not kept"
    scene.control("cancel", file)
    assert ear.heard() == [str(file)]
    scene.fail(run, "cancelled")
    assert ear.heard() == [str(file)]
    scene.control("retry", file)
    assert ear.heard() == [str(file)]
    scene.control("hold", [file])
    assert ear.heard() == [str(file)]
    scene.control("release", [file])
    assert ear.heard() == [str(file)]
    ask(scene.operator, method="update_file", container_id=file, priority=5)
    assert ear.heard() == [str(file)]
    scene.finish(scene.claim_one()["run_id"])
    assert ear.heard() == [str(file), str(file)]
    running = scene.running()["file_id"]
    ear.heard()
    scene.owner.execute("update locaria.files set status = 'ERROR' where id = %s", [running])
    assert ear.heard() == [str(running)], "changed by hand while a run was alive"
    register(scene, "stays", type="listener", port=1, parameters={})
    listener = scene.insert_file(container="stays")
    run = scene.claim_one(scene.start_task("stays"))["run_id"]
    ear.heard()
    scene.call("report_listening", run, "http://127.0.0.1:1", None)
    assert ear.heard() == [str(listener)]
    watch(scene, "10 minutes")
    scene.tick(minutes=5)
    assert str(listener) in ear.heard(), "its lease ran out"


def test_many_changes_in_a_statement_are_one_word(scene: Scenario) -> None:
    ear = Ear(scene)
    watch(scene)
    files = scene.insert_files(200)
    heard = ear.heard()
    assert heard == [",".join(map(str, files))]
    scene.insert_files(201)
    assert ear.heard() == ["many"]
    runs = scene.claim(scene.start_task(), 300)
    assert ear.heard() == ["many"]
    scene.call("finish_runs", [run["run_id"] for run in runs[:3]])
    (payload,) = ear.heard()
    assert {int(n) for n in payload.split(",")} == {run["file_id"] for run in runs[:3]}
    scene.call("finish_runs", [run["run_id"] for run in runs[3:]])
    assert ear.heard() == ["many"]
    scene.owner.execute("update locaria.files set status = 'CANCELLED' where finished is null")
    ear.heard()
    scene.control("retry", [run["file_id"] for run in runs])
    heard = ear.heard()
    assert (len(heard), heard[-1]) == (201, "many")


def test_what_is_rolled_back_is_not_notified(scene: Scenario) -> None:
    ear = Ear(scene)
    watch(scene)
    session = scene.session("app", autocommit=False)
    scene.insert_file(connection=session)
    session.rollback()
    assert ear.heard() == []


def test_get_changes_returns_what_a_subscriber_needs(scene: Scenario) -> None:
    run = scene.running()
    file = run["file_id"]
    for n in range(3):
        scene.call("log_run", run["run_id"], json.dumps([{"level": "warning", "message": str(n)}]))
    scene.progress(run["run_id"], percent=33)

    def changes(files: list[int], after: int | None = None) -> list[Any]:
        rows = scene.session("reader").execute(
            "select locaria.get_changes(%s, %s) as c", [files, after]
        )
        return [row["c"] for row in rows]

    (change,) = changes([file, 4711])
    assert set(change) == {
        "event",
        "container_id",
        "code",
        "message",
        "attributes",
        "last_update",
        "file",
    }
    assert (change["event"], change["container_id"], change["code"]) == (
        "container_status",
        file,
        303,
    )
    assert change["attributes"]["progress"] == "33%"
    messages = change["attributes"]["log_messages"]
    assert [m["log"] for m in messages] == ["0", "1", "2"]
    assert set(messages[0]) == {"id", "date", "level", "log"}
    later = changes([file], messages[1]["id"])[0]["attributes"]["log_messages"]
    assert [m["log"] for m in later] == ["2"]
    assert change["file"] == ask(scene.app, method="get_file", container_id=file)["file"] | {
        "why": change["file"]["why"]
    }
    assert changes([]) == []
    scene.finish(run["run_id"])
    assert changes([file], messages[-1]["id"])[0]["code"] == 301


def test_several_watchers_do_not_shorten_each_others_time(scene: Scenario) -> None:
    scene.at()
    ear = Ear(scene)
    watch(scene, "10 minutes")
    watch(scene, "10 seconds")
    scene.at(minutes=8)
    scene.insert_file()
    assert len(ear.heard()) == 1
    for nonsense in ("-1 hour", "0", "100 years"):
        watch(scene, nonsense)
    row = one(
        scene.owner,
        "select watched_until - locaria.clock() <= '1 hour' as bounded from locaria.watches",
    )
    assert row["bounded"]


@pytest.mark.parametrize("role", ["reader", "app", "operator"])
def test_every_role_that_may_read_may_watch(scene: Scenario, role: str) -> None:
    scene.session(role).execute("select locaria.watch_changes()")
    scene.session(role).execute("select locaria.get_changes(array[1::bigint])")
