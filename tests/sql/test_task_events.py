"""Events of ECS and Lambda that are late, repeated, out of order or missing."""

import json
from typing import Any

import pytest

from tests.sql.scenario import ARN, Row, Scenario, refused, task_event

TASK = f"{ARN}abc"


def failure_record(
    dispatch: int,
    launch: int | None,
    error_type: str = "LaunchError",
    action: str = "run_task",
    **more: Any,
) -> Row:
    """Build the record that a failure destination of Lambda gets (AWS: invocation-async-retain-records)."""
    return {
        "version": "1.0",
        "timestamp": "2030-01-01T00:00:00.000Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
            "functionArn": "arn:aws:lambda:local:000000000000:function:ecsRunTask:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {
            "version": 1,
            "action": action,
            "dispatch": dispatch,
            "launch": launch,
            "container": "file_loader",
            "count": 1,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {
            "errorMessage": "Capacity is unavailable at this time",
            "errorType": error_type,
        },
        **more,
    }


def send_event(scene: Scenario, event: Row) -> str:
    return str(scene.call("record_task_event", json.dumps(event), connection=scene.operator))


@pytest.mark.parametrize(
    ("containers", "detail"),
    [
        (
            [],
            {
                "stopCode": "TaskFailedToStart",
                "stoppedReason": "CannotPullContainerError: no such image",
            },
        ),
        (
            None,
            {
                "stopCode": "TaskFailedToStart",
                "stoppedReason": "ResourceInitializationError: secret",
            },
        ),
        (
            [
                {
                    "name": "file_loader",
                    "lastStatus": "STOPPED",
                    "exitCode": None,
                    "reason": "CannotStartContainerError",
                }
            ],
            {
                "stopCode": "TaskFailedToStart",
                "stoppedReason": "Essential container in task exited",
            },
        ),
        ("null", {"stopCode": "TaskFailedToStart", "stoppedReason": "no IP addresses"}),
    ],
)
def test_a_task_that_never_started_is_launched_again_and_uses_no_attempt(
    scene: Scenario, containers: Any, detail: Row
) -> None:
    scene.at(seconds=0)
    file = scene.insert_file()
    if containers == "null":
        event = task_event(TASK, 4, "STOPPED", containers=[], **detail)
        event["detail"]["containers"] = None
        assert send_event(scene, event) == "recorded STOPPED"
    else:
        assert (
            scene.task_event(TASK, 4, "STOPPED", containers=containers, **detail)
            == "recorded STOPPED"
        )
    (dispatch,) = scene.dispatches()
    assert (dispatch["status"], dispatch["launch"]) == ("pending", 2)
    assert detail["stoppedReason"] in dispatch["error"]
    assert detail["stoppedReason"] in scene.view(file)["why"]
    (task,) = scene.owner.execute("select * from locaria.tasks")
    assert (task["stop_code"], task["exit_code"]) == ("TaskFailedToStart", None)
    assert detail["stoppedReason"] in task["stopped_reason"]
    scene.tick(seconds=3)
    assert [(p["dispatch"], p["launch"]) for p in scene.invocations()] == [(1, 1), (1, 2)]
    assert scene.file(file)["attempts"] == 0
    run = scene.claim_one(scene.start_task(dispatch=1, launch=2))
    assert run["attempt"] == 1


@pytest.mark.parametrize(
    ("exit_code", "reason", "detail", "outcome", "attempts", "said"),
    [
        (
            1,
            None,
            {
                "stopCode": "EssentialContainerExited",
                "stoppedReason": "Essential container in task exited",
            },
            "lost",
            1,
            "exited with code 1",
        ),
        (
            0,
            None,
            {"stopCode": "EssentialContainerExited"},
            "lost",
            1,
            "exited with code 0 without calling finish()",
        ),
        (
            137,
            "OutOfMemoryError: Container killed due to memory usage",
            {"stopCode": "EssentialContainerExited"},
            "lost",
            1,
            "ran out of memory (exit code 137)",
        ),
        (
            137,
            None,
            {"stopCode": "EssentialContainerExited"},
            "lost",
            1,
            "killed by signal 9 (exit code 137)",
        ),
        (
            143,
            None,
            {"stopCode": "UserInitiated", "stoppedReason": "stopped by hand"},
            "lost",
            1,
            "signal 15",
        ),
        (
            None,
            None,
            {"stopCode": "InfrastructureHealth", "stoppedReason": "host gone"},
            "lost",
            1,
            "stopped without an exit code",
        ),
        (
            143,
            None,
            {"stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted."},
            "released",
            0,
            "interrupted (SpotInterruption)",
        ),
        (
            None,
            None,
            {"stopCode": "TerminationNotice"},
            "released",
            0,
            "interrupted (TerminationNotice)",
        ),
    ],
)
def test_a_stopped_task_frees_its_file_at_once_and_records_the_reason(
    scene: Scenario,
    exit_code: int | None,
    reason: str | None,
    detail: Row,
    outcome: str,
    attempts: int,
    said: str,
) -> None:
    scene.set_limits(max_attempts=2)
    run = scene.running()
    sidecar = {"name": "aws-guardduty-agent", "lastStatus": "STOPPED", "exitCode": 0, "cpu": "null"}
    main: Row = {"name": "file_loader", "lastStatus": "STOPPED"}
    if exit_code is not None:
        main["exitCode"] = exit_code
    if reason is not None:
        main["reason"] = reason
    scene.task_event(
        run["task_arn"], 9, "STOPPED", dispatch=None, containers=[sidecar, main], **detail
    )
    row = scene.run(run["run_id"])
    assert (row["outcome"], row["end_status"]) == (outcome, "REGISTERED")
    assert said in row["error"]
    assert detail.get("stoppedReason", "") in row["error"]
    assert row["exit_code"] == exit_code
    assert scene.file(run["file_id"])["attempts"] == attempts
    (attempt,) = scene.owner.execute("select * from locaria.attempts")
    assert (attempt["stop_code"], attempt["exit_code"]) == (detail["stopCode"], exit_code)
    with refused("LC001", said):
        scene.finish(run["run_id"])


def test_running_out_of_memory_in_the_last_attempt_is_recorded_on_the_file(scene: Scenario) -> None:
    scene.set_limits(max_attempts=1)
    run = scene.running()
    scene.task_event(
        run["task_arn"],
        9,
        "STOPPED",
        exit_code=137,
        reason="OutOfMemoryError: container killed due to memory usage",
    )
    view = scene.view(run["file_id"])
    assert view["phase"] == "failed" and "out of memory" in view["why"]


def test_events_out_of_order_repeated_or_late_change_nothing(scene: Scenario) -> None:
    scene.insert_file()
    assert scene.task_event(TASK, 1, "PROVISIONING") == "recorded PROVISIONING"
    assert scene.task_event(TASK, 3, "RUNNING") == "recorded RUNNING"
    for version, status in [(2, "PENDING"), (3, "RUNNING")]:
        assert "ignored" in scene.task_event(TASK, version, status)
    task = scene.start_task(arn=TASK, dispatch=1, launch=1)
    run = scene.claim_one(task)
    scene.finish(run["run_id"])
    assert scene.wait(task, idle="0") == "leave"
    before = scene.task(task)
    assert scene.task_event(TASK, 4, "DEACTIVATING") == "recorded DEACTIVATING"
    after = scene.task(task)
    assert (after["last_status"], after["stopped"]) == ("STOPPED", before["stopped"]), (
        "left is left"
    )
    assert (
        scene.task_event(TASK, 9, "STOPPED", exit_code=0, stopCode="EssentialContainerExited")
        == "recorded STOPPED"
    )
    assert "ignored" in scene.task_event(TASK, 9, "STOPPED", exit_code=1)
    assert "ignored" in scene.task_event(TASK, 5, "RUNNING")
    row = scene.task(task)
    assert (row["last_status"], row["exit_code"], row["stop_code"]) == (
        "STOPPED",
        0,
        "EssentialContainerExited",
    )
    assert scene.run(run["run_id"])["outcome"] == "succeeded"
    assert scene.status_of(run["file_id"]) == "FARGATE_PROCESSED"
    assert scene.dispatches()[0]["status"] == "started"


def test_a_stop_event_after_the_lease_expired_only_adds_the_reason(
    scene: Scenario,
) -> None:
    scene.at(seconds=0)
    run = scene.running()
    scene.tick(minutes=5)
    assert scene.status_of(run["file_id"]) == "REGISTERED"
    again = scene.claim_one()
    scene.task_event(
        run["task_arn"], 9, "STOPPED", dispatch=None, exit_code=1, stoppedReason="host gone"
    )
    assert scene.run(run["run_id"])["outcome"] == "lost"
    assert scene.run(again["run_id"])["ended"] is None
    assert scene.task(run["task_id"])["stopped_reason"] == "host gone"
    (attempt,) = scene.owner.execute(
        "select * from locaria.attempts where run_id = %s", [run["run_id"]]
    )
    assert attempt["exit_code"] == 1


def test_without_events_the_lease_expires(scene: Scenario) -> None:
    scene.at(seconds=0)
    run = scene.running()
    scene.tick(seconds=61)
    assert scene.status_of(run["file_id"]) == "REGISTERED"


def test_a_running_event_without_a_report_counts_as_a_starting_task(scene: Scenario) -> None:
    file = scene.insert_file()
    assert scene.view(file)["phase"] == "dispatched"
    scene.task_event(TASK, 2, "PENDING")
    assert scene.view(file)["phase"] == "starting"
    assert "a task is starting" in scene.view(file)["why"]
    assert scene.start_task(arn=TASK, dispatch=1, launch=1)


def test_foreign_tasks_in_the_cluster_are_ignored(scene: Scenario) -> None:
    answer = scene.task_event(f"{ARN}foreign", 1, "RUNNING", dispatch=None, startedBy="ecs-svc/123")
    assert "ignored" in answer
    assert "ignored" in scene.task_event(f"{ARN}foreign", 2, "STOPPED", dispatch=None, exit_code=1)
    assert scene.owner.execute("select * from locaria.tasks").fetchall() == []


def test_a_failed_launch_is_launched_again_under_a_new_number_with_growing_pauses(
    scene: Scenario,
) -> None:
    start = scene.at(seconds=0)
    file = scene.insert_file()
    pauses = []
    at = 0.0
    for launch in range(1, 5):
        assert send_event(scene, failure_record(1, launch)) == "pending"
        (dispatch,) = scene.dispatches()
        due = (dispatch["next_try"] - start).total_seconds()
        pauses.append(due - at)
        at = due
        scene.tick(seconds=at)
    assert pauses == [2, 4, 8, 16]
    assert [(p["dispatch"], p["launch"]) for p in scene.invocations()] == [
        (1, n) for n in range(1, 6)
    ]
    assert send_event(scene, failure_record(1, 5)) == "failed", "max_launches"
    (dispatch,) = scene.dispatches()
    for word in ("5 launches", "Capacity is unavailable", "e4b46cbf", "RetriesExhausted"):
        assert word in dispatch["error"]
    assert "Capacity is unavailable" in scene.view(file)["why"]
    assert scene.file(file)["attempts"] == 0
    scene.insert_file()
    assert len(scene.invocations()) == 5, "the circuit is open"


def test_late_or_repeated_failure_records_change_nothing(scene: Scenario) -> None:
    scene.at(seconds=0)
    scene.insert_file()
    assert send_event(scene, failure_record(1, 1)) == "pending"
    assert "ignored" in send_event(scene, failure_record(1, 1))
    scene.tick(seconds=3)
    assert "ignored" in send_event(scene, failure_record(1, 1))
    scene.start_task(dispatch=1, launch=2)
    assert "ignored" in send_event(scene, failure_record(1, 2)), "its task has started"
    assert "ignored" in send_event(scene, failure_record(999, 1)), "a dispatch that was rolled back"
    assert len(scene.invocations()) == 2


def test_a_permanent_error_is_not_retried_and_opens_the_circuit(scene: Scenario) -> None:
    scene.at(seconds=0)
    file = scene.insert_file()
    record = failure_record(1, 1, "PermanentLaunchError")
    record["responsePayload"]["errorMessage"] = "AccessDenied: iam:PassRole is missing"
    assert send_event(scene, record) == "failed"
    scene.tick(seconds=60)
    assert len(scene.invocations()) == 1
    assert "iam:PassRole is missing" in scene.view(file)["why"]
    (row,) = scene.owner.execute(
        "select * from locaria.health where \"check\" = 'dispatch of file_loader'"
    )
    assert row["level"] == "crit" and "iam:PassRole" in row["value"]
    scene.set_parameter("fargate_config", corrected=True)
    scene.tick(seconds=61)
    assert len(scene.invocations()) == 2, "the configuration was corrected: tried at once"


def test_a_lambda_that_timed_out_or_never_ran_is_reported_as_such(scene: Scenario) -> None:
    scene.insert_file()
    record = failure_record(1, 1)
    del record["responsePayload"]
    del record["responseContext"]
    record["requestContext"]["condition"] = "EventAgeExceeded"
    assert send_event(scene, record) == "pending"
    assert "could not be called" in scene.dispatches()[0]["error"]
    assert "EventAgeExceeded" in scene.dispatches()[0]["error"]


def test_a_failed_stop_is_ignored(scene: Scenario) -> None:
    assert "ignored" in send_event(scene, failure_record(1, 1, action="stop_task"))


def test_other_documents_are_refused(scene: Scenario) -> None:
    for event in (
        {},
        {"detail-type": "Scheduled Event"},
        {"detail-type": "ECS Task State Change", "detail": {}},
        {"requestPayload": {"action": "x"}},
    ):
        with refused("LC007"):
            send_event(scene, event)


def test_a_dispatch_of_four_tasks_is_started_when_all_have_reported(scene: Scenario) -> None:
    scene.insert_files(10)
    for n in range(4):
        assert scene.dispatches()[0]["status"] == "invoked"
        scene.start_task(arn=f"{ARN}{n}", dispatch=1, launch=1)
    assert scene.dispatches()[0]["status"] == "started"
    assert scene.dispatches()[0]["ended"] is not None


def test_a_dispatch_whose_tasks_reported_before_its_commit_is_closed_by_tick(
    scene: Scenario,
) -> None:
    app = scene.session("app", autocommit=False)
    scene.insert_file(connection=app)
    app.execute("set constraints all immediate")
    (payload,) = scene.invocations()
    task = scene.start_task(dispatch=payload["dispatch"], launch=1)
    app.commit()
    scene.finish(scene.claim(task)[0]["run_id"])
    scene.tick()
    assert scene.dispatches()[0]["status"] == "started"
