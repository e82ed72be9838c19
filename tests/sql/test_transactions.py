"""Dispatch within transactions: open, rolled back, and of every isolation level."""

import psycopg
import pytest

from tests.sql.scenario import Scenario, one


def test_a_rolled_back_insert_invokes_nothing(scene: Scenario) -> None:
    app = scene.session("app", autocommit=False)
    scene.insert_files(3, app)
    app.rollback()
    assert scene.invocations() == []
    assert scene.dispatches() == []


def test_a_rolled_back_savepoint_invokes_nothing_and_loses_nothing(scene: Scenario) -> None:
    app = scene.session("app", autocommit=False)
    app.execute("savepoint s")
    scene.insert_file(connection=app)
    app.execute("rollback to s")
    scene.insert_file(connection=app)
    app.commit()
    assert len(scene.invocations()) == 1
    app.execute("savepoint s")
    scene.insert_file(connection=app, status="DOWNLOAD_REQUESTED")
    app.execute("rollback to s")
    app.commit()
    assert len(scene.invocations()) == 1


def test_many_statements_of_one_transaction_make_one_dispatch(scene: Scenario) -> None:
    session = scene.session(autocommit=False)
    for _ in range(50):
        scene.insert_file(connection=session)
    assert one(session, "select count(*) as n from locaria.dispatches")["n"] == 1
    assert scene.invocations() == [], "nothing is invoked before the commit"
    session.commit()
    (payload,) = scene.invocations()
    assert payload["count"] == 4


def test_tick_repairs_an_insert_in_repeatable_read_that_relied_on_a_stopped_task(
    scene: Scenario,
) -> None:
    task = scene.start_task()
    assert scene.wait(task) == "wait"
    app = scene.session("app", autocommit=False)
    app.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    app.execute("select count(*) from locaria.files")
    assert scene.wait(task, idle="0") == "leave"
    scene.insert_file(connection=app)
    app.commit()
    assert scene.invocations() == [], "it decided on an old snapshot"
    scene.tick()
    assert len(scene.invocations()) == 1


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_inserts_work_in_every_isolation_level(scene: Scenario, isolation: str) -> None:
    scene.app.execute(f"set default_transaction_isolation = '{isolation}'")
    scene.insert_files(3)
    scene.fault("throttled")
    scene.insert_files(3, status="DOWNLOAD_REQUESTED")
    assert len(scene.dispatches()) == 2


def test_tick_dispatches_files_inserted_after_set_constraints_immediate(
    scene: Scenario,
) -> None:
    app = scene.session("app", autocommit=False)
    app.execute("set constraints all immediate")
    scene.insert_file(connection=app)
    assert len(scene.invocations()) == 1
    scene.insert_files(8, app)
    app.commit()
    scene.tick()
    assert sum(p["count"] for p in scene.invocations()) == 4


def test_an_open_transaction_with_an_uncommitted_insert_blocks_no_other_session(
    scene: Scenario,
) -> None:
    hours = scene.session("app", autocommit=False)
    scene.insert_files(5, hours)
    for session in (scene.app, scene.loader, scene.operator):
        session.execute("set lock_timeout = '2s'")
        session.execute("set statement_timeout = '5s'")
    file = scene.insert_file()
    run = scene.claim_one()
    assert run["file_id"] == file
    scene.finish(run["run_id"])
    task = scene.start_task()
    assert scene.wait(task, idle="0") == "leave"
    scene.tick()
    assert scene.status_of(file) == "FARGATE_PROCESSED"
    hours.commit()
    assert len(scene.claim(scene.start_task(), 10)) == 5


def test_a_task_started_before_the_commit_waits_and_then_loads(scene: Scenario) -> None:
    app = scene.session("app", autocommit=False)
    scene.insert_file(connection=app)
    app.execute("set constraints all immediate")
    (payload,) = scene.invocations()
    task = scene.start_task(dispatch=payload["dispatch"], launch=1)
    for _ in range(3):
        assert scene.claim(task) == []
        assert scene.wait(task, payload["xact"], idle="0") == "wait", (
            "its INSERT is not committed yet"
        )
    app.commit()
    assert scene.wait(task, payload["xact"], idle="0") == "claim"
    assert len(scene.claim(task)) == 1


def test_a_task_waits_for_the_transaction_and_not_for_the_lock_of_its_commit(
    scene: Scenario,
) -> None:
    """The commit may come hours after the statement; until then the task neither idles nor leaves."""
    app = scene.session("app", autocommit=False)
    scene.insert_file(connection=app)
    xact = one(app, "select pg_current_xact_id()::text as x")["x"]
    task = scene.start_task()
    scene.at(hours=5)
    scene.heartbeat(task)
    assert scene.wait(task, xact, idle="0") == "wait"
    assert scene.wait(task, xact) == "wait"
    assert scene.task(task)["idle_since"] is None
    app.commit()
    assert scene.wait(task, xact, idle="0") == "claim"


def test_a_task_whose_insert_was_rolled_back_leaves_at_once(scene: Scenario) -> None:
    app = scene.session("app", autocommit=False)
    scene.insert_file(connection=app)
    app.execute("set constraints all immediate")
    (payload,) = scene.invocations()
    app.rollback()
    task = scene.start_task(dispatch=payload["dispatch"], launch=1)
    assert scene.wait(task, payload["xact"]) == "leave"
    assert "rolled back" in scene.task(task)["stopped_reason"]
    assert scene.wait(task, payload["xact"]) == "leave", "a second call returns the same"


def test_a_task_whose_insert_was_rolled_back_claims_other_files(scene: Scenario) -> None:
    app = scene.session("app", autocommit=False)
    scene.insert_file(connection=app)
    xact = one(app, "select pg_current_xact_id()::text as x")["x"]
    app.rollback()
    file = scene.insert_file()
    task = scene.start_task()
    assert scene.wait(task, xact) == "claim"
    assert scene.claim(task)[0]["file_id"] == file


def test_a_task_whose_files_others_have_processed_stays_idle(
    scene: Scenario,
) -> None:
    scene.insert_file()
    xact = scene.invocations()[0]["xact"]
    scene.finish(scene.claim_one()["run_id"])
    task = scene.start_task()
    assert scene.wait(task, xact) == "wait"
    assert scene.task(task)["idle_since"] is not None
    assert scene.wait(task, xact, idle="0") == "leave"
