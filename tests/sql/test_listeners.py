"""Listeners: a listening file keeps its task for good, and that task takes commands."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sql.scenario import Scenario, refused

FINDER = "finder"
HERE = "http://127.0.0.1:8123"


class Place(Scenario):
    """A scenario with a container of type listener."""

    def listen(self, **columns: Any) -> dict[str, Any]:
        """Start a listening file; return the claimed row."""
        run = self.running(container=FINDER, **columns)
        self.owner.execute(
            "update locaria.dispatches set status = 'started', ended = locaria.clock() where ended is null"
        )
        assert self.call("report_listening", run["run_id"], HERE, None) == "running"
        return run

    def command(self, name: str = "find", **attributes: Any) -> int:
        """Insert a command as a row."""
        return self.insert_file(container=FINDER, attributes={"command": name, **attributes})


@pytest.fixture
def place(db: Any) -> Iterator[Place]:
    scene = Place(db)
    scene.owner.execute(
        """select locaria.register_container(%s, '{"type": "listener", "port": 8123,
          "limits": {"max_tasks": 2, "stall_timeout": "1 minute", "timeout": "2 minutes", "lease": "1 hour"}}')""",
        [FINDER],
    )
    yield scene


def test_a_listening_file_keeps_its_task_and_the_task_takes_commands(place: Place) -> None:
    run = place.listen()
    assert len(place.invocations()) == 1
    command = place.command()
    assert len(place.invocations()) == 1, "a living listener takes it"
    assert place.wait(run["task_id"]) == "claim"
    (claimed,) = place.claim(run["task_id"])
    assert claimed["file_id"] == command
    place.finish(claimed["run_id"])
    assert place.claim(run["task_id"]) == []
    assert place.wait(run["task_id"]) == "wait"
    place.at(hours=5)
    assert place.wait(run["task_id"]) == "wait", "it never leaves for want of commands"
    with refused("LC007"):
        place.call("report_listening", run["run_id"], "http://user:secret@host", None)


def test_a_command_without_a_living_listener_starts_one_task_however_many(place: Place) -> None:
    for _ in range(3):
        place.command()
    assert [p["count"] for p in place.invocations()] == [1]
    task = place.start_task(FINDER)
    assert len(place.claim(task, 10)) == 3, "not listening, it takes what there is"


def test_each_listening_file_gets_its_own_task_up_to_max_tasks(place: Place) -> None:
    first = place.listen()
    place.insert_files(2, container=FINDER)
    assert [p["count"] for p in place.invocations()] == [1, 1], "max_tasks is 2"
    assert place.claim(first["task_id"]) == [], "a listening task takes no second one"
    assert place.wait(first["task_id"]) == "wait"
    second = place.start_task(FINDER)
    (claimed,) = place.claim(second)
    place.call("report_listening", claimed["run_id"], HERE, None)
    place.tick_until_quiet()
    assert len(place.invocations()) == 2


def test_a_command_reaches_a_listener_by_notify_and_finds_it_behind_other_listening_files(
    place: Place,
) -> None:
    run = place.listen()
    place.insert_files(2, container=FINDER, priority=5)
    place.loader.execute(f"listen locaria_files_{FINDER}")
    command = place.command()
    assert [n.channel for n in place.loader.notifies(timeout=5, stop_after=1)] == [
        f"locaria_files_{FINDER}"
    ]
    assert [row["file_id"] for row in place.claim(run["task_id"], 5)] == [command]


def test_a_listening_run_has_no_timeout_or_stall_but_can_be_cancelled(place: Place) -> None:
    place.at(seconds=0)
    starting = place.running(container=FINDER)
    place.tick(seconds=70)
    assert place.run(starting["run_id"])["outcome"] == "stalled", "it never listened"
    place.owner.execute("update locaria.files set run_after = 'infinity'")
    run = place.listen()
    for minutes in (30, 60, 90):
        place.at(minutes=minutes)
        place.heartbeat(run["task_id"], run["run_id"])
        place.tick()
    assert place.status_of(run["file_id"]) == "FARGATE_PROCESSING"
    running = place.owner.execute("select stalled from locaria.running").fetchall()
    assert [row["stalled"] for row in running] == [False]
    place.control("cancel", run["file_id"])
    assert place.call("report_listening", run["run_id"], HERE, None) == "cancel"
    place.tick(minutes=92)
    assert place.status_of(run["file_id"]) == "CANCELLED"
    assert place.task(run["task_id"])["stop_requested"] is not None


def test_a_dead_listener_uses_up_no_attempt_and_restarts_with_growing_delays(place: Place) -> None:
    place.set_limits(FINDER, max_attempts=1, max_tasks=100, backoff="10 seconds")
    start = place.at(seconds=0)
    pauses = []
    file = place.insert_file(container=FINDER)
    for number in range(4):
        task = place.start_task(FINDER, arn=f"arn:aws:ecs:x:{number}")
        place.owner.execute("update locaria.files set run_after = %s", [start])
        run = place.claim_one(task)
        place.call("report_listening", run["run_id"], HERE, None)
        place.task_event(f"arn:aws:ecs:x:{number}", 5, "STOPPED", dispatch=None, exit_code=137)
        row = place.file(file)
        assert (row["status"], row["attempts"]) == ("REGISTERED", 0)
        pauses.append((row["run_after"] - start).total_seconds())
    assert pauses == [10, 20, 40, 80]
    place.owner.execute("update locaria.files set run_after = %s", [start])
    run = place.claim_one(place.start_task(FINDER))
    assert place.fail(run["run_id"], "transient") == "ERROR", "it did not listen this time"


def test_status_and_log_show_what_a_listener_does(place: Place) -> None:
    run = place.listen()
    row = place.view(run["file_id"])
    assert (row["endpoint"], row["command"]) == (HERE, None)
    assert row["why"] == f"listening on {HERE}"
    place.call("report_listening", run["run_id"], HERE, "find")
    row = place.view(run["file_id"])
    assert (row["command"], row["why"]) == ("find", "executing the command find")
    assert place.log(run["file_id"]) == [f"info: listening on {HERE}"]
    with refused("LC007"):
        place.call("report_listening", run["run_id"], "nonsense", None)


def autostart(place: Place) -> None:
    place.owner.execute("update locaria.containers set autostart = true where name = %s", [FINDER])


def files_of(place: Place) -> list[int]:
    rows = place.owner.execute("select id from locaria.files order by id")
    return [row["id"] for row in rows]


def test_autostart_keeps_one_file_alive_and_never_makes_two(place: Place) -> None:
    autostart(place)
    place.at(seconds=0)
    assert place.tick()["ensure_listeners"] == 1
    (file,) = files_of(place)
    assert len(place.invocations()) == 1
    for seconds in (10, 20):
        place.tick(seconds=seconds)
    task = place.start_task(FINDER)
    run = place.claim_one(task)
    place.call("report_listening", run["run_id"], HERE, None)
    place.tick(seconds=30)
    place.fail(run["run_id"], "fatal", "no")
    place.tick(seconds=40)
    assert place.status_of(file) == "ERROR", "not at once, or it would fail for ever"
    place.tick(minutes=6)
    assert place.status_of(file) == "REGISTERED"
    assert files_of(place) == [file]
    rows = place.owner.execute("select reason from locaria.transitions where file_id = %s", [file])
    assert [row["reason"] for row in rows] == ["autostart"]


def test_autostart_respects_a_person_who_cancelled_and_one_who_has_started_it(
    place: Place,
) -> None:
    own = place.insert_file(container=FINDER)
    autostart(place)
    place.at(seconds=0)
    place.tick()
    assert files_of(place) == [own], "somebody has started one already"
    place.control("cancel", own)
    assert place.tick()["ensure_listeners"] == 1
    (_, file) = files_of(place)
    place.control("cancel", file)
    place.tick(hours=1)
    assert files_of(place) == [own, file]
    assert place.status_of(file) == "CANCELLED"
    place.control("retry", file)
    assert place.status_of(file) == "REGISTERED"
    place.control("cancel", file)
    place.owner.execute("update locaria.files set status = 'DELETED' where id = %s", [file])
    place.tick(hours=2)
    assert files_of(place) == [own, file]


def health_of(place: Place) -> dict[str, str]:
    """Return the row of `health` about the listener."""
    (row,) = place.owner.execute(
        'select level, value, fix_sql from locaria.health where "check" = %s',
        [f"listener {FINDER}"],
    )
    return row


def test_health_names_a_cancelled_listener_and_how_to_restart_it(place: Place) -> None:
    autostart(place)
    place.at(seconds=0)
    assert health_of(place)["fix_sql"] == "select locaria.tick()"
    place.tick()
    (file,) = files_of(place)
    assert health_of(place)["level"] == "ok", "it starts"
    place.control("cancel", file)
    said = health_of(place)
    assert said["level"] == "crit"
    assert said["value"].startswith(f"file {file} is CANCELLED")
    place.owner.execute(said["fix_sql"].encode())
    assert health_of(place)["level"] == "ok"
    run = place.claim_one(place.start_task(FINDER))
    place.call("report_listening", run["run_id"], HERE, None)
    assert health_of(place)["value"] == "listens"


def test_autostart_of_a_paused_container_waits(place: Place) -> None:
    autostart(place)
    place.control("pause", FINDER)
    place.tick()
    assert files_of(place) == []
    place.control("resume", FINDER)
    place.tick()
    assert len(files_of(place)) == 1


def test_a_listener_that_reached_its_log_limit_logs_again_the_next_day(place: Place) -> None:
    place.set_limits(FINDER, log_limit=2)
    place.at(seconds=0)
    run = place.listen()
    message = '[{"message": "a"}, {"message": "b"}, {"message": "c"}]'
    assert place.call("log_run", run["run_id"], message) == 2
    assert place.call("log_run", run["run_id"], message) == 0
    place.at(days=1)
    place.owner.execute(
        "update locaria.run_progress set lease_until = locaria.clock() + interval '1 hour'"
    )
    place.tick()
    assert place.call("log_run", run["run_id"], message) == 2
