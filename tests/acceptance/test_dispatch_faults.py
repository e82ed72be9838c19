"""Lost, late, doubled, premature: a dispatch is only a hint."""

import psycopg
import pytest

from tests.acceptance.conftest import Place

pytestmark = pytest.mark.acceptance


def fault(place: Place, kind: str | None) -> None:
    with psycopg.connect(place.runtime.site.superuser_dsn, autocommit=True) as superuser:
        superuser.execute(
            "update aws_lambda.functions set fault = %s where function_name = 'ecsRunTask'", [kind]
        )


def no_task_is_left(place: Place) -> bool:
    return bool(
        place.one("select not exists (select from locaria.tasks where stopped is null) as yes")[
            "yes"
        ]
    )


@pytest.fixture(autouse=True)
def quiet(place: Place) -> None:
    """Each test begins with nobody alive, so that its insert needs a dispatch of its own."""
    file = place.submit("actor", do="work")
    place.wait(file, lambda row: row["phase"] == "done" and no_task_is_left(place))


def test_a_rolled_back_insert_loads_nothing_and_its_task_leaves(place: Place) -> None:
    before = place.one("select count(*) as n from locaria.runs")["n"]
    tasks = place.one("select count(*) as n from locaria.tasks where exit_code = 0")["n"]
    with psycopg.connect(place.runtime.dsn) as session:
        session.execute(
            "insert into locaria.files (container, attributes) "
            "values ('actor', '{\"do\": \"work\"}')"
        )
        session.execute("set constraints all immediate")  # The Lambda is called before the commit …
        session.rollback()  # … that never comes.
    file = place.submit("actor", do="work")
    place.wait(file)
    place.wait(
        file,
        lambda row: (
            place.one("select count(*) as n from locaria.tasks where exit_code = 0")["n"] > tasks
        ),
    )
    assert place.one("select count(*) as n from locaria.runs")["n"] == before + 1


def test_a_task_that_starts_before_the_commit_waits_and_then_loads(place: Place) -> None:
    with psycopg.connect(place.runtime.dsn) as session:
        row = session.execute(
            "insert into locaria.files (container, attributes) "
            "values ('actor', '{\"do\": \"work\"}') returning id"
        ).fetchone()
        assert row is not None
        session.execute("set constraints all immediate")
        place.db.execute("select 1")
        deadline = place.one("select clock_timestamp() + '30 s' as at")["at"]
        while not place.one(
            "select exists (select from locaria.tasks "
            "where started is not null and stopped is null) as yes"
        )["yes"]:
            assert place.one("select clock_timestamp() as at")["at"] < deadline
        task = place.one("select id from locaria.tasks where stopped is null")
        session.commit()
    status = place.wait(int(row[0]))
    assert status["phase"] == "done"
    run = place.one("select task_id from locaria.runs where file_id = %s", row[0])
    assert run["task_id"] == task["id"], "the task that came too early did it"


def test_a_doubled_dispatch_does_no_harm(place: Place) -> None:
    fault(place, "duplicate")
    file = place.submit("actor", do="work")
    assert place.wait(file)["phase"] == "done"
    assert len(place.runs(file)) == 1


def test_a_lost_dispatch_heals(place: Place) -> None:
    place.limit("actor", launch_timeout="1 second")
    try:
        fault(place, "drop")
        file = place.submit("actor", do="work")
        place.wait(file, lambda row: "no task has reported" in row["why"])
        fault(place, None)
        row = place.wait(file)
    finally:
        place.limit("actor", launch_timeout="5 minutes")
    assert (row["phase"], row["attempt"]) == ("done", 1)


@pytest.mark.parametrize(
    "rule",
    [
        {"start": "never"},
        {"start": "fails", "reason": "CannotPullContainerError: image not found"},
        {"operation": "RunTask", "failures": [{"reason": "Capacity is unavailable at this time."}]},
        {"operation": "RunTask", "error": "ThrottlingException", "times": 30},
    ],
    ids=["never starts", "can't start", "failures", "throttled"],
)
def test_a_task_that_never_starts_is_replaced(place: Place, rule: dict[str, object]) -> None:
    place.limit("actor", launch_timeout="2 seconds")
    try:
        place.runtime.ecs.script.add([rule])
        file = place.submit("actor", do="work")
        row = place.wait(file, seconds=90)
    finally:
        place.limit("actor", launch_timeout="5 minutes")
    assert (row["phase"], row["attempt"]) == ("done", 1), "a launch uses up no attempt"


@pytest.mark.parametrize("kind", ["unreachable", "slow", "denied", "throttled"])
def test_a_failing_lambda_fails_no_insert_and_heals(place: Place, kind: str) -> None:
    fault(place, kind)
    file = place.submit("actor", do="work")
    place.wait(file, lambda row: "no task could be started" in row["why"])
    fault(place, None)
    assert place.wait(file)["phase"] == "done"


def test_spot_takes_a_task_and_the_attempt_is_not_counted(place: Place) -> None:
    file = place.submit("actor", do="work until cancelled")
    row = place.wait(file, lambda row: row["phase"] == "running")
    place.runtime.ecs.interrupt(row["task_arn"])
    again = place.wait(
        file, lambda now: now["phase"] == "running" and now["task_arn"] != row["task_arn"]
    )
    assert again["attempt"] == 1
    assert [run["outcome"] for run in place.runs(file)][:1] == ["released"]
