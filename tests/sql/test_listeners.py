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
        """A file that is being listened on; returns what the claim told."""
        run = self.running(container=FINDER, **columns)
        assert self.call("report_listening", run["run_id"], HERE, None) == "running"
        return run

    def command(self, name: str = "find", **attributes: Any) -> int:
        """A command as a row."""
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
