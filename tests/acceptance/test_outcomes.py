"""However a container ends, the row says so."""

import pytest

from tests.acceptance.conftest import Place

pytestmark = pytest.mark.acceptance


def test_an_insert_runs_a_container_and_the_row_says_done(place: Place) -> None:
    file = place.submit("actor", do="work", steps=7)
    row = place.wait(file)
    assert (row["phase"], row["state"], row["attempt"]) == ("done", "FARGATE_PROCESSED", 1), (
        place.story(file)
    )
    assert row["rows_done"] == 7
    assert row["task_arn"].startswith("arn:aws:ecs:")


def test_an_exception_is_retried_and_ends_in_error_with_its_words(place: Place) -> None:
    file = place.submit("actor", do="raise")
    row = place.wait(file)
    assert (row["phase"], row["attempt"]) == ("failed", 3)
    assert "the shoe does not fit" in row["last_error"]
    runs = place.runs(file)
    assert [run["outcome"] for run in runs] == ["failed"] * 3
    assert "Traceback" in runs[0]["error_detail"]


def test_a_fatal_error_is_not_retried(place: Place) -> None:
    row = place.wait(place.submit("actor", do="refuse"))
    assert (row["phase"], row["attempt"]) == ("failed", 1)
    assert row["last_error"] == "column geom is missing"


def test_a_loader_that_asks_for_a_retry_gets_it(place: Place) -> None:
    row = place.wait(place.submit("actor", do="retry"))
    assert (row["phase"], row["attempt"]) == ("done", 2)


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exited with code 0 without calling finish()"), (3, "exited with code 3")],
)
def test_an_exit_code_ends_in_an_error_that_names_it(place: Place, code: int, words: str) -> None:
    place.limit("actor", max_attempts=1)
    try:
        row = place.wait(place.submit("actor", do="exit", code=code))
    finally:
        place.limit("actor", max_attempts=3)
    assert row["phase"] == "failed"
    assert words in row["last_error"]


def test_a_killed_container_is_retried_and_the_row_says_by_what_it_was_killed(
    place: Place,
) -> None:
    file = place.submit("actor", do="die")
    row = place.wait(file)
    assert (row["phase"], row["attempt"]) == ("failed", 3)
    assert "killed by signal 9" in row["last_error"]
    assert [run["outcome"] for run in place.runs(file)] == ["lost"] * 3


@pytest.mark.parametrize(
    ("limit", "outcome", "words"),
    [("timeout", "timed_out", "timed out"), ("stall_timeout", "stalled", "no progress for")],
)
def test_a_run_that_hangs_is_ended_and_its_task_stopped(
    place: Place, limit: str, outcome: str, words: str
) -> None:
    place.limit("actor", max_attempts=1, **{limit: "1 second"})
    try:
        file = place.submit("actor", do="hang")
        row = place.wait(file)
    finally:
        place.limit("actor", max_attempts=3, **{limit: None})
    assert row["phase"] == "failed"
    assert words in row["last_error"]
    (run,) = place.runs(file)
    assert run["outcome"] == outcome
    place.wait(
        file,
        lambda row: place.one(
            "select stopped is not null and last_status = 'STOPPED' as yes "
            "from locaria.tasks where task_arn = %s",
            run["task_arn"],
        )["yes"],
    )


def test_a_cancel_stops_a_running_load_within_seconds(place: Place) -> None:
    file = place.submit("actor", do="work until cancelled")
    place.wait(file, lambda row: row["phase"] == "running")
    place.db.execute("select locaria.cancel(%s, 'wrong file')", [file])
    row = place.wait(file, seconds=10)
    assert row["phase"] == "cancelled"
    assert "wrong file" in row["last_error"]


def test_a_task_that_hangs_is_cancelled_without_its_help(place: Place) -> None:
    place.limit("actor", cancel_grace="1 second")
    try:
        file = place.submit("actor", do="hang")
        place.wait(file, lambda row: row["phase"] == "running")
        place.db.execute("select locaria.cancel(%s)", [file])
        row = place.wait(file, seconds=20)
    finally:
        place.limit("actor", cancel_grace="30 seconds")
    assert row["phase"] == "cancelled"
