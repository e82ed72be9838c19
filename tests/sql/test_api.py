"""The methods of locaria.api(), as a client of the source document and of the dashboard meets them."""

import json
import re
from typing import Any

import pytest

from tests.sql.asking import OPENDATA, ask, register, shape
from tests.sql.scenario import Scenario, one

DATE = re.compile(r"^\d\d-\d\d-\d{4} \d\d:\d\d:\d\d$")
PARAMETERS = {"data_set": "OpenNames", "category": "names"}

# The source document's own examples, verbatim.
GET_CONTAINERS = '{"method" : "get_containers"}'
CONTAINERS_REPLY = """
[
  {
    "name" :  "load_os_opendata",
    "description" : "Load Ordnance Survey Open Data",
    "type" : "loader|listener",
    "port" : 1234,
    "parameters" : {
      "data_set" : ["OpenNames", "BoundaryLine", "OpenUPRN", "OpenUSRN"],
      "category" : "",
      "tags" : [],
      "preSQL" : "pre_load.sql",
      "postSQL" : "post_load.sql",
      "credentials" : {}
    }
  }
]
"""
INSTANTIATE_REPLY = '{"container_id" : 12345, "user_message" : "Foo baa"}'
STATUS_REPLY = """
{
  "code" : 200,
  "message" : "Text message",
  "attributes" : {
    "log_messages" : [
      {
        "date" : "DD-MM-YYYY HH:MM:SS",
        "log" : "This is the log message"
      }
    ],
    "last_error" : "Last error message",
    "progress" : "20%"
  },
  "last_update" : "DD-MM-YYYY HH:MM:SS"
}
"""


def status(scene: Scenario, file: int, **more: Any) -> Any:
    return ask(scene.app, method="get_container_status", container_id=file, **more)


def test_get_containers_replies_as_the_source_document_specifies(scene: Scenario) -> None:
    scene.owner.execute("update locaria.statuses set container = null")
    scene.owner.execute("delete from locaria.containers")
    register(scene)
    reply = ask(scene.app, json.loads(GET_CONTAINERS))
    assert shape(reply) == shape(json.loads(CONTAINERS_REPLY))
    assert reply[0] == {**json.loads(CONTAINERS_REPLY)[0], "type": "listener"}
    asked = ask(scene.app, method="get_containers", request_id="a")
    assert asked == {"request_id": "a", "containers": reply}
    register(scene, parameters=OPENDATA["parameters"], parameter_schema={"required": []})
    assert ask(scene.app, method="get_containers")[0]["parameter_schema"] == {"required": []}


def test_a_load_is_requested_and_followed_as_the_source_document_specifies(scene: Scenario) -> None:
    register(scene, parameters=OPENDATA["parameters"])
    request = {"method": "instantiate_container", "parameters": PARAMETERS, "debug": True}
    # The document's own request names no container: that is told, not guessed.
    assert [error["path"] for error in ask(scene.app, request)["errors"]] == ["name"]
    reply = ask(scene.app, {**request, "name": "load_os_opendata"})
    assert shape(reply) == shape(json.loads(INSTANTIATE_REPLY))
    file = reply["container_id"]

    run = scene.claim_one(scene.start_task("load_os_opendata"))
    assert run["file_id"] == file
    assert run["parameters"] == {
        "data_set": "OpenNames",
        "category": "names",
        "tags": [],
        "preSQL": "pre_load.sql",
        "postSQL": "post_load.sql",
        "credentials": {},
    }
    scene.progress(run["run_id"], rows_done=20, rows_total=100, percent=20.7)
    scene.call("log_run", run["run_id"], json.dumps([{"message": "This is the log message"}]))
    scene.fail(run["run_id"], error="Last error message")
    scene.tick(minutes=1)
    run = scene.claim_one(scene.start_task("load_os_opendata"))
    scene.progress(run["run_id"], percent=20.7)
    reply = status(scene, file)
    assert shape(reply) == shape(json.loads(STATUS_REPLY))
    assert reply["attributes"]["progress"] == "20%"
    assert reply["attributes"]["last_error"] == "Last error message"
    assert reply["attributes"]["log_messages"][0]["log"] == "This is the log message"
    assert DATE.match(reply["last_update"])
    assert DATE.match(reply["attributes"]["log_messages"][0]["date"])


def test_an_unknown_container_has_code_399_and_the_documents_keys(scene: Scenario) -> None:
    reply = ask(scene.app, {"method": "get_container_status", "container_id": 12345})
    wanted = shape(json.loads(STATUS_REPLY))
    assert shape(reply) == {**wanted, "attributes": {"log_messages": []}}
    assert reply["code"] == 399
    assert "12345" in reply["message"]


def test_the_codes_of_a_loader(scene: Scenario) -> None:
    file = scene.insert_file()
    assert status(scene, file)["code"] == 300
    run = scene.claim_one()
    assert status(scene, file)["code"] == 303
    scene.fail(run["run_id"])
    assert status(scene, file)["code"] == 300, "it is tried again"
    scene.tick(minutes=5)
    run = scene.claim_one()
    scene.call("finish_run", run["run_id"], "42 rows loaded")
    reply = status(scene, file)
    assert (reply["code"], reply["message"]) == (301, "42 rows loaded")
    assert reply["attributes"] == {"log_messages": [], "progress": "100%"}
    failing = scene.running()
    scene.fail(failing["run_id"], "data", "no such column")
    reply = status(scene, failing["file_id"])
    assert (reply["code"], reply["attributes"]["last_error"]) == (304, "no such column")
    assert "no such column" in reply["message"]
    gone = scene.insert_file()
    ask(scene.operator, method="cancel_file", container_id=gone, reason="wrong file")
    reply = status(scene, gone)
    assert reply["code"] == 399
    assert "wrong file" in reply["message"]
    ask(scene.operator, method="delete_file", container_id=gone)
    assert status(scene, gone)["code"] == 399


def test_the_codes_of_a_listener(scene: Scenario) -> None:
    register(scene)
    file = ask(
        scene.app, method="instantiate_container", name="load_os_opendata", parameters=PARAMETERS
    )["container_id"]
    assert status(scene, file)["code"] == 300
    run = scene.claim_one(scene.start_task("load_os_opendata"))["run_id"]
    assert status(scene, file)["code"] == 300, "it does not listen yet"
    for command, code in ((None, 302), ("find", 303), (None, 302)):
        scene.call("report_listening", run, "http://127.0.0.1:8123", command)
        assert status(scene, file)["code"] == code
        described = ask(scene.app, method="get_file", container_id=file)["file"]
        assert (described["endpoint"], described["command"]) == ("http://127.0.0.1:8123", command)
    ask(scene.app, method="cancel_file", container_id=file)
    scene.fail(run, "cancelled", "told to stop")
    assert status(scene, file)["code"] == 399


def test_debug_messages_are_kept_and_returned_only_when_asked_for(scene: Scenario) -> None:
    register(scene, parameters=OPENDATA["parameters"])
    messages = json.dumps([{"level": "debug", "message": "fine"}, {"message": "plain"}])
    told = {}
    task = scene.start_task("load_os_opendata")
    for debug in (False, True):
        request = {"name": "load_os_opendata", "parameters": PARAMETERS, "debug": debug}
        file = ask(scene.app, method="instantiate_container", **request)["container_id"]
        run = scene.claim_one(task)
        assert run["file_id"] == file
        assert scene.call("log_run", run["run_id"], messages) == 1 + debug
        told[debug] = file
    assert scene.log(told[False]) == ["info: plain"]
    assert scene.log(told[True]) == ["debug: fine", "info: plain"]

    def logs(file: int, **more: Any) -> list[str]:
        return [m["log"] for m in status(scene, file, **more)["attributes"]["log_messages"]]

    assert logs(told[True]) == ["fine", "plain"]
    assert logs(told[True], debug=False) == ["plain"]
    assert logs(told[False], debug=True) == ["plain"]


def test_a_status_contains_the_last_hundred_messages_in_order(scene: Scenario) -> None:
    run = scene.running()
    scene.call("log_run", run["run_id"], json.dumps([{"message": str(n)} for n in range(150)]))
    messages = status(scene, run["file_id"])["attributes"]["log_messages"]
    assert [m["log"] for m in messages] == [str(n) for n in range(50, 150)]


FILE_KEYS = {
    *("container_id", "container", "status", "phase", "code", "why", "progress", "stage"),
    *("priority", "attempts", "max_attempts", "created", "last_update", "finished", "run_after"),
    *("rows_done", "rows_total", "bytes_done", "bytes_total", "rate_per_s", "eta"),
    *("last_message", "last_error", "submitted_by", "endpoint", "command", "attributes"),
    *("started", "rows_rejected"),
}


def test_times_are_in_utc_whatever_the_time_zone_of_the_session(scene: Scenario) -> None:
    scene.app.execute("set timezone = 'Asia/Kathmandu'; set datestyle = 'SQL, DMY'")
    reply = ask(
        scene.app,
        method="add_file",
        attributes={"path": "a.csv"},
        run_after="2031-05-01T10:00:00+02:00",
        priority=7,
    )
    file = reply["file"]
    assert set(file) == FILE_KEYS
    assert file["run_after"] == "2031-05-01T08:00:00+00:00"
    assert file["created"].endswith("+00:00")
    assert (file["phase"], file["priority"], file["submitted_by"]) == ("scheduled", 7, "test_app")
    assert file["attributes"] == {"path": "a.csv"}
    assert reply["container_id"] == file["container_id"]


def test_get_file_returns_runs_log_and_timeline(scene: Scenario) -> None:
    run = scene.running(attributes={"path": "a.csv"})
    scene.progress(run["run_id"], stage="copy", rows_done=5, rows_total=10, percent=50)
    scene.call("log_run", run["run_id"], json.dumps([{"level": "warning", "message": "hm"}]))
    reply = ask(scene.app, method="get_file", container_id=run["file_id"])
    assert set(reply) == {"file", "runs", "log_messages", "timeline"}
    assert reply["file"]["progress"] == 50.0
    assert [r["run_id"] for r in reply["runs"]] == [run["run_id"]]
    assert [(m["level"], m["stage"], m["message"]) for m in reply["log_messages"]] == [
        ("stage", "copy", "copy"),
        ("warning", None, "hm"),
    ]
    assert set(reply["log_messages"][0]) == {"id", "at", "level", "stage", "message"}
    assert reply["timeline"][0]["what"] == "inserted"
    assert {"stage", "log warning"} <= {t["what"] for t in reply["timeline"]}
    assert ask(scene.app, method="get_file", container_id=99)["code"] == 404


def test_files_are_filtered(scene: Scenario) -> None:
    register(scene, "other", parameters={})
    waiting = scene.insert_file(attributes={"path": "w.csv", "site": {"id": 7}})
    held = scene.insert_file(run_after="infinity")
    later = scene.insert_file(run_after="2099-01-01")
    other = scene.insert_file(container="other", run_after="infinity")
    download = scene.insert_file(status="DOWNLOAD_REQUESTED")
    cancelled = scene.insert_file()
    scene.control("cancel", cancelled)
    done = scene.running(priority=9)
    scene.finish(done["run_id"])
    failed = scene.running(priority=9)
    scene.fail(failed["run_id"], "data")
    running = scene.running(priority=9)
    retrying = scene.running(priority=9)
    scene.fail(retrying["run_id"], "transient")

    def found(**filters: Any) -> list[int]:
        reply = ask(scene.app, method="get_files", **filters)
        ids = [f["container_id"] for f in reply["files"]]
        assert ids == sorted(ids, reverse=True)
        assert reply["next"] is None
        for file in reply["files"]:
            assert file["phase"] in filters.get("phase", file["phase"])
            assert filters.get("container", file["container"]) == file["container"]
        return sorted(ids)

    everything = found()
    assert len(everything) == 10
    assert found(status="ERROR") == [failed["file_id"]]
    assert found(status=["ERROR", "CANCELLED"]) == [cancelled, failed["file_id"]]
    assert found(status="FARGATE_PROCESSED", phase="done") == [done["file_id"]]
    assert found(status="FARGATE_PROCESSED", phase="failed") == []
    assert found(status="nix") == []
    assert found(phase="held") == [held, other]
    assert found(phase="scheduled") == [later]
    assert found(phase="retrying") == [retrying["file_id"]]
    assert found(phase="running") == [running["file_id"]]
    assert found(phase="cancelled") == [cancelled]
    assert found(phase=["done", "failed"]) == [done["file_id"], failed["file_id"]]
    assert found(container="other") == [other]
    assert found(container="file_download") == [download]
    assert set(found(container="file_loader")) == set(everything) - {other, download, cancelled}
    assert found(attributes={"site": {"id": 7}}) == [waiting]
    assert found(attributes={"site": {"id": 8}}) == []
    assert found(container="file_loader", phase="held") == [held]
    phases = {phase: found(phase=phase) for phase in ("queued", "dispatched", "starting")}
    due = {waiting, download}
    assert set().union(*phases.values()) == due


def test_a_list_is_paged_by_key_in_both_directions(scene: Scenario) -> None:
    ids = scene.insert_files(25, attributes={"a": 1})
    scene.insert_files(5, attributes={"a": 2})
    seen: list[int] = []
    key = None
    for _ in range(10):
        reply = ask(scene.app, method="get_files", limit=10, after=key, attributes={"a": 1})
        seen += [f["container_id"] for f in reply["files"]]
        key = reply["next"]
        if key is None:
            break
    assert seen == ids[::-1]
    reply = ask(scene.app, method="get_files", limit=10, before=ids[9])
    newer = [f["container_id"] for f in reply["files"]]
    assert newer == ids[10:20][::-1]
    back = ask(scene.app, method="get_files", limit=10, after=reply["next"])
    assert [f["container_id"] for f in back["files"]] == ids[:10][::-1]
    assert ask(scene.app, method="get_files", before=ids[-1] + 5)["files"] == []


def test_a_large_file_does_not_make_the_list_large(scene: Scenario) -> None:
    file = scene.insert_file(attributes={"path": "a.csv", "notes": "x" * 100_000})
    listed = ask(scene.app, method="get_files")["files"][0]
    assert listed["attributes"] == {"path": "a.csv"}
    whole = ask(scene.app, method="get_file", container_id=file)["file"]
    assert len(whole["attributes"]["notes"]) == 100_000


def test_a_file_is_controlled(scene: Scenario) -> None:
    def steer(method: str, file: int, **more: Any) -> tuple[int | None, str]:
        reply = ask(scene.operator, method=method, container_id=file, **more)
        return reply.get("code"), reply["file"]["phase"] if "file" in reply else reply["message"]

    file = scene.insert_file(run_after="2099-01-01")
    assert steer("update_file", file, run_after="infinity", priority=-5) == (None, "held")
    assert scene.file(file)["priority"] == -5
    assert steer("update_file", file, attributes={"path": "b.csv"}) == (None, "held")
    assert scene.file(file)["attributes"] == {"path": "b.csv"}
    assert steer("retry_file", file)[0] is None, "runs now instead of later"
    run = scene.claim_one()
    for method in ("update_file", "delete_file", "retry_file"):
        code, message = steer(method, file, **({"priority": 1} if method == "update_file" else {}))
        assert code == 409
        assert "cancel" in message
    assert steer("cancel_file", file, reason="no") == (None, "running")
    assert scene.progress(run["run_id"], rows_done=1) == "cancel"
    scene.fail(run["run_id"], "cancelled")
    assert steer("cancel_file", file)[0] == 409
    assert steer("update_file", file, priority=1)[0] == 409
    assert steer("update_file", file, attributes={"path": "c.csv"}) == (None, "cancelled")
    assert steer("delete_file", file) == (None, "deleted")
    for method in ("delete_file", "cancel_file", "retry_file"):
        assert steer(method, file)[0] == 409
    assert steer("cancel_file", 4711)[0] == 404
    acts = [t["detail"] for t in ask(scene.app, method="get_file", container_id=file)["timeline"]]
    assert any("by test_operator" in act for act in acts)


def test_parameters_are_read_and_set_with_secrets_masked(scene: Scenario) -> None:
    secret = {"url": "https://x", "api_key": "s3cret", "nested": {"password": "t0p", "port": 1}}
    reply = ask(scene.operator, method="set_parameters", parameter_name="site", parameter=secret)
    masked = {"url": "https://x", "api_key": "***", "nested": {"password": "***", "port": 1}}
    assert reply["parameter"] == masked
    reply = ask(scene.operator, method="get_parameters", parameter_name="site")
    assert reply["parameters"][0]["parameter"] == masked
    assert reply["parameters"][0]["changed_by"] == "test_operator"
    # What is sent back as it was shown stays what it is.
    ask(
        scene.operator,
        method="set_parameters",
        parameter_name="site",
        parameter={**masked, "url": "https://y"},
    )
    kept = one(
        scene.owner, "select parameter from locaria.parameters where parameter_name = 'site'"
    )
    assert kept["parameter"] == {**secret, "url": "https://y"}
    names = [
        p["parameter_name"] for p in ask(scene.operator, method="get_parameters")["parameters"]
    ]
    assert names == sorted(names)
    assert "fargate_config" in names
    assert ask(scene.operator, method="get_parameters", parameter_name="nix")["code"] == 404
    reply = ask(
        scene.operator, method="set_parameters", parameter_name="installation", parameter={}
    )
    assert reply["code"] == 422


def test_the_overview_counts_files_tasks_and_the_last_hour(scene: Scenario) -> None:
    start = scene.at()
    scene.at(seconds=60 - start.second)  # at the beginning of a minute
    scene.tick()
    task = scene.start_task()
    scene.insert_files(3)
    for run in scene.claim(task, 2):
        scene.finish(run["run_id"])
    scene.fail(scene.claim_one(task)["run_id"], "data")
    scene.insert_file(run_after="infinity")
    scene.insert_file()
    scene.tick(seconds=60 - start.second + 63)
    scene.tick()
    run = scene.claim_one()
    reply = ask(scene.session("reader"), method="get_overview")
    phases = reply["phases"]
    assert (phases["done"], phases["failed"], phases["held"], phases["running"]) == (2, 1, 1, 1)
    assert sum(phases.values()) == 5
    loader = {c["name"]: c for c in reply["containers"]}["file_loader"]
    assert (loader["living"], loader["waiting"], loader["running"]) == (1, 1, 1)
    assert len(reply["throughput"]) == 60
    minute = reply["throughput"][-2]
    assert (minute["inserted"], minute["done"], minute["failed"], minute["queue"]) == (5, 2, 1, 2)
    scene.finish(run["run_id"])
    last = ask(scene.app, method="get_overview")["throughput"][-1]
    assert (last["inserted"], last["done"]) == (0, 1)
    assert {"check", "level", "value", "advice"} <= set(reply["health"][0])


@pytest.mark.parametrize("request_id", [1, "a", None, [1], {"a": 1}, False, 1.5])
def test_a_request_id_is_echoed_in_replies_and_errors(
    shared_scene: Scenario, request_id: object
) -> None:
    for request in (
        {"method": "get_containers"},
        {"method": "get_files"},
        {"method": "nix"},
        {},
        {"method": "get_file", "container_id": "x"},
        {"method": "subscribe"},
    ):
        reply = ask(shared_scene.app, {**request, "request_id": request_id})
        assert reply["request_id"] == request_id
        assert "request_id" not in ask(shared_scene.app, request)


def test_an_error_names_the_fix(shared_scene: Scenario) -> None:
    reply = ask(shared_scene.app, method="get_file", container_id="12", colour="red")
    assert reply["code"] == 400
    assert {e["path"]: e["reason"] for e in reply["errors"]} == {
        "container_id": 'must be a whole number, not "12"',
        "colour": "is unknown; known are: container_id",
    }
    reply = ask(shared_scene.app, method="get_fiels")
    assert "get_files" in reply["message"]
    reply = ask(shared_scene.app, method="add_file", attributes={}, status="NIX")
    assert (reply["code"], "REGISTERED" in reply["message"]) == (400, True)
    reply = ask(shared_scene.app, method="add_file", attributes={}, container="nix")
    assert (reply["code"], "file_loader" in reply["message"]) == (404, True)
    reply = ask(shared_scene.app, method="add_file", attributes={}, run_after="2030-02-31")
    assert reply["errors"] == [{"path": "run_after", "reason": "is not a valid time"}]
    assert "WebSocket" in ask(shared_scene.app, method="subscribe")["message"]
