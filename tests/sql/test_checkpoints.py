"""Checkpoints: where the next attempt resumes."""

from tests.sql.scenario import Scenario, refused


def test_the_next_attempt_gets_the_checkpoint(scene: Scenario) -> None:
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


def test_a_checkpoint_survives_an_attempt_without_a_checkpoint(scene: Scenario) -> None:
    """Otherwise the third attempt would load the rows of the first one again."""
    scene.set_limits(max_attempts=9)
    run = scene.running()
    scene.call("checkpoint_run", run["run_id"], '{"line": 500}')
    scene.fail(run["run_id"])
    scene.at(minutes=10)
    scene.fail(scene.claim_one()["run_id"])
    scene.at(minutes=20)
    assert scene.claim_one()["checkpoint"] == {"line": 500}


def test_a_checkpoint_survives_a_release(scene: Scenario) -> None:
    run = scene.running()
    scene.call("checkpoint_run", run["run_id"], '{"line": 500}')
    scene.call("release_run", run["run_id"], "Spot")
    scene.at(minutes=10)
    again = scene.claim_one()
    assert (again["attempt"], again["checkpoint"]) == (1, {"line": 500})


def test_a_file_requested_again_by_hand_starts_without_a_checkpoint(scene: Scenario) -> None:
    run = scene.running()
    scene.call("checkpoint_run", run["run_id"], '{"line": 500}')
    scene.fail(run["run_id"], "data")
    scene.control("retry", run["file_id"])
    again = scene.claim_one()
    assert (again["attempt"], again["checkpoint"], again["previous_run"]) == (1, None, None)


def test_a_late_checkpoint_rolls_back_the_rows_of_its_transaction(scene: Scenario) -> None:
    """The lock is the fence: no takeover during the transaction, no commit after a takeover."""
    scene.root.execute(
        "create table public.site (line int); grant insert on public.site to locaria_loader"
    )
    scene.at(seconds=0)
    run = scene.running()
    late = scene.session("loader", autocommit=False)
    late.execute("insert into public.site values (1)")
    scene.call("checkpoint_run", run["run_id"], "{}", connection=late)
    scene.at(minutes=10)
    scene.tick()
    assert scene.status_of(run["file_id"]) == "FARGATE_PROCESSING", "its transaction holds the file"
    late.commit()
    scene.tick(minutes=20)
    assert scene.run(run["run_id"])["checkpoint"] == {}
    late.execute("insert into public.site values (2)")
    with refused("LC001"):
        scene.call("checkpoint_run", run["run_id"], "{}", connection=late)
    late.rollback()
    assert scene.root.execute("select line from public.site").fetchall() == [{"line": 1}]
