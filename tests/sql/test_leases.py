"""Leases: which runs and tasks count as alive, and what tick() does with the others."""

from tests.sql.scenario import ARN, Scenario, Threads, blocked, refused, wait_until


def test_a_run_is_alive_only_while_it_sends_heartbeats(scene: Scenario) -> None:
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


def test_a_run_that_finishes_while_tick_is_ending_it_stays_done(scene: Scenario) -> None:
    """tick() decides to end the run, the run finishes, then tick() writes."""
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


def test_two_ticks_at_once_end_each_run_once(scene: Scenario) -> None:
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


def test_every_report_of_a_run_returns_a_requested_cancel(scene: Scenario) -> None:
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


def test_a_run_that_ignores_a_cancel_is_ended_after_cancel_grace_and_its_task_stopped(
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


def test_a_run_that_finishes_before_it_sees_the_cancel_is_done(scene: Scenario) -> None:
    run = scene.running()
    scene.control("cancel", run["file_id"])
    scene.finish(run["run_id"])
    assert scene.status_of(run["file_id"]) == "FARGATE_PROCESSED"
    (row,) = scene.control("cancel", run["file_id"])
    assert row["note"] == "nothing to cancel: it is FARGATE_PROCESSED already"


def test_a_cancel_at_the_same_time_as_the_end_of_a_run_is_not_lost(scene: Scenario) -> None:
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


def test_a_file_of_a_task_that_left_is_freed_when_its_lease_expires(scene: Scenario) -> None:
    scene.at(seconds=0)
    run = scene.running()
    scene.call("leave_task", run["task_id"], 1, "crashed")
    scene.tick(seconds=61)
    assert scene.status_of(run["file_id"]) == "REGISTERED"
    assert scene.task(run["task_id"])["exit_code"] == 1


def test_tasks_without_heartbeats_are_marked_and_stopped(scene: Scenario) -> None:
    scene.at(seconds=0)
    idle = scene.start_task(arn=f"{ARN}idle")
    scene.wait(idle)
    scene.tick(seconds=61)
    task = scene.task(idle)
    assert task["stopped"] is not None and task["idle_since"] is None
    assert "no heartbeat since" in task["stopped_reason"]
    assert [p["task_arn"] for p in scene.invocations("stop_task")] == [f"{ARN}idle"]
    assert scene.wait(idle) == "leave"


def test_tick_continues_after_a_failed_step_and_reports_it(scene: Scenario) -> None:
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
    assert row["level"] == "ok", "the error is cleared when the step works again"
