"""Reports of runs: log, rejected rows, progress, results."""

import json

from tests.sql.scenario import Scenario, Threads, blocked, refused, wait_until


def test_log_messages_are_capped_with_one_warning(scene: Scenario) -> None:
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


def test_malformed_log_messages_are_kept_as_far_as_possible(scene: Scenario) -> None:
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


def test_two_sessions_can_create_the_same_partition_at_once(scene: Scenario) -> None:
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


def test_rejected_rows_are_stored_and_counted(scene: Scenario) -> None:
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


def test_progress_is_stored_with_the_run_and_stages_are_logged(scene: Scenario) -> None:
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
