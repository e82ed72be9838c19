"""Which task gets which file."""

import threading
from collections import Counter
from typing import Any

import pytest

from tests.sql.scenario import Scenario, Threads, one, refused


def test_two_tasks_never_hold_one_file(scene: Scenario) -> None:
    total, tasks = 4000, 6
    scene.set_limits(max_tasks=tasks)
    scene.insert_files(total)
    scene.insert_files(500, container="file_loader", priority=1)
    taken: Counter[int] = Counter()
    lock = threading.Lock()
    sessions = [scene.session("loader") for _ in range(tasks)]
    ids = [scene.start_task() for _ in range(tasks)]

    def work(n: int) -> None:
        while True:
            rows = (
                sessions[n]
                .execute(
                    "select file_id, run_id from locaria.claim_files(%s, %s)", [ids[n], 7 * n + 1]
                )
                .fetchall()
            )
            if not rows:
                return
            with lock:
                taken.update(row["file_id"] for row in rows)
            if n % 2:
                sessions[n].execute(
                    "select locaria.finish_runs(%s)", [[row["run_id"] for row in rows]]
                )

    threads = Threads()
    for n in range(tasks):
        threads.start(work, n)
    threads.join()
    assert len(taken) == total + 500
    assert set(taken.values()) == {1}
    counts = one(
        scene.owner,
        """
        select count(*) as runs, count(distinct file_id) as files,
          (select count(*) from locaria.files f join locaria.runs r on r.id = f.claimed_by where r.ended is null) as alive,
          count(*) filter (where ended is null) as open
        from locaria.runs
        """,
    )
    assert counts["runs"] == counts["files"] == total + 500
    assert counts["alive"] == counts["open"]


def test_a_claim_never_waits_and_skips_files_that_others_have_locked(scene: Scenario) -> None:
    files = scene.insert_files(3)
    first = scene.session("loader", autocommit=False)
    task_1, task_2 = scene.start_task(), scene.start_task()
    rows = first.execute("select file_id from locaria.claim_files(%s)", [task_1]).fetchall()
    assert rows == [{"file_id": files[0]}]
    scene.loader.execute("set lock_timeout = '2s'")
    assert [r["file_id"] for r in scene.claim(task_2)] == [files[1]]
    first.rollback()
    assert [r["file_id"] for r in scene.claim(task_2, 5)] == [files[0], files[2]]


def test_files_are_claimed_by_priority_then_age_then_id(scene: Scenario) -> None:
    scene.at(hours=1)
    scene.set_limits(max_tasks=9)
    start = scene.start
    assert start is not None
    times = {"old": start.replace(year=2020), "new": start.replace(year=2021)}
    wanted = []
    for priority, age, container in [
        (-5, "old", None),
        (0, "new", None),
        (9, "new", "file_loader"),
        (0, "old", "file_loader"),
        (9, "old", None),
        (32767, "new", "file_loader"),
        (-32768, "old", None),
        (0, "old", None),
    ]:
        columns = {} if container is None else {"container": container}
        file = scene.insert_file(priority=priority, run_after=times[age], **columns)
        wanted.append((-priority, times[age], file))
    task = scene.start_task()
    order = [scene.claim(task)[0]["file_id"] for _ in wanted]
    assert order == [file for _, _, file in sorted(wanted)]


def test_a_batch_is_claimed_by_priority_too(scene: Scenario) -> None:
    low = scene.insert_files(3)
    high = scene.insert_files(3, priority=5, container="file_loader")
    assert [r["file_id"] for r in scene.claim(scene.start_task(), 4)] == [*high, low[0]]


def test_a_file_is_not_claimed_before_its_time_nor_while_held_nor_paused(scene: Scenario) -> None:
    start = scene.at(seconds=0)
    later = scene.insert_file(run_after=start.replace(year=start.year + 1), priority=9)
    held = scene.insert_file()
    scene.control("hold", [held])
    task = scene.start_task()
    assert scene.claim(task) == []
    now = scene.insert_file()
    scene.control("pause", "file_loader")
    assert scene.claim(task) == []
    assert not scene.report_task()["accepted"]
    scene.control("resume", "file_loader")
    assert [r["file_id"] for r in scene.claim(task, 5)] == [now]
    scene.control("release", [held])
    assert [r["file_id"] for r in scene.claim(task, 5)] == [held]
    scene.at(days=367)
    scene.control("run_now", [later])
    assert [r["file_id"] for r in scene.claim(task, 5)] == [later]


def test_each_container_gets_its_own_files_by_name_or_by_status(scene: Scenario) -> None:
    by_status = scene.insert_file(status="DOWNLOAD_REQUESTED")
    by_name = scene.insert_file(container="file_download")
    named_away = scene.insert_file(status="DOWNLOAD_REQUESTED", container="file_loader")
    download = scene.claim(scene.start_task("file_download"), 9)
    assert [r["file_id"] for r in download] == [by_status, by_name]
    assert [r["requested_status"] for r in download] == ["DOWNLOAD_REQUESTED", "REGISTERED"]
    assert [r["file_id"] for r in scene.claim(scene.start_task(), 9)] == [named_away]
    for run in download:
        scene.finish(run["run_id"])
    assert scene.status_of(by_status) == "DOWNLOAD_COMPLETE"
    assert scene.status_of(by_name) == "FARGATE_PROCESSED"


def test_a_claim_returns_parameters_and_limits(scene: Scenario) -> None:
    scene.set_limits(
        parameters='{"delimiter": ",", "header": true}', timeout="1 hour", max_attempts=7
    )
    scene.insert_file(attributes={"path": "a.csv", "parameters": {"delimiter": ";"}})
    run = scene.claim_one()
    assert run["parameters"] == {"delimiter": ";", "header": True}
    assert run["attributes"]["path"] == "a.csv"
    assert (run["attempt"], run["max_attempts"]) == (1, 7)
    assert run["timeout"].total_seconds() == 3600
    assert run["previous_run"] is None and run["checkpoint"] is None
    scene.insert_file(attributes={"path": "b.csv", "header": False})
    assert scene.claim_one()["parameters"] == {"delimiter": ",", "header": False, "path": "b.csv"}


def test_invalid_claims_are_refused(scene: Scenario) -> None:
    task = scene.start_task()
    for count in (0, -1, None, 10001):
        with refused("LC007", "p_count"):
            scene.call("claim_files", task, count)
    with refused("LC008", "12345"):
        scene.claim(12345)
    scene.call("leave_task", task, 0, "bye")
    with refused("LC001", "bye"):
        scene.claim(task)
    with refused("LC004", "nobody", "file_loader"):
        scene.report_task("nobody")


def test_max_tasks_is_never_exceeded_by_tasks_that_start_together(scene: Scenario) -> None:
    scene.set_limits(max_tasks=3)
    sessions = [scene.session("loader") for _ in range(12)]
    accepted: list[bool] = []
    threads = Threads()
    for session in sessions:
        threads.start(
            lambda s: accepted.append(scene.report_task(connection=s)["accepted"]), session
        )
    threads.join()
    assert Counter(accepted) == {True: 3, False: 9}
    refusal = scene.report_task()
    assert "3 of 3 tasks" in refusal["reason"]


def test_a_task_that_reports_twice_is_one_task(scene: Scenario) -> None:
    scene.set_limits(max_tasks=1)
    first = scene.start_task(arn="arn:one")
    assert scene.start_task(arn="arn:one") == first
    assert not scene.report_task(arn="arn:two")["accepted"]


def test_a_dead_task_does_not_count(scene: Scenario) -> None:
    scene.at(seconds=0)
    scene.set_limits(max_tasks=1)
    scene.start_task()
    assert not scene.report_task()["accepted"]
    scene.at(seconds=61)
    assert scene.report_task()["accepted"]


@pytest.fixture
def crowded(scene: Scenario) -> Scenario:
    """A database with 100,000 finished files and as many scheduled for later."""
    scene.root.execute("set session_replication_role = replica")
    scene.root.execute(
        """
        insert into locaria.files (status, finished) select 'FARGATE_PROCESSED', now() from generate_series(1, 100000);
        insert into locaria.files (run_after, priority) select now() + '1 day', n % 5 from generate_series(1, 20000) n;
        insert into locaria.runs (file_id, container, task_id, attempt, requested_status, started, lease_until, ended, outcome)
        select id, 'file_loader', 1, 1, 'REGISTERED', now(), now(), now(), 'succeeded' from locaria.files where finished is not null;
        insert into locaria.files (status) select 'REGISTERED' from generate_series(1, 50);
        analyze
        """
    )
    scene.root.execute("set session_replication_role = origin")
    return scene


def test_the_hot_queries_use_indexes_regardless_of_the_number_of_files(crowded: Scenario) -> None:
    """The server counts the rows that sequential scans of the two big tables read."""
    scene = crowded
    task = scene.start_task()
    del scene.root  # Another session: what this one has read so far would count.

    def rows_read() -> int:
        return int(
            one(
                scene.root,
                """
                select sum(pg_stat_get_xact_tuples_returned(oid))::bigint as n from pg_class
                where oid in ('locaria.files'::regclass, 'locaria.runs'::regclass, 'locaria.transitions'::regclass)
                """,
            )["n"]
        )

    for query in (
        f"select count(*) from locaria.claim_files({task}, 10)",
        f"select locaria.finish_runs(array(select run_id from locaria.claim_files({task}, 10)))",
        f"select locaria.fail_run(run_id, 'transient', 'x') from locaria.claim_files({task})",
        f"select * from locaria.wait_for_files({task})",
        "select locaria.count_tasks_to_ask('file_loader')",
        "select locaria.count_due_files('file_loader', 10)",
        "select locaria.expire_runs(), locaria.stop_overdue_runs()",
        "select * from locaria.status where file_id = 77777",
        "select * from locaria.timeline(77777)",
        "select * from locaria.attempts where file_id = 77777",
        "select * from locaria.history where file_id = 77777",
        "select * from locaria.running",
        "insert into locaria.files (attributes) values ('{}'); set constraints all immediate",
    ):
        with scene.root.transaction():
            scene.root.execute(query)
            assert rows_read() == 0, f"a sequential scan: {query}"


def test_the_plan_of_a_claim_is_one_probe_of_its_index(crowded: Scenario) -> None:
    plan = crowded.root.execute(
        """
        explain select f.id from locaria.files f
        where coalesce(f.container, f.status) = 'REGISTERED' and f.claimed_by is null and f.finished is null
          and f.priority = 0 and f.run_after <= now()
        order by f.run_after, f.id limit 1 for update skip locked
        """
    ).fetchall()
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "files_waiting" in text and "Sort" not in text and "Seq Scan" not in text, text


def test_a_plan_made_while_the_table_was_empty_is_still_good_when_it_is_large(
    scene: Scenario,
) -> None:
    def pages(call: str, *values: Any) -> int:
        query = f"explain (analyze, buffers, format json) select * from locaria.{call}"
        row = one(scene.owner, query, list(values))
        plan = row["QUERY PLAN"][0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    task = scene.start_task()
    for _ in range(10):
        pages("claim_files(%s, 1)", task)
        pages("finish_runs(array[1::bigint])")
    scene.insert_files(20_000)
    scene.insert_files(20_000, run_after="infinity")
    claim = pages("claim_files(%s, 1)", task)
    run = one(scene.owner, "select max(id) as id from locaria.runs")["id"]
    finish = pages("finish_runs(array[%s::bigint])", run)
    next_claim = pages("claim_files(%s, 1)", task)
    assert finish < 100 and next_claim < 100, (claim, finish, next_claim)
    assert scene.run(run)["outcome"] == "succeeded"
