"""How runs end, and the resulting status of their files."""

import json
from typing import Any

import pytest

from tests.sql.scenario import Scenario, one, refused

RETRYABLE = ("transient", "internal", "infrastructure")


FINAL = ("data", "config", "fatal")


def reporter_calls(run: int, staging: str = "run_1") -> dict[str, tuple[Any, ...]]:
    """Call every function with which a run writes."""
    return {
        "report_listening": (run, "http://127.0.0.1:1", None),
        "report_progress": (run, '{"rows_done": 1}'),
        "report_result": (run, '{"a": 1}'),
        "log_run": (run, '[{"message": "x"}]'),
        "checkpoint_run": (run, "{}"),
        "reject_rows": (run, '[{"line": 1}]'),
        "create_staging": (run, "t", '[{"name": "a", "type": "text"}]', "replace"),
        "publish_staging": (run, staging),
        "index_staging": (run, staging),
        "publish_load": (run, json.dumps([{"staging": staging}])),
        "check_download": (run, "public.places"),
        "check_scripts": (run, []),
        "find_published": (run, "{}"),
        "find_earlier_run": (run, ["path"]),
        "begin_ingest": (run, 1, "bundle", "ann"),
        "report_ingests": (run, "{}"),
        "register_ingest": (run, 1, "digest", "{}"),
        "report_resumable": (run, 1, 0, "{}", "1 hour"),
        "check_ingest_policy": (run, "{}"),
        "ingest_transaction": (run, "{}"),
        "archive_files": (run, "[]"),
        "finish_run": (run,),
        "fail_run": (run, "data", "x"),
        "release_run": (run, "x"),
    }


def lose(scene: Scenario, run: int) -> None:
    """Let the leases of all runs expire."""
    scene.tick(minutes=10)
    assert scene.run(run)["outcome"] == "lost"


@pytest.mark.parametrize("attempts_left", [True, False])
def test_every_outcome_decides_the_status_of_its_file(scene: Scenario, attempts_left: bool) -> None:
    scene.set_limits(
        max_attempts=2 if attempts_left else 1,
        max_tasks=100,
        lease="1 minute",
        timeout="3 minutes",
        stall_timeout="100 seconds",
    )
    again = "REGISTERED" if attempts_left else "ERROR"
    scene.at(seconds=0)

    def ended(run: dict[str, Any]) -> tuple[str, str, int]:
        row = scene.run(run["run_id"])
        file = scene.file(run["file_id"])
        assert row["end_status"] == file["status"]
        assert (file["finished"] is None) == (file["status"] == "REGISTERED")
        return row["outcome"], file["status"], file["attempts"]

    run = scene.running()
    scene.finish(run["run_id"])
    assert ended(run) == ("succeeded", "FARGATE_PROCESSED", 1)
    assert scene.file(run["file_id"])["last_error"] is None

    for kind in RETRYABLE:
        run = scene.running(priority=9)
        assert scene.fail(run["run_id"], kind, "why") == again
        assert ended(run) == ("failed", again, 1)
        assert scene.file(run["file_id"])["last_error"] == "why"
    for kind in FINAL:
        run = scene.running(priority=9)
        assert scene.fail(run["run_id"], kind, "why") == "ERROR"
        assert ended(run) == ("failed", "ERROR", 1)
        assert scene.run(run["run_id"])["error_kind"] == kind
    run = scene.running(priority=9)
    assert scene.fail(run["run_id"], "cancelled") == "CANCELLED"
    assert ended(run) == ("cancelled", "CANCELLED", 1)
    run = scene.running(priority=9)
    assert scene.call("release_run", run["run_id"], "SIGTERM") == "REGISTERED"
    assert ended(run) == ("released", "REGISTERED", 0), "not counted"
    assert scene.file(run["file_id"])["last_error"] is None
    run = scene.running(priority=9)
    scene.task_event(run["task_arn"], 5, "STOPPED", dispatch=None, exit_code=1)
    assert ended(run) == ("lost", again, 1)

    scene.control("pause", "file_loader")
    scene.control("resume", "file_loader")
    scene.owner.execute(
        "update locaria.files set run_after = 'infinity' where claimed_by is null and finished is null"
    )
    silent = scene.running(priority=9)
    scene.tick(seconds=62)
    assert ended(silent) == ("lost", again, 1)
    assert "no heartbeat for 60 s" in scene.run(silent["run_id"])["error"]
    scene.owner.execute(
        "update locaria.files set run_after = 'infinity' where claimed_by is null and finished is null"
    )

    stalled = scene.running(priority=9)
    slow = scene.running(priority=9)
    for seconds in (110, 160, 210):
        scene.at(seconds=seconds)
        scene.heartbeat(stalled["task_id"], stalled["run_id"])
        scene.progress(slow["run_id"], rows_done=seconds)
        scene.heartbeat(slow["task_id"], slow["run_id"])
        scene.tick()
    assert ended(stalled) == ("stalled", again, 1)
    assert "no progress for" in scene.run(stalled["run_id"])["error"]
    assert scene.status_of(slow["file_id"]) == "FARGATE_PROCESSING"
    scene.at(seconds=243)
    scene.tick()
    assert ended(slow) == ("timed_out", again, 1)
    assert "timed out" in scene.run(slow["run_id"])["error"]
    assert scene.task(slow["task_id"])["stop_requested"] is not None
    assert {p["task_arn"] for p in scene.invocations("stop_task")} >= {
        stalled["task_arn"],
        slow["task_arn"],
    }


def test_after_its_lease_every_function_of_the_old_run_is_refused(scene: Scenario) -> None:
    run = scene.running()
    staging = one(
        scene.loader,
        "select * from locaria.create_staging(%s, 't', '[{\"name\": \"a\"}]')",
        [run["run_id"]],
    )["staging"]
    lose(scene, run["run_id"])
    for taken_over in (False, True):
        if taken_over:
            scene.claim_one(scene.start_task())
        for function, arguments in reporter_calls(run["run_id"], staging).items():
            with refused("LC001", f"run {run['run_id']} no longer owns file", "lost"):
                scene.call(function, *arguments)
        assert scene.call("finish_runs", [run["run_id"]]) == []
        assert scene.heartbeat(run["task_id"], run["run_id"]) == {run["run_id"]: "lost"}
        with refused("LC001"):
            scene.claim(run["task_id"])
    assert scene.log(run["file_id"]) == []
    assert scene.owner.execute("select * from locaria.rejects").fetchall() == []


def test_the_table_of_reporter_functions_is_complete(scene: Scenario) -> None:
    """Every function for loaders that takes a run checks the fence or only reads."""
    rows = scene.owner.execute(
        """
        select proname from pg_proc where pronamespace = 'locaria'::regnamespace
          and has_function_privilege('locaria_loader', oid, 'execute') and proargnames[1] in ('p_run', 'p_runs')
        """
    )
    assert {row["proname"] for row in rows} == {
        *reporter_calls(1),
        "finish_runs",
        "get_reject_limit",
    }


def test_every_function_refuses_a_run_that_does_not_exist(scene: Scenario) -> None:
    for function, arguments in reporter_calls(4711).items():
        with refused("LC008", "4711"):
            scene.call(function, *arguments)


def test_finishing_twice_is_allowed_and_writing_after_it_is_refused(scene: Scenario) -> None:
    run = scene.running()
    scene.call("finish_run", run["run_id"], "all well", '{"rows": 3}')
    scene.finish(run["run_id"])
    assert scene.call("finish_runs", [run["run_id"]]) == []
    row = scene.run(run["run_id"])
    assert (row["message"], row["result"]) == ("all well", {"rows": 3})
    for function, arguments in reporter_calls(run["run_id"]).items():
        if function != "finish_run":
            with refused("LC002", "has already finished"):
                scene.call(function, *arguments)
    assert scene.status_of(run["file_id"]) == "FARGATE_PROCESSED"


def test_failing_twice_reports_the_first_outcome(scene: Scenario) -> None:
    run = scene.running()
    scene.fail(run["run_id"], "data", "bad header")
    with refused("LC001", "bad header"):
        scene.fail(run["run_id"], "transient", "second thoughts")
    assert scene.status_of(run["file_id"]) == "ERROR"


def test_finishing_a_batch_skips_runs_that_lost_their_file(scene: Scenario) -> None:
    scene.insert_files(5)
    runs = [r["run_id"] for r in scene.claim(scene.start_task(), 5)]
    scene.progress(runs[0], rows_done=7, stage="copy")
    scene.fail(runs[1], "data")
    assert sorted(scene.call("finish_runs", [*runs, 999, None])) == [runs[0], *runs[2:]]
    assert scene.run(runs[0])["rows_done"] == 7
    assert scene.run(runs[1])["outcome"] == "failed"


def test_unknown_kinds_of_failure_are_refused(scene: Scenario) -> None:
    run = scene.running()
    for kind in ("", None, "Transient", "released"):
        with refused("LC007", "transient"):
            scene.call("fail_run", run["run_id"], kind, "x")
    scene.call("fail_run", run["run_id"], "data", None)
    assert scene.file(run["file_id"])["last_error"] == "no reason was given"


def test_backoff_doubles_up_to_an_hour_and_can_be_overridden(scene: Scenario) -> None:
    scene.set_limits(max_attempts=30, backoff="5 seconds", max_tasks=50, lease="1 day")
    start = scene.at(seconds=0)
    file = scene.insert_file()
    task = scene.start_task()
    pauses = []
    at = 0.0
    for _ in range(12):
        run = scene.claim_one(task)
        scene.fail(run["run_id"])
        due = (scene.file(file)["run_after"] - start).total_seconds()
        pauses.append(due - at)
        at = due
        scene.at(seconds=at)
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    run = scene.claim_one(task)
    scene.call("fail_run", run["run_id"], "transient", "busy", None, "7 minutes")
    assert (scene.file(file)["run_after"] - start).total_seconds() == at + 420
    scene.at(seconds=at + 419)
    assert scene.claim(task) == []


def test_an_earlier_run_with_the_same_parameters_is_found_while_it_lives(scene: Scenario) -> None:
    scene.set_limits(max_tasks=100, lease="1 minute")
    scene.at(seconds=0)
    given: list[dict[str, Any]] = [
        {"data": "a", "table": "t", "more": 1},
        {"parameters": {"data": "a", "table": "t"}, "data": "ignored"},
        {"data": "a"},
        {"data": "b", "table": "t"},
    ]
    runs = []
    for attributes in given:
        scene.insert_file(attributes=attributes)
        runs.append(scene.claim_one(scene.start_task()))

    def earlier(number: int, *same: str) -> int | None:
        found = scene.call("find_earlier_run", runs[number]["run_id"], list(same))
        assert found is None or isinstance(found, int)
        return found

    first = runs[0]["file_id"]
    assert earlier(0, "data", "table") is None
    assert earlier(1, "data", "table") == first
    assert earlier(2, "data", "table") is None
    assert earlier(2, "data") == first
    assert earlier(3, "data") is None
    scene.call("finish_run", runs[0]["run_id"])
    assert earlier(1, "data", "table") is None
    assert earlier(2, "data") == runs[1]["file_id"]
    scene.at(seconds=50)
    scene.call("report_progress", runs[2]["run_id"], "{}")
    scene.at(seconds=70)
    assert earlier(2, "data") is None, "its lease has expired"
