"""Dispatches that are lost or repeated, or whose task never starts."""

from tests.sql.scenario import Scenario


def test_a_lost_dispatch_is_repeated_after_the_launch_deadline(scene: Scenario) -> None:
    scene.at(seconds=0)
    scene.fault("drop")
    scene.insert_file()
    scene.fault(None)
    scene.tick(minutes=4)
    assert len(scene.invocations()) == 1, "the deadline has not passed"
    scene.tick(minutes=5, seconds=1)
    scene.tick(minutes=6)
    assert [(p["dispatch"], p["launch"]) for p in scene.invocations()] == [
        (1, 1),
        (1, 2),
    ], "the same dispatch under a new launch number"
    assert scene.dispatches()[0]["failures"] == 1


def test_a_duplicated_dispatch_does_no_harm(scene: Scenario) -> None:
    scene.fault("duplicate")
    file = scene.insert_file()
    first, second = scene.invocations()
    assert first == second
    tasks = [
        scene.start_task(arn=f"arn:{n}", dispatch=first["dispatch"], launch=1) for n in range(2)
    ]
    assert [len(scene.claim(task)) for task in tasks] == [1, 0]
    assert scene.wait(tasks[1], first["xact"], idle="0") == "leave"
    assert scene.status_of(file) == "FARGATE_PROCESSING"


def test_a_task_that_runs_but_never_reports_is_stopped_and_replaced(scene: Scenario) -> None:
    scene.at(seconds=0)
    scene.insert_file()
    scene.task_event("arn:aws:ecs:hangs", 3, "RUNNING", dispatch=1)
    scene.tick(minutes=6)
    scene.tick(minutes=7)
    assert [p["launch"] for p in scene.invocations()] == [1, 2]
    assert [p["task_arn"] for p in scene.invocations("stop_task")] == ["arn:aws:ecs:hangs"]


def test_after_max_launches_the_dispatch_fails_the_circuit_opens_and_no_attempt_is_used(
    scene: Scenario,
) -> None:
    scene.at(seconds=0)
    file = scene.insert_file()
    scene.set_limits(max_launches=3)
    minutes = 0
    while scene.dispatches()[0]["status"] != "failed":
        minutes += 6
        assert minutes < 120
        scene.tick(minutes=minutes)
    assert [p["launch"] for p in scene.invocations()] == [1, 2, 3]
    assert "3 launches" in scene.dispatches()[0]["error"]
    assert scene.file(file)["attempts"] == 0
    assert "no task has reported" in scene.view(file)["why"]
    scene.tick(minutes=minutes + 6)
    scene.tick(minutes=minutes + 7)
    assert len(scene.invocations()) == 4, "a new dispatch, after the longest pause"


def test_a_task_that_is_no_longer_needed_is_not_launched_again(scene: Scenario) -> None:
    scene.at(seconds=0)
    file = scene.insert_file()
    scene.control("cancel", [file])
    scene.tick(minutes=6)
    assert len(scene.invocations()) == 1
    assert scene.dispatches()[0]["status"] == "unneeded"
