"""The life of a run: how it ends, and what becomes of its file."""

import json
from typing import Any

import pytest

from tests.sql.scenario import ARN, Scenario, Threads, blocked, one, refused, wait_until

RETRYABLE = ("transient", "internal", "infrastructure")
FINAL = ("data", "config", "fatal")


def reporter_calls(run: int, staging: str = "run_1") -> dict[str, tuple[Any, ...]]:
    """Every function by which a run writes."""
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
    """The lease of all runs runs out."""
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
    """What a loader may call and takes a run is fenced, or only tells."""
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


def test_no_function_knows_a_run_that_never_was(scene: Scenario) -> None:
    for function, arguments in reporter_calls(4711).items():
        with refused("LC008", "4711"):
            scene.call(function, *arguments)


def test_finishing_twice_is_fine_and_writing_after_it_is_not(scene: Scenario) -> None:
    run = scene.running()
    scene.call("finish_run", run["run_id"], "all well", '{"rows": 3}')
    scene.finish(run["run_id"])
    assert scene.call("finish_runs", [run["run_id"]]) == []
    row = scene.run(run["run_id"])
    assert (row["message"], row["result"]) == ("all well", {"rows": 3})
    for function, arguments in reporter_calls(run["run_id"]).items():
        if function != "finish_run":
            with refused("LC002", "has finished already"):
                scene.call(function, *arguments)
    assert scene.status_of(run["file_id"]) == "FARGATE_PROCESSED"


def test_failing_twice_says_what_happened_first(scene: Scenario) -> None:
    run = scene.running()
    scene.fail(run["run_id"], "data", "bad header")
    with refused("LC001", "bad header"):
        scene.fail(run["run_id"], "transient", "second thoughts")
    assert scene.status_of(run["file_id"]) == "ERROR"


def test_a_batch_is_finished_but_for_those_that_are_lost(scene: Scenario) -> None:
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


def test_a_heartbeat_keeps_a_run_alive_and_its_absence_does_not(scene: Scenario) -> None:
    scene.at(seconds=0)
    first, second, third = (scene.running() for _ in range(3))
    for seconds in range(30, 300, 30):
        scene.at(seconds=seconds)
        assert scene.heartbeat(first["task_id"], first["run_id"]) == {first["run_id"]: "running"}
        scene.progress(second["run_id"], message="still here")
        scene.heartbeat(second["task_id"])
        scene.heartbeat(third["task_id"])
        scene.tick()
    assert scene.status_of(first["file_id"]) == "FARGATE_PROCESSING"
    assert scene.status_of(second["file_id"]) == "FARGATE_PROCESSING"
    assert scene.run(third["run_id"])["outcome"] == "lost"


def test_a_run_that_ends_while_it_is_being_rescued_stays_done(scene: Scenario) -> None:
    """Fault 22: the rescuer decided, the worker finishes, the rescuer writes."""
    scene.at(seconds=0)
    run = scene.running()
    scene.at(minutes=5)
    worker = scene.session("loader", autocommit=False)
    worker.execute("select locaria.finish_run(%s)", [run["run_id"]])
    assert scene.tick().get("expire_runs") is None, "the row is locked: left for the next tick"
    worker.commit()
    scene.tick()
    assert scene.run(run["run_id"])["outcome"] == "succeeded"
    assert scene.status_of(run["file_id"]) == "FARGATE_PROCESSED"


def test_two_ticks_at_once_rescue_each_run_once(scene: Scenario) -> None:
    scene.at(seconds=0)
    run = scene.running()
    scene.at(minutes=5)
    other = scene.session("operator", autocommit=False)
    other.execute("select locaria.tick()")
    assert "skipped" in scene.call("tick", connection=scene.operator)
    other.rollback()
    scene.tick()
    scene.tick()
    assert scene.file(run["file_id"])["attempts"] == 1
    assert len(scene.history(run["file_id"])) == 2


def test_log_messages_are_capped_and_the_cap_is_said_once(scene: Scenario) -> None:
    scene.set_limits(log_limit=5)
    run = scene.running()
    stored = [
        scene.call(
            "log_run",
            run["run_id"],
            json.dumps([{"level": "info", "message": f"{n}.{i}"} for i in range(2)]),
        )
        for n in range(5)
    ]
    assert stored == [2, 2, 1, 0, 0]
    messages = scene.log(run["file_id"])
    assert messages[:5] == [f"info: {n}.{i}" for n in range(3) for i in range(2)][:5]
    assert len(messages) == 6 and "log_limit of 5" in messages[5]


def test_odd_log_messages_are_kept_as_far_as_they_can_be(scene: Scenario) -> None:
    run = scene.running()
    odd = [
        {"message": "x" * 20000, "level": "stage"},
        {"level": "loud"},
        "text",
        None,
        {"message": {"a": 1}},
        {"message": "ünï \x1b[0m"},
    ]
    assert scene.call("log_run", run["run_id"], json.dumps(odd)) == 6
    lines = scene.log(run["file_id"])
    assert len(lines[0]) == 10000 + len("info: ")
    assert all(line.startswith("info: ") for line in lines)
    for wrong in ("{}", "1", "null"):
        with refused("LC007", "array"):
            scene.call("log_run", run["run_id"], wrong)


def test_a_log_message_is_not_lost_when_its_partition_is_missing(scene: Scenario) -> None:
    scene.at(days=40)
    runs = []
    for _ in range(4):
        runs.append(scene.running())
    threads = Threads()
    for run in runs:
        session = scene.session("loader")
        threads.start(
            lambda r, s: scene.call("log_run", r["run_id"], '[{"message": "x"}]', connection=s),
            run,
            session,
        )
    threads.join()
    for run in runs:
        assert scene.log(run["file_id"]) == ["info: x"]
    scene.tick()
    scene.tick(days=80)
    assert scene.log(runs[0]["file_id"]) == [], "the partition was dropped when it was old enough"


def test_two_sessions_that_make_one_partition_both_succeed(scene: Scenario) -> None:
    scene.at(days=40)
    first_run, second_run = scene.running(), scene.running()
    first = scene.session("loader", autocommit=False)
    second = scene.session("loader")
    scene.call("log_run", first_run["run_id"], '[{"message": "x"}]', connection=first)
    threads = Threads()
    threads.start(
        lambda: scene.call("log_run", second_run["run_id"], '[{"message": "y"}]', connection=second)
    )
    wait_until(
        lambda: blocked(scene.owner, second.info.backend_pid), "the second waits for the first"
    )
    first.commit()
    threads.join()
    assert scene.log(first_run["file_id"]) == ["info: x"]
    assert scene.log(second_run["file_id"]) == ["info: y"]


def test_rejects_are_kept_and_counted(scene: Scenario) -> None:
    scene.set_limits(reject_limit=50)
    run = scene.running(attributes={"reject_limit": "7"})
    assert scene.call("get_reject_limit", run["run_id"]) == 7
    assert (
        scene.call(
            "reject_rows", run["run_id"], '[{"line": 3, "reason": "too short", "row": "a,b"}, {}]'
        )
        == 2
    )
    assert scene.call("reject_rows", run["run_id"], "[]") == 2
    assert (
        scene.call("reject_rows", run["run_id"], json.dumps([{"line": 9, "row": "y" * 20000}])) == 3
    )
    with refused("LC007", "array"):
        scene.call("reject_rows", run["run_id"], "{}")
    rows = scene.owner.execute(
        "select line, reason, length(row_text) as n from locaria.rejects order by id"
    ).fetchall()
    assert [tuple(row.values()) for row in rows] == [
        (3, "too short", 3),
        (None, "no reason was given", None),
        (9, "no reason was given", 10000),
    ]
    scene.finish(run["run_id"])
    assert scene.run(run["run_id"])["rows_rejected"] == 3
    assert (
        scene.call("get_reject_limit", scene.running(attributes={"reject_limit": "many"})["run_id"])
        == 50
    )


def test_progress_is_kept_with_the_run_and_stages_are_logged(scene: Scenario) -> None:
    scene.at(seconds=0)
    run = scene.running()
    number = run["run_id"]
    assert (
        scene.progress(
            number, stage="read", stage_n=1, stage_of=2, rows_done=10, rows_total=100, percent=10
        )
        == "running"
    )
    scene.progress(number, stage="read", rows_done=20)
    scene.progress(number, stage="copy", percent=250, bytes_done=5, unit="features", message="half")
    view = scene.view(run["file_id"])
    assert (
        view["stage"],
        view["rows_done"],
        view["rows_total"],
        view["percent"],
        view["unit"],
    ) == ("copy", 20, 100, 100, "features")
    assert scene.log(run["file_id"]) == ["stage: read", "stage: copy"]
    for wrong in ("[]", "null", "3"):
        with refused("LC007"):
            scene.call("report_progress", number, wrong)
    scene.finish(number)
    row = scene.run(number)
    assert (row["stage"], row["rows_done"], row["bytes_done"], row["message"]) == (
        "copy",
        20,
        5,
        "half",
    )
    assert scene.owner.execute("select * from locaria.run_progress").fetchall() == []


def test_results_are_merged(scene: Scenario) -> None:
    run = scene.running()["run_id"]
    scene.call("report_result", run, '{"a": 1, "b": 1}')
    scene.call("report_result", run, '{"b": 2}')
    with refused("LC007"):
        scene.call("report_result", run, "[]")
    scene.call("finish_run", run, None, '{"c": 3}')
    assert scene.run(run)["result"] == {"a": 1, "b": 2, "c": 3}


def test_a_checkpoint_is_handed_to_the_next_attempt(scene: Scenario) -> None:
    run = scene.running()
    assert scene.call("checkpoint_run", run["run_id"], '{"line": 500}') == "running"
    scene.fail(run["run_id"])
    scene.at(minutes=10)
    again = scene.claim_one()
    assert (again["attempt"], again["checkpoint"], again["previous_run"]) == (
        2,
        {"line": 500},
        run["run_id"],
    )


def test_a_checkpoint_outlives_an_attempt_that_ended_before_its_own_first(scene: Scenario) -> None:
    """Else the third attempt would load again what the first has committed."""
    scene.set_limits(max_attempts=9)
    run = scene.running()
    scene.call("checkpoint_run", run["run_id"], '{"line": 500}')
    scene.fail(run["run_id"])
    scene.at(minutes=10)
    scene.fail(scene.claim_one()["run_id"])
    scene.at(minutes=20)
    assert scene.claim_one()["checkpoint"] == {"line": 500}


def test_a_checkpoint_outlives_a_release(scene: Scenario) -> None:
    run = scene.running()
    scene.call("checkpoint_run", run["run_id"], '{"line": 500}')
    scene.call("release_run", run["run_id"], "Spot")
    scene.at(minutes=10)
    again = scene.claim_one()
    assert (again["attempt"], again["checkpoint"]) == (1, {"line": 500})


def test_a_file_that_is_run_again_by_hand_begins_anew(scene: Scenario) -> None:
    run = scene.running()
    scene.call("checkpoint_run", run["run_id"], '{"line": 500}')
    scene.fail(run["run_id"], "data")
    scene.control("retry", run["file_id"])
    again = scene.claim_one()
    assert (again["attempt"], again["checkpoint"], again["previous_run"]) == (1, None, None)


def test_a_checkpoint_of_a_zombie_takes_its_rows_along(scene: Scenario) -> None:
    """The fence is a lock: a transaction that holds a checkpoint can't be overtaken, and a late one can't commit."""
    scene.root.execute(
        "create table public.site (line int); grant insert on public.site to locaria_loader"
    )
    scene.at(seconds=0)
    run = scene.running()
    zombie = scene.session("loader", autocommit=False)
    zombie.execute("insert into public.site values (1)")
    scene.call("checkpoint_run", run["run_id"], "{}", connection=zombie)
    scene.at(minutes=10)
    scene.tick()
    assert scene.status_of(run["file_id"]) == "FARGATE_PROCESSING", "its transaction holds the file"
    zombie.commit()
    scene.tick(minutes=20)
    assert scene.run(run["run_id"])["checkpoint"] == {}
    zombie.execute("insert into public.site values (2)")
    with refused("LC001"):
        scene.call("checkpoint_run", run["run_id"], "{}", connection=zombie)
    zombie.rollback()
    assert scene.root.execute("select line from public.site").fetchall() == [{"line": 1}]


def test_cancel_reaches_a_run_with_each_of_its_reports(scene: Scenario) -> None:
    run = scene.running()
    number = run["run_id"]
    listener = scene.session("loader")
    listener.execute("listen locaria_cancel")
    (row,) = scene.control("cancel", [run["file_id"]], "wrong file")
    assert "asked to stop" in row["note"]
    assert [n.payload for n in listener.notifies(timeout=10, stop_after=1)] == [str(number)]
    assert scene.progress(number, rows_done=1) == "cancel"
    assert scene.call("checkpoint_run", number, "{}") == "cancel"
    assert scene.heartbeat(run["task_id"], number) == {number: "cancel"}
    assert scene.fail(number, "transient", "stopped") == "CANCELLED"
    assert scene.file(run["file_id"])["last_error"] == "cancelled by test_operator: wrong file"


def test_a_cancel_that_is_not_obeyed_ends_after_its_grace_and_the_task_is_stopped(
    scene: Scenario,
) -> None:
    scene.at(seconds=0)
    run = scene.running()
    scene.control("cancel", run["file_id"])
    scene.at(seconds=29)
    scene.heartbeat(run["task_id"], run["run_id"])
    scene.tick()
    assert scene.status_of(run["file_id"]) == "FARGATE_PROCESSING"
    scene.tick(seconds=31)
    assert scene.status_of(run["file_id"]) == "CANCELLED"
    assert [p["task_arn"] for p in scene.invocations("stop_task")] == [run["task_arn"]]
    with refused("LC001", "cancelled by test_operator"):
        scene.finish(run["run_id"])


def test_what_finishes_before_it_sees_the_cancel_is_done(scene: Scenario) -> None:
    run = scene.running()
    scene.control("cancel", run["file_id"])
    scene.finish(run["run_id"])
    assert scene.status_of(run["file_id"]) == "FARGATE_PROCESSED"
    (row,) = scene.control("cancel", run["file_id"])
    assert row["note"] == "nothing to cancel: it is FARGATE_PROCESSED already"


def test_a_cancel_that_meets_the_end_of_a_run_is_not_lost(scene: Scenario) -> None:
    run = scene.running()
    worker = scene.session("loader", autocommit=False)
    worker.execute("select locaria.fail_run(%s, 'transient', 'x')", [run["run_id"]])
    threads = Threads()
    notes: list[str] = []
    assert scene.operator
    threads.start(lambda: notes.append(scene.control("cancel", run["file_id"])[0]["note"]))
    wait_until(
        lambda: blocked(scene.owner, scene.operator.info.backend_pid),
        "cancel waits for the end of the run",
    )
    worker.commit()
    threads.join()
    assert scene.status_of(run["file_id"]) == "CANCELLED", notes


def test_a_change_of_status_by_hand_takes_the_file_from_its_run_and_is_recorded(
    scene: Scenario,
) -> None:
    for change, status in [
        ("status = 'ERROR'", "ERROR"),
        ("status = 'REGISTERED'", "REGISTERED"),
        ("status = 'CANCELLED', claimed_by = null", "CANCELLED"),
    ]:
        run = scene.running(priority=5)
        scene.owner.execute(f"update locaria.files set {change} where id = %s", [run["file_id"]])
        file = scene.file(run["file_id"])
        assert (file["status"], file["claimed_by"]) == (status, None)
        with refused("LC001", f"status set to {status} by locaria_owner"):
            scene.finish(run["run_id"])
        (row,) = scene.owner.execute(
            "select * from locaria.transitions where file_id = %s", [run["file_id"]]
        )
        assert (row["from_status"], row["to_status"], row["by_user"]) == (
            "FARGATE_PROCESSING",
            status,
            "locaria_owner",
        )
        assert scene.history(run["file_id"]) == [
            ("REGISTERED", "FARGATE_PROCESSING"),
            ("FARGATE_PROCESSING", status),
        ]
        scene.control("cancel", run["file_id"])


def test_a_session_setting_hides_no_change_from_the_history(scene: Scenario) -> None:
    file = scene.insert_file()
    scene.operator.execute("set locaria.hot_path = 'on'")
    scene.control("cancel", file)
    assert scene.history(file) == [("REGISTERED", "CANCELLED")]


def test_transitions_are_append_only_even_for_their_owner(scene: Scenario) -> None:
    scene.control("cancel", scene.insert_file())
    for statement in (
        "update locaria.transitions set by_user = 'x'",
        "delete from locaria.transitions",
        "truncate locaria.transitions",
    ):
        with refused("LC009", "append-only"):
            scene.owner.execute(statement)


ARROWS = {
    "requested": {"failed", "cancelled", "deleted"},
    "processing": {"done", "failed", "cancelled", "requested"},
    "done": {"requested", "deleted"},
    "failed": {"requested", "deleted"},
    "cancelled": {"requested", "deleted"},
    "deleted": set(),
}


def test_the_state_machine_allows_exactly_its_arrows(scene: Scenario) -> None:
    """By hand, over all pairs of statuses; processing is entered by a claim alone."""
    rows = scene.owner.execute("select status, kind from locaria.statuses").fetchall()
    kinds = {row["status"]: row["kind"] for row in rows}
    owner = scene.session()
    for start, kind in kinds.items():
        scene.root.execute("set session_replication_role = replica")
        (row,) = scene.root.execute(
            """
            insert into locaria.files (status, claimed_by, finished)
            values (%(s)s, case when %(k)s = 'processing' then 1 end, case when %(k)s not in ('processing', 'requested') then now() end)
            returning id
            """,
            {"s": start, "k": kind},
        ).fetchall()
        for end, to_kind in kinds.items():
            if start == end:
                continue
            change = owner.execute
            with owner.transaction(force_rollback=True):
                if to_kind in ARROWS[kind]:
                    change("update locaria.files set status = %s where id = %s", [end, row["id"]])
                else:
                    with refused("LC003", start, end):
                        change(
                            "update locaria.files set status = %s where id = %s", [end, row["id"]]
                        )
        with refused("LC005", "NOWHERE"):
            owner.execute("update locaria.files set status = 'NOWHERE' where id = %s", [row["id"]])
    assert one(scene.owner, "select count(*) as n from locaria.status_transitions")["n"] == 14


def test_a_change_by_hand_sets_what_belongs_to_it(scene: Scenario) -> None:
    run = scene.running()
    scene.fail(run["run_id"], "data", "bad")
    file = scene.file(run["file_id"])
    assert file["finished"] is not None and file["last_error"] == "bad"
    scene.owner.execute(
        "update locaria.files set status = 'REGISTERED' where id = %s", [file["id"]]
    )
    file = scene.file(run["file_id"])
    assert (file["finished"], file["last_error"], file["attempts"]) == (None, None, 0)
    assert file["created"] < file["run_after"] <= file["last_update"]
    scene.owner.execute("update locaria.files set status = 'DELETED' where id = %s", [file["id"]])
    assert scene.file(run["file_id"])["finished"] is not None
    assert scene.claim(scene.start_task()) == []


def test_a_task_that_leaves_with_a_file_is_found_by_its_lease(scene: Scenario) -> None:
    scene.at(seconds=0)
    run = scene.running()
    scene.call("leave_task", run["task_id"], 1, "crashed")
    scene.tick(seconds=61)
    assert scene.status_of(run["file_id"]) == "REGISTERED"
    assert scene.task(run["task_id"])["exit_code"] == 1


def test_silent_tasks_are_given_up_and_stopped(scene: Scenario) -> None:
    scene.at(seconds=0)
    idle = scene.start_task(arn=f"{ARN}idle")
    scene.wait(idle)
    scene.tick(seconds=61)
    task = scene.task(idle)
    assert task["stopped"] is not None and task["idle_since"] is None
    assert "no heartbeat since" in task["stopped_reason"]
    assert [p["task_arn"] for p in scene.invocations("stop_task")] == [f"{ARN}idle"]
    assert scene.wait(idle) == "leave"


def test_tick_goes_on_when_one_of_its_steps_fails_and_says_so(scene: Scenario) -> None:
    scene.owner.execute(
        "update locaria.parameters set parameter = '{\"keep_days\": \"ever\"}' where parameter_name = 'log_config'"
    )
    scene.at(seconds=0)
    run = scene.running()
    scene.at(minutes=5)
    result = scene.call("tick", connection=scene.operator)
    assert result["expire_runs"] == 1
    assert "ever" in str(result["errors"])
    assert scene.status_of(run["file_id"]) == "REGISTERED"
    (row,) = scene.owner.execute("select * from locaria.health where \"check\" = 'tick errors'")
    assert row["level"] == "crit"
    scene.owner.execute(
        "update locaria.parameters set parameter = '{}' where parameter_name = 'log_config'"
    )
    scene.tick_until_quiet()
    (row,) = scene.owner.execute("select * from locaria.health where \"check\" = 'tick errors'")
    assert row["level"] == "ok", "what is mended is well again"


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
    assert earlier(2, "data") is None, "its lease is over"
