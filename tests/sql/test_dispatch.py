"""From an INSERT to one invocation of the Lambda, at commit."""

import psycopg
import pytest

from tests.sql.scenario import Scenario, one, refused


def test_an_insert_invokes_once_with_the_whole_protocol(scene: Scenario) -> None:
    scene.insert_file()
    (payload,) = scene.invocations()
    (dispatch,) = scene.dispatches()
    assert payload == {
        "version": 1,
        "action": "run_task",
        "dispatch": dispatch["id"],
        "launch": 1,
        "xact": str(dispatch["xact"]),
        "origin": scene.origin(),
        "container": "file_loader",
        "count": 1,
        "task": "file_loader",
        "cluster": "locaria",
        "subnets": ["subnet-1"],
        "security_groups": ["sg-1"],
    }
    assert (dispatch["status"], dispatch["reason"], dispatch["files"]) == ("invoked", "insert", 1)


def test_a_million_files_in_one_insert_make_one_invocation(scene: Scenario) -> None:
    scene.app.execute(
        "insert into locaria.files (attributes) select '{}' from generate_series(1, 1000000)"
    )
    (payload,) = scene.invocations()
    (dispatch,) = scene.dispatches()
    assert dispatch["files"] == 1_000_000
    assert payload["count"] == dispatch["asked"] == 4, "as many as max_tasks"


def test_one_statement_for_two_containers_makes_one_invocation_for_each(scene: Scenario) -> None:
    scene.app.execute(
        """
        insert into locaria.files (container, status)
        select c, s from (values (null, 'REGISTERED'), (null, 'DOWNLOAD_REQUESTED'), ('file_download', 'REGISTERED')) v (c, s),
          generate_series(1, 50)
        """
    )
    assert sorted(p["container"] for p in scene.invocations()) == ["file_download", "file_loader"]


def test_copy_and_insert_select_dispatch_like_an_insert(scene: Scenario) -> None:
    with scene.app.cursor().copy("copy locaria.files (container, attributes) from stdin") as copy:
        for n in range(100):
            copy.write_row(["file_loader", f'{{"n": {n}}}'])
    assert len(scene.invocations()) == 1
    scene.app.execute(
        "insert into locaria.files (status, attributes) select 'DOWNLOAD_REQUESTED', attributes from locaria.files"
    )
    assert [p["container"] for p in scene.invocations()] == ["file_loader", "file_download"]


def test_on_conflict_do_nothing_without_a_row_dispatches_nothing(scene: Scenario) -> None:
    scene.owner.execute(
        "create unique index once on locaria.files ((attributes ->> 'path')) where attributes ? 'path'"
    )
    upsert = """
        insert into locaria.files (attributes) values ('{"path": "a.csv"}')
        on conflict ((attributes ->> 'path')) where attributes ? 'path' do
    """
    scene.owner.execute(upsert + "nothing")
    scene.owner.execute("update locaria.containers set max_tasks = 100")
    scene.owner.execute(upsert + "nothing")
    assert len(scene.invocations()) == 1
    scene.owner.execute(upsert + "update set priority = 5")
    assert len(scene.invocations()) == 1, "an upsert that asks for nothing new"
    assert len(scene.dispatches()) == 1
    run = scene.claim_one(scene.start_task(dispatch=scene.dispatches()[0]["id"], launch=1))
    scene.finish(run["run_id"])
    scene.owner.execute(upsert + "update set status = 'REGISTERED'")
    assert scene.dispatches()[-1]["reason"] == "update", "an upsert that asks again"


def test_a_thousand_single_inserts_invoke_at_most_max_tasks_times(scene: Scenario) -> None:
    with scene.app.pipeline():
        for _ in range(1000):
            scene.app.execute("insert into locaria.files (attributes) values ('{}')")
            scene.app.execute("select 1")
    assert one(scene.owner, "select count(*) as n from locaria.files")["n"] == 1000
    assert 1 <= len(scene.invocations()) <= 4
    assert sum(p["count"] for p in scene.invocations()) <= 4


def test_idle_and_starting_tasks_count_and_busy_tasks_do_not(scene: Scenario) -> None:
    first = scene.insert_file()
    assert len(scene.invocations()) == 1
    dispatch = scene.dispatches()[0]["id"]
    task = scene.start_task(dispatch=dispatch, launch=1)
    assert scene.claim_one(task)["file_id"] == first
    scene.insert_file()
    assert len(scene.invocations()) == 2, "the task is busy"
    second = scene.start_task(dispatch=scene.dispatches()[-1]["id"], launch=1)
    scene.claim(second)
    third = scene.start_task()
    assert scene.wait(third) == "wait"
    scene.insert_file()
    assert len(scene.invocations()) == 2, "the idle task takes it"
    scene.insert_file()
    assert len(scene.invocations()) == 3, "an idle task counts for one file only"


def test_files_for_later_are_not_dispatched_until_they_are_due(scene: Scenario) -> None:
    start = scene.at(seconds=0)
    scene.insert_file(run_after=start.replace(year=start.year + 1))
    assert scene.invocations() == [] and scene.dispatches() == []
    scene.tick()
    assert scene.invocations() == []
    scene.tick(days=367)
    assert len(scene.invocations()) == 1


def test_an_update_to_a_requested_status_dispatches_once(scene: Scenario) -> None:
    ids = scene.insert_files(20)
    task = scene.start_task()
    for run in scene.claim(task, 20):
        scene.finish(run["run_id"])
    scene.call("leave_task", task)
    scene.tick(hours=1)
    before = len(scene.invocations())
    scene.owner.execute("update locaria.files set status = 'REGISTERED' where id = any (%s)", [ids])
    assert len(scene.invocations()) == before + 1
    assert scene.dispatches()[-1]["reason"] == "update"
    assert scene.dispatches()[-1]["reason"] == "update"


def test_updates_that_ask_for_nothing_dispatch_nothing(scene: Scenario) -> None:
    scene.insert_files(1000)
    scene.set_limits(max_tasks=1000)
    for change in (
        "attributes = '{\"a\": 1}'",
        "priority = 3",
        "run_after = run_after + '1 second'",
        "status = status",
    ):
        scene.owner.execute(f"update locaria.files set {change}")
    assert len(scene.dispatches()) == 1
    assert len(scene.invocations()) == 1


def test_an_earlier_run_after_or_another_container_dispatches(scene: Scenario) -> None:
    file = scene.insert_file(run_after="infinity")
    assert scene.invocations() == []
    scene.owner.execute("update locaria.files set run_after = now() where id = %s", [file])
    assert [p["container"] for p in scene.invocations()] == ["file_loader"]
    scene.owner.execute(
        "update locaria.files set container = 'file_download' where id = %s", [file]
    )
    assert [p["container"] for p in scene.invocations()] == ["file_loader", "file_download"]


def test_claim_and_finish_fire_no_trigger_function(scene: Scenario) -> None:
    scene.root.execute("set track_functions = 'all'")
    task = scene.start_task()
    scene.insert_files(30)
    before = len(scene.dispatches())
    call = scene.root.execute
    scene.root.execute("select pg_stat_reset()")
    for end in (
        "select locaria.finish_runs(array(select run_id from locaria.claim_files(%s, 10)))",
        "select locaria.fail_run(run_id, 'transient', 'x') from locaria.claim_files(%s, 5)",
        "select locaria.release_run(run_id, 'x') from locaria.claim_files(%s, 5)",
    ):
        call(end, [task])
    version = scene.root.info.server_version
    if version >= 150000:
        call("select pg_stat_force_next_flush()")
    called = {
        row["funcname"]
        for row in call("select funcname from pg_stat_user_functions where schemaname = 'locaria'")
    }
    assert {"claim_files", "finish_runs", "fail_run", "release_run"} <= called, (
        "the proof sees calls"
    )
    triggers = {
        row["proname"]
        for row in call(
            "select p.proname from pg_proc p where prorettype = 'trigger'::regtype and pronamespace = 'locaria'::regnamespace"
        )
    }
    assert called & triggers == set()
    assert len(scene.dispatches()) == before
    assert one(scene.owner, "select count(*) as n from locaria.transitions")["n"] == 0


def test_a_restore_in_replica_mode_dispatches_nothing(scene: Scenario) -> None:
    scene.root.execute("set session_replication_role = replica")
    scene.insert_file(connection=scene.root)
    assert scene.dispatches() == [] and scene.invocations() == []
    scene.tick()
    assert len(scene.invocations()) == 1, "tick() dispatches it"
    assert scene.dispatches()[0]["reason"] == "backlog"


def test_notify_is_sent_only_when_a_task_is_idle(scene: Scenario) -> None:
    listener = scene.session("loader")
    listener.execute("listen locaria_files_file_loader")
    busy = scene.start_task()
    scene.insert_file()
    scene.claim(busy)
    scene.insert_file()
    assert list(listener.notifies(timeout=0.2, stop_after=1)) == []
    scene.claim(scene.start_task())
    idle = scene.start_task()
    assert scene.wait(idle) == "wait"
    scene.insert_file()
    assert len(list(listener.notifies(timeout=10, stop_after=1))) == 1
    assert scene.claim(idle)
    scene.insert_file(status="DOWNLOAD_REQUESTED")
    assert list(listener.notifies(timeout=0.2, stop_after=1)) == []


def test_a_paused_container_is_not_dispatched_until_it_is_resumed(scene: Scenario) -> None:
    scene.control("pause", "file_loader")
    scene.insert_file()
    scene.tick()
    assert scene.invocations() == []
    scene.control("resume", "file_loader")
    assert len(scene.invocations()) == 1
    assert scene.dispatches()[-1]["reason"] == "resume"


def test_bad_rows_are_refused_at_the_insert(scene: Scenario) -> None:
    with refused("LC004", "no_such", "file_loader"):
        scene.insert_file(container="no_such")
    with refused("LC005", "NONSENSE", "REGISTERED"):
        scene.insert_file(status="NONSENSE")
    for status in ("FARGATE_PROCESSING", "FARGATE_PROCESSED", "ERROR", "DELETED"):
        with (
            refused("LC003", status, "REGISTERED")
            if status != "FARGATE_PROCESSING"
            else pytest.raises(psycopg.Error)
        ):
            scene.insert_file(status=status)
    for attributes in ("[]", "1", "null", '"x"'):
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            scene.insert_file(attributes=attributes)
        assert caught.value.diag.constraint_name == "files_attributes_are_an_object"
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        scene.insert_file(attributes='{"a": "\\u0000"}')
    with refused("LC004", "no_such"):
        scene.app.execute(
            "insert into locaria.files (container) values ('file_loader'), ('no_such')"
        )
    assert one(scene.owner, "select count(*) as n from locaria.files")["n"] == 0
    assert scene.invocations() == []


def test_a_site_can_add_a_status_with_one_row(scene: Scenario) -> None:
    scene.owner.execute("select locaria.register_container('tile_cutter', '{}')")
    scene.owner.execute(
        """
        insert into locaria.statuses (status, kind, container, done_status, description) values
          ('TILES_READY', 'done', null, null, 'Tiles are cut.'),
          ('TILES_REQUESTED', 'requested', 'tile_cutter', 'TILES_READY', 'Waits for tiles.')
        """
    )
    file = scene.insert_file(status="TILES_REQUESTED")
    assert [p["container"] for p in scene.invocations()] == ["tile_cutter"]
    assert scene.view(file)["container"] == "tile_cutter"
    assert scene.claim(scene.start_task()) == [], "the file is for another container"
    task = scene.start_task("tile_cutter")
    run = scene.claim(task)[0]
    assert scene.fail(run["run_id"]) == "TILES_REQUESTED"
    scene.at(minutes=10)
    scene.heartbeat(task)
    scene.finish(scene.claim(task)[0]["run_id"])
    assert scene.status_of(file) == "TILES_READY"
    assert scene.view(file)["phase"] == "done"


def test_a_status_of_the_site_must_end_in_a_status_that_exists(scene: Scenario) -> None:
    with pytest.raises(psycopg.errors.IntegrityError):
        scene.owner.execute(
            "insert into locaria.statuses (status, kind, container, done_status, description) values ('X', 'requested', 'file_loader', 'NOWHERE', '')"
        )
