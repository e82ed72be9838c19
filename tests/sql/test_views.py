"""The views that a person reads."""

from collections import Counter

import pytest

from tests.sql.scenario import ARN, Scenario, one

PHASES = [
    "queued",
    "scheduled",
    "held",
    "dispatched",
    "starting",
    "running",
    "retrying",
    "done",
    "failed",
    "cancelled",
    "deleted",
]


def bring_to(scene: Scenario, phase: str) -> int:
    """Bring a file to a phase; return its id."""
    start = scene.at(seconds=0)
    if phase in ("queued", "scheduled", "held"):
        scene.control("pause", "file_loader") if phase == "queued" else None
        run_after = {"scheduled": start.replace(year=start.year + 1), "held": "infinity"}.get(
            phase, "2020-01-01"
        )
        return scene.insert_file(run_after=run_after)
    if phase == "dispatched":
        return scene.insert_file()
    if phase == "starting":
        file = scene.insert_file()
        scene.task_event(f"{ARN}1", 1, "PROVISIONING")
        return file
    if phase == "cancelled":
        file = scene.insert_file()
        scene.control("cancel", [file], "not wanted")
        return file
    run = scene.running()
    if phase == "retrying":
        scene.fail(run["run_id"], "transient", "server busy")
    elif phase == "failed":
        scene.fail(run["run_id"], "data", "bad header")
    elif phase in ("done", "deleted"):
        scene.finish(run["run_id"])
        if phase == "deleted":
            scene.owner.execute("update locaria.files set status = 'DELETED'")
    return int(run["file_id"])


WHY = {
    "queued": "container file_loader is paused",
    "scheduled": "waits for its time, 365 days from now",
    "held": "release(array[1]) lets it run",
    "dispatched": "dispatched 10 s ago (launch 1), no task has reported yet",
    "starting": "a task is starting, 10 s after launch 1",
    "running": "attempt 1 of 3 is running",
    "retrying": "attempt 1 of 3 failed, the next starts in 5 s: server busy",
    "done": "done 10 s ago",
    "failed": "failed after 1 of 3 attempts: bad header",
    "cancelled": "cancelled by test_operator: not wanted",
    "deleted": "deleted",
}


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_says_why_and_explains_itself(scene: Scenario, phase: str) -> None:
    file = bring_to(scene, phase)
    if phase != "retrying":
        scene.at(seconds=10)
    view = scene.view(file)
    assert view["phase"] == phase
    assert WHY[phase] in view["why"]
    lines = [row["explain"] for row in scene.app.execute("select locaria.explain(%s)", [file])]
    assert lines[0].startswith(f"File {file} is {phase} (") and WHY[phase] in lines[0]
    assert all(line and line.endswith(".") for line in lines), lines
    timeline = scene.app.execute("select * from locaria.timeline(%s)", [file]).fetchall()
    assert timeline[0]["what"] == "inserted"
    assert [row["at"] for row in timeline] == sorted(row["at"] for row in timeline)
    assert all(row["what"] and row["detail"] is not None for row in timeline)
    (queue,) = scene.app.execute("select * from locaria.queue where container = 'file_loader'")
    counted = {name: queue[name] for name in ("due", "scheduled", "held", "running")}
    expected = {
        "queued": "due",
        "dispatched": "due",
        "starting": "due",
        "scheduled": "scheduled",
        "retrying": "scheduled",
        "held": "held",
        "running": "running",
    }.get(phase)
    assert counted == {name: int(name == expected) for name in counted}


def test_why_names_what_the_queue_waits_for(scene: Scenario) -> None:
    scene.at(seconds=0)
    scene.set_limits(max_tasks=1)
    task = scene.start_task()
    assert scene.wait(task) == "wait"
    file = scene.insert_file(priority=-1)
    assert "waiting for an idle task to claim it" in scene.view(file)["why"]
    scene.insert_file(priority=1)
    scene.claim(task)
    assert "waiting: 1 of 1 tasks are busy" in scene.view(file)["why"]
    scene.set_limits(max_tasks=2)
    assert "waiting: 1 busy task" in scene.view(file)["why"]
    scene.call("leave_task", task)
    assert "waiting for tick(), which is not running" in scene.view(file)["why"]
    scene.owner.execute("update locaria.ticks set last_tick = locaria.clock()")
    assert "waiting for tick() to dispatch it" in scene.view(file)["why"]
    scene.root.execute("set session_replication_role = replica; delete from locaria.containers")
    assert scene.view(file)["why"] == "waiting: there is no container file_loader"


def test_a_retried_file_is_dispatched_when_it_is_due(
    scene: Scenario,
) -> None:
    file = bring_to(scene, "retrying")
    scene.tick(seconds=6)
    assert scene.view(file)["phase"] == "dispatched"


def test_running_shows_progress_and_the_session_of_the_run(scene: Scenario) -> None:
    scene.at(seconds=0)
    run = scene.running()
    scene.at(seconds=10)
    scene.progress(
        run["run_id"],
        stage="copy",
        stage_n=2,
        stage_of=3,
        rows_done=500,
        rows_total=1000,
        percent=50,
    )
    session = scene.session("loader", autocommit=False)
    session.execute(f"set application_name = 'locaria run={run['run_id']} 51% copy'")
    session.execute("select 1")
    scene.at(seconds=20)
    (row,) = scene.app.execute("select * from locaria.running")
    assert (row["stage"], row["tuples_processed"], row["tuples_total"], row["percent"]) == (
        "copy",
        500,
        1000,
        50,
    )
    assert row["rows_per_s"] == 50
    assert row["heartbeat_age"].total_seconds() == 10 and row["lease_left"].total_seconds() == 50
    assert row["live_note"] == f"locaria run={run['run_id']} 51% copy"
    assert row["backend_pid"] == session.info.backend_pid
    assert row["stalled"] is False
    view = scene.view(run["file_id"])
    assert view["rate_per_s"] == 50
    assert (view["eta"] - scene.at(seconds=0)).total_seconds() == 20
    scene.set_limits(stall_timeout="1 minute")
    scene.at(seconds=80)
    assert one(scene.app, "select stalled from locaria.running")["stalled"]
    assert "its lease expired 10 s ago" in scene.view(run["file_id"])["why"]


def test_attempts_and_failures_are_grouped_for_a_person(scene: Scenario) -> None:
    scene.set_limits(max_tasks=50)
    for line in (17, 23):
        scene.fail(scene.running()["run_id"], "data", f"line {line}: too short")
    scene.fail(scene.running()["run_id"], "config", "no such file")
    rows = (
        scene.session("reader")
        .execute("select * from locaria.failures order by files desc")
        .fetchall()
    )
    assert [(row["files"], row["error_kind"], row["error_pattern"]) for row in rows] == [
        (2, "data", "line N: too short"),
        (1, "config", "no such file"),
    ]
    again = scene.operator.execute(rows[0]["retry_sql"].encode()).fetchall()
    assert sorted(row["file_id"] for row in again) == sorted(rows[0]["file_ids"])
    assert {row["note"] for row in again} == {"runs again"}


def test_each_change_of_status_is_in_the_history_exactly_once(scene: Scenario) -> None:
    """Counts changes with a trigger that the test creates."""
    scene.set_limits(max_attempts=3, max_tasks=50)
    scene.root.execute(
        """
        create table public.seen (file_id bigint, f text, t text); grant insert on public.seen to public;
        create function public.see() returns trigger language plpgsql as
          'begin insert into public.seen values (new.id, old.status, new.status); return null; end';
        create trigger zzz after update on locaria.files for each row when (old.status <> new.status) execute function public.see()
        """
    )
    scene.at(seconds=0)
    run = scene.running(status="REGISTERED")
    scene.fail(run["run_id"])
    scene.at(minutes=1)
    run = scene.claim_one()
    scene.call("release_run", run["run_id"], "x")
    run = scene.claim_one()
    scene.tick(minutes=10)
    run = scene.claim_one()
    scene.finish(run["run_id"])
    scene.control("retry", run["file_id"])
    run = scene.claim_one()
    scene.control("cancel", run["file_id"])
    scene.tick(minutes=11)
    scene.control("retry", run["file_id"])
    run = scene.claim_one()
    scene.owner.execute("update locaria.files set status = 'ERROR'")
    scene.owner.execute("update locaria.files set status = 'REGISTERED'")
    scene.control("cancel", run["file_id"])
    scene.owner.execute("update locaria.files set status = 'DELETED'")
    seen = Counter((row["f"], row["t"]) for row in scene.root.execute("select * from public.seen"))
    assert len(list(seen.elements())) == 17
    assert Counter(scene.history(run["file_id"])) == seen
    who = scene.owner.execute(
        "select by_user, reason, to_status from locaria.transitions order by id"
    ).fetchall()
    assert [(row["by_user"], row["to_status"]) for row in who] == [
        ("test_operator", "REGISTERED"),
        ("test_operator", "REGISTERED"),
        ("locaria_owner", "ERROR"),
        ("locaria_owner", "REGISTERED"),
        ("test_operator", "CANCELLED"),
        ("locaria_owner", "DELETED"),
    ]


def test_the_timeline_of_a_whole_life_is_in_order(scene: Scenario) -> None:
    scene.owner.execute("select locaria.turn_log_partitions()")
    file = scene.insert_file(attributes={"path": "a.csv", "credentials": {"password": "hush"}})
    run = scene.claim_one(scene.start_task(arn=f"{ARN}1", dispatch=1, launch=1))
    scene.progress(run["run_id"], stage="read")
    scene.call("log_run", run["run_id"], '[{"level": "warning", "message": "odd"}]')
    scene.call(
        "reject_rows",
        run["run_id"],
        '[{"line": 3, "reason": "too short"}, {"line": 4, "reason": "x"}]',
    )
    scene.fail(run["run_id"], "transient", "busy")
    scene.owner.execute("update locaria.files set run_after = now()")
    run = scene.claim_one()
    scene.control("cancel", file)
    scene.fail(run["run_id"])
    rows = scene.app.execute("select what, detail from locaria.timeline(%s)", [file]).fetchall()
    what = [row["what"] for row in rows]
    assert what[:3] == ["inserted", "dispatch started", "task started"]
    order = [
        "REGISTERED → FARGATE_PROCESSING",
        "stage",
        "log warning",
        "rejected",
        "FARGATE_PROCESSING → REGISTERED",
        "FARGATE_PROCESSING → CANCELLED",
    ]
    positions = [what.index(item) for item in order]
    assert positions == sorted(positions)
    text = "\n".join(row["detail"] for row in rows)
    for word in (
        "2 rows, the first at line 3: too short",
        "odd",
        "busy",
        "claimed by task",
        "a.csv",
        "cancelled by test_operator",
    ):
        assert word in text
    assert "hush" not in text


def test_health_names_each_problem_and_the_statement_that_fixes_it(scene: Scenario) -> None:
    def levels() -> dict[str, str]:
        rows = scene.session("reader").execute("select * from locaria.health").fetchall()
        assert all(row["advice"] and row["fix_sql"] and row["value"] for row in rows)
        return {row["check"]: row["level"] for row in rows}

    assert levels()["tick"] == "crit", "it never ran"
    scene.tick()
    well = levels()
    assert set(well.values()) == {"ok"}, well
    assert set(well) >= {
        "tick",
        "tick errors",
        "dispatch of file_loader",
        "dispatch of file_download",
        "log partitions",
        "stalled runs",
        "oldest transaction",
    }
    scene.fault("throttled")
    scene.insert_file()
    assert levels()["dispatch of file_loader"] == "crit"
    scene.owner.execute("update locaria.ticks set last_tick = now() - interval '5 minutes'")
    assert levels()["tick"] == "warn"
    for row in scene.owner.execute("select fix_sql from locaria.health").fetchall():
        scene.owner.execute(row["fix_sql"].encode())


def test_retry_sql_runs_all_of_its_failures_again(scene: Scenario) -> None:
    scene.set_limits(max_tasks=50, max_attempts=1)
    scene.insert_files(25)
    task = scene.start_task()
    for n, run in enumerate(scene.claim(task, 25)):
        scene.fail(run["run_id"], "data", f"line {n}: it's too short" if n < 22 else "other")
    many, few = scene.operator.execute(
        "select files, file_ids, retry_sql from locaria.failures order by files desc"
    ).fetchall()
    assert (many["files"], len(many["file_ids"]), few["files"]) == (22, 20, 3)
    for row in (many, few):
        again = scene.operator.execute(row["retry_sql"]).fetchall()
        assert [each["note"] for each in again] == ["runs again"] * row["files"]


def test_the_views_keep_their_columns(scene: Scenario) -> None:
    """A column that is removed or moved would break users' reports."""
    rows = scene.owner.execute(
        """
        select c.relname, string_agg(a.attname, ' ' order by a.attnum) as columns
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'locaria'::regnamespace and c.relkind = 'v' group by 1
        """
    ).fetchall()
    columns = {row["relname"]: row["columns"] for row in rows}
    assert columns["status"].startswith(
        "file_id container state phase why percent stage rows_done rows_total unit rows_rejected rate_per_s eta last_message last_error "
        "attempt max_attempts priority run_after queued_at started_at finished_at wait_s run_s run_id task_arn attributes"
    )
    assert columns["log"].startswith("id file_id run_id at level stage message")
    assert columns["history"].startswith("file_id at from_status to_status run_id by_user reason")
    assert columns["queue"].startswith(
        "container paused max_tasks tasks_living tasks_idle tasks_starting due scheduled held running oldest_due_age next_try error paused_at paused_by paused_why"
    )
    assert set(columns) >= {
        "status",
        "running",
        "queue",
        "attempts",
        "failures",
        "log",
        "history",
        "health",
    }
