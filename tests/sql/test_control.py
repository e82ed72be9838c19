"""What operators do instead of editing state by hand."""

from tests.sql.scenario import Scenario, one, refused


def test_cancel_returns_the_outcome_of_each_file(scene: Scenario) -> None:
    waiting, done = scene.insert_files(2)
    run = scene.running(priority=9)
    task = scene.start_task()
    for claimed in scene.claim(task, 2):
        scene.finish(claimed["run_id"]) if claimed["file_id"] == done else scene.call(
            "release_run", claimed["run_id"], "x"
        )
    rows = scene.control("cancel", [run["file_id"], done, waiting, waiting], "mistake")
    assert [(row["file_id"], row["status"]) for row in rows] == [
        (waiting, "CANCELLED"),
        (done, "FARGATE_PROCESSED"),
        (run["file_id"], "FARGATE_PROCESSING"),
    ]
    assert [row["note"] for row in rows] == [
        "cancelled before a task had taken it",
        "nothing to cancel: it is FARGATE_PROCESSED already",
        f"run {run['run_id']} is asked to stop",
    ]
    (row,) = scene.owner.execute("select * from locaria.transitions")
    assert (row["by_user"], row["reason"]) == ("test_operator", "mistake")
    assert scene.file(waiting)["last_error"] == "cancelled by test_operator: mistake"
    with refused("LC008", "4711"):
        scene.control("cancel", [4711])


def test_a_cancelled_file_is_never_claimed_nor_dispatched(scene: Scenario) -> None:
    file = scene.insert_file()
    scene.control("cancel", file)
    assert scene.claim(scene.start_task()) == []
    scene.tick()
    assert len(scene.invocations()) == 1


def test_two_cancels_keep_the_first_reason(scene: Scenario) -> None:
    run = scene.running()
    scene.control("cancel", [run["file_id"]], "first")
    scene.control("cancel", [run["file_id"]], "second")
    scene.fail(run["run_id"])
    assert scene.file(run["file_id"])["last_error"].endswith("first")


def test_retry_runs_finished_files_again_with_one_dispatch(scene: Scenario) -> None:
    scene.set_limits(max_tasks=50)
    ended = []
    for kind in ("data", "cancelled", None):
        run = scene.running()
        scene.fail(run["run_id"], kind) if kind else scene.finish(run["run_id"])
        scene.call("leave_task", run["task_id"])
        ended.append(run["file_id"])
    download = scene.insert_file(status="DOWNLOAD_REQUESTED")
    scene.control("cancel", download)
    scene.tick(hours=1)
    before = len(scene.invocations())
    rows = scene.control("retry", [*ended, download], "try again")
    assert [(row["status"], row["note"]) for row in rows] == [("REGISTERED", "runs again")] * 3 + [
        ("DOWNLOAD_REQUESTED", "runs again")
    ]
    assert len(scene.invocations()) == before + 2, "one per container"
    file = scene.file(ended[0])
    assert (file["attempts"], file["last_error"], file["finished"]) == (0, None, None)
    reasons = scene.owner.execute(
        "select by_user, reason from locaria.transitions where to_status = 'REGISTERED'"
    ).fetchall()
    assert reasons == [{"by_user": "test_operator", "reason": "try again"}] * 3


def test_retry_explains_why_it_refuses(scene: Scenario) -> None:
    running = scene.running()["file_id"]
    deleted, waiting, delayed = scene.insert_files(3)
    scene.owner.execute("update locaria.files set status = 'DELETED' where id = %s", [deleted])
    scene.owner.execute(
        "update locaria.files set run_after = now() + interval '1 day' where id = %s", [delayed]
    )
    rows = {
        row["file_id"]: row["note"]
        for row in scene.control("retry", [running, deleted, waiting, delayed])
    }
    assert rows == {
        running: "is being worked on: cancel it first",
        deleted: "refused: it is DELETED",
        waiting: "waits to be run already",
        delayed: "runs now instead of later",
    }
    assert scene.status_of(running) == "FARGATE_PROCESSING"
    with refused("LC008", "4711, 4712"):
        scene.control("retry", [4711, waiting, 4712])


def test_hold_release_run_now_and_priority_change_waiting_files_only(scene: Scenario) -> None:
    running = scene.running()["file_id"]
    waiting = scene.insert_file()
    for function in ("hold", "release", "hold", "run_now"):
        rows = scene.control(function, [running, waiting])
        assert [row["id"] for row in rows] == [waiting], function
    assert scene.control("release", [waiting]) == [], "it is not held"
    rows = scene.operator.execute(
        "select * from locaria.set_priority(%s, 7)", [[running, waiting]]
    ).fetchall()
    assert [(row["id"], row["priority"]) for row in rows] == [(waiting, 7)]
    assert scene.file(running)["priority"] == 0


def test_one_file_needs_no_array(scene: Scenario) -> None:
    file = scene.insert_file()
    for call in ("hold(%s)", "release(%s)", "hold(%s)", "run_now(%s)", "set_priority(%s, -5)"):
        rows = scene.operator.execute(f"select id from locaria.{call}", [file]).fetchall()
        assert rows == [{"id": file}], call
    for call in ("hold(4711)", "release(4711)", "run_now(4711)", "set_priority(4711, 1)"):
        with refused("LC008", "there is no file 4711"):
            scene.operator.execute(f"select locaria.{call}")
    with refused("LC007", "32767"):
        scene.operator.execute("select locaria.set_priority(%s, 32768)", [file])


def test_release_and_run_now_dispatch(scene: Scenario) -> None:
    file = scene.insert_file(run_after="infinity")
    scene.control("release", [file])
    assert len(scene.invocations()) == 1
    other = scene.insert_file(status="DOWNLOAD_REQUESTED", run_after="2999-01-01")
    scene.control("run_now", [other])
    assert [p["container"] for p in scene.invocations()] == ["file_loader", "file_download"]


def test_running_files_continue_after_a_pause(scene: Scenario) -> None:
    run = scene.running()
    (row,) = scene.control("pause", "file_loader")
    assert row["paused"]
    scene.insert_file()
    assert scene.claim(run["task_id"]) == []
    scene.finish(run["run_id"])
    assert scene.wait(run["task_id"], idle="0") == "leave"
    assert not scene.report_task()["accepted"]
    assert "paused" in scene.report_task()["reason"]
    scene.control("resume", "file_loader")
    assert len(scene.claim(scene.start_task())) == 1
    for function in ("pause", "resume"):
        with refused("LC004", "nobody"):
            scene.control(function, "nobody")


def test_a_retired_container_starts_nothing_until_it_is_registered_again(
    scene: Scenario,
) -> None:
    run = scene.running()
    (row,) = scene.owner.execute("select * from locaria.retire_container('file_loader')").fetchall()
    assert row["paused"]
    waiting = scene.insert_file()
    assert scene.claim(run["task_id"]) == []
    scene.finish(run["run_id"])
    (status,) = scene.owner.execute(
        "select why from locaria.status where file_id = %s", [waiting]
    ).fetchall()
    assert status["why"] == (
        "waiting: container file_loader is not deployed any more; deploy it again, "
        f"or cancel(array[{waiting}])"
    )
    (answer,) = scene.app.execute('select locaria.api(\'{"method": "get_containers"}\')').fetchall()
    assert "file_loader" not in [each["name"] for each in answer["api"]]
    with refused("LC009", "not deployed any more"):
        scene.control("resume", "file_loader")
    with refused("LC004", "nobody"):
        scene.owner.execute("select locaria.retire_container('nobody')")
    scene.owner.execute("select locaria.register_container('file_loader', '{}')")
    assert len(scene.claim(run["task_id"])) == 1
    scene.control("pause", "file_loader")
    scene.owner.execute("select locaria.register_container('file_loader', '{}')")
    (row,) = scene.owner.execute(
        "select paused, retired from locaria.containers where name = 'file_loader'"
    )
    assert (row["paused"], row["retired"]) == (True, None), "a pause of an operator's is left alone"


def test_registering_a_container_again_changes_what_the_entry_names(scene: Scenario) -> None:
    register = "select (locaria.register_container('file_loader', %s)).*"
    scene.set_limits(max_tasks=9, max_attempts=8)
    entry = """{"description": "Loads.", "parameters": {"a": 1}, "unknown": 1, "limits": {
      "max_tasks": 2, "max_launches": 7, "cancel_grace": "5 seconds", "lease": "2 minutes", "timeout": "1 hour", "stall_timeout": "10 minutes",
      "idle_timeout": "1 second", "launch_timeout": "3 minutes", "backoff": "9 seconds", "reject_limit": 3, "log_limit": 4}}"""
    row = one(scene.owner, register, [entry])
    assert (
        row["max_tasks"],
        row["max_attempts"],
        row["max_launches"],
        row["reject_limit"],
        row["log_limit"],
    ) == (2, 8, 7, 3, 4)
    assert row["cancel_grace"].total_seconds() == 5 and row["backoff"].total_seconds() == 9
    assert one(scene.owner, register, ["{}"])["parameters"] == {"a": 1}
    with refused("LC007"):
        scene.owner.execute("select locaria.register_container('x', '[]')")
    with refused("LC007", "max_task", "max_tasks"):
        scene.owner.execute(
            "select locaria.register_container('x', '{\"limits\": {\"max_task\": 5}}')"
        )


def test_the_timeline_shows_who_held_released_or_moved_a_file(scene: Scenario) -> None:
    file = scene.insert_file()
    for act in ("hold(array[%s])", "release(array[%s])", "set_priority(array[%s], 7)"):
        scene.operator.execute(f"select locaria.{act}", [file])
    told = scene.owner.execute("select what, detail from locaria.timeline(%s)", [file]).fetchall()
    acts = [(row["what"], row["detail"]) for row in told if row["detail"] == "by test_operator"]
    assert [what for what, _ in acts] == ["held", "released", "priority set to 7"]
    assert scene.owner.execute("select from locaria.history").fetchall() == []


def test_a_file_that_is_being_worked_on_cannot_be_removed(scene: Scenario) -> None:
    run = scene.running()
    with refused("LC009", "is being worked on"):
        scene.owner.execute("delete from locaria.files where id = %s", [run["file_id"]])


def test_pauses_and_resumes_of_a_container_are_recorded(scene: Scenario) -> None:
    file = scene.insert_file()
    scene.control("pause", "file_loader", "the disk is full")
    inserted_meanwhile = scene.insert_file()
    scene.control("pause", "file_loader", "again")  # no change: who paused it first stands
    queue = one(scene.app, "select * from locaria.queue where container = 'file_loader'")
    assert (queue["paused_by"], queue["paused_why"]) == ("test_operator", "the disk is full")
    why = one(scene.app, "select why from locaria.status where file_id = %s", [file])["why"]
    assert why.startswith("waiting: container file_loader is paused by test_operator for ")
    assert why.endswith("(the disk is full); resume('file_loader') continues it")
    scene.control("resume", "file_loader")
    scene.owner.execute("update locaria.containers set paused = true where name = 'file_download'")
    scene.owner.execute("update locaria.containers set max_tasks = 3")
    told = scene.app.execute(
        "select container, by_user, reason from locaria.history where file_id is null order by at"
    ).fetchall()
    assert [tuple(row.values()) for row in told] == [
        ("file_loader", "test_operator", "paused: the disk is full"),
        ("file_loader", "test_operator", "resumed"),
        ("file_download", "locaria_owner", "paused"),
    ]
    for each, paused in ((file, True), (inserted_meanwhile, True), (scene.insert_file(), False)):
        timeline = scene.app.execute("select what, detail from locaria.timeline(%s)", [each])
        said = ("container paused", "by test_operator: the disk is full")
        assert (said in [(row["what"], row["detail"]) for row in timeline]) == paused
    assert one(
        scene.app, "select paused_by from locaria.queue where container = 'file_loader'"
    ) == {"paused_by": None}
    for statement in ("delete from", "update", "truncate"):
        text = f"{statement} locaria.container_changes" + " set reason = ''" * (
            statement == "update"
        )
        with refused("LC009", "append-only"):
            scene.owner.execute(text.encode())
