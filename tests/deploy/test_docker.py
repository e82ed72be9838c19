"""`locaria agent --run docker` with a real Docker: signals, memory, exit codes, a killed agent.

Needs a daemon and built images: make images; make test-images. The fake of test_agent.py is for
everywhere else.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.test_agent import ACTOR, Agents, agents, tasks_of
from tests.deploy.test_images import WITH_DOCKER

__all__ = ["agents"]
pytestmark = [
    pytest.mark.skipif(
        os.environ.get("LOCARIA_TEST_IMAGES") != "1", reason="needs built images: make test-images"
    ),
    pytest.mark.skipif(not WITH_DOCKER, reason="no Docker daemon answers"),
]
IMAGE = "localhost/locaria-test/{container}:latest"
FROM = "localhost/locaria/place_finder:latest"


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def image() -> Iterator[None]:
    """An image of the actor."""
    made = docker("create", FROM).strip()
    docker("cp", str(ACTOR / "actor.py"), f"{made}:/app/actor.py")
    entry = 'ENTRYPOINT ["python", "actor.py"]'
    docker("commit", "--change", entry, made, IMAGE.format(container="actor"))
    docker("rm", made)
    yield
    docker("rmi", IMAGE.format(container="actor"))


@pytest.fixture
def agent(agents: Agents, image: None) -> Iterator[Agents]:
    """An agent that runs containers with Docker: 64 MiB each, 2 seconds to stop."""
    agents.entry = {"memory": 64, "stop_timeout": 2}
    agents.start("one", ("actor",), "--run", "docker", "--image", IMAGE)
    yield agents
    if "one" in agents.processes:
        agents.end("one")
    assert containers() == []


def containers() -> list[str]:
    return docker("ps", "--all", "--filter", "name=locaria-", "--format", "{{.Names}}").split()


def end_of(agents: Agents, files: list[int]) -> dict[str, Any]:
    """What stands on the row of the task that ran these files, once it has stopped."""
    query = (
        "select t.* from locaria.tasks t join locaria.runs r on r.task_id = t.id "
        "where r.file_id = any(%s) and t.last_status = 'STOPPED' and t.stop_code is not null"
    )
    agents.wait(lambda: agents.rows(query, files))
    return agents.rows(query, files)[0]


def stop(agents: Agents, files: list[int]) -> None:
    agents.wait(lambda: tasks_of(agents, files))
    agents.rows(
        "update locaria.tasks set stop_requested = locaria.clock(), stopped_reason = 'for a test' "
        "where id in (select task_id from locaria.runs where file_id = any(%s))",
        files,
    )


def test_a_file_is_done_and_nothing_is_left(agent: Agents) -> None:
    files = agent.submit(3, do="work")
    agent.wait(lambda: agent.at_rest(files))
    assert end_of(agent, files)["exit_code"] == 0
    agent.wait(lambda: containers() == [])


@pytest.mark.parametrize(("do", "code"), [("hang", 143), ("ignore", 137)])
def test_a_stop_is_sigterm_and_sigkill_when_it_is_not_heeded(
    agent: Agents, do: str, code: int
) -> None:
    files = agent.submit(do=do)
    stop(agent, files)
    assert end_of(agent, files)["exit_code"] == code
    agent.wait(lambda: containers() == [])


def test_a_cancelled_file_ends_in_order(agent: Agents) -> None:
    files = agent.submit(do="work until cancelled")
    agent.wait(lambda: tasks_of(agent, files))
    agent.rows("select * from locaria.cancel(%s::bigint[], 'for a test')", files)
    state = "select status from locaria.files where id = any(%s)"
    agent.wait(lambda: agent.rows(state, files) == [{"status": "CANCELLED"}])
    assert end_of(agent, files)["exit_code"] == 0


def test_too_much_memory_is_told_as_ecs_tells_it(agent: Agents) -> None:
    files = agent.submit(do="eat")
    row = end_of(agent, files)
    assert row["exit_code"] == 137
    assert "OutOfMemoryError" in row["stopped_reason"]
    told = "select error from locaria.attempts where file_id = any(%s) and error is not null"
    agent.wait(lambda: agent.rows(told, files))
    assert "memory" in agent.rows(told, files)[0]["error"].lower()


def test_an_exit_code_of_the_container_s_own_is_told(agent: Agents) -> None:
    files = agent.submit(do="exit", code=125)
    assert end_of(agent, files)["exit_code"] == 125


def test_an_image_that_is_missing_is_a_task_that_never_started(agents: Agents) -> None:
    missing = "localhost:1/locaria/{container}:none"
    agents.start("one", ("actor",), "--run", "docker", "--image", missing)
    agents.submit(do="work")
    told = "select error from locaria.dispatches where error is not null"
    agents.wait(lambda: agents.rows(told))
    error = agents.rows(told)[0]["error"]
    assert "a task stopped before it started: CannotStartContainerError: docker:" in error


def test_a_killed_agent_finds_its_containers_when_it_starts_again(agent: Agents) -> None:
    files = agent.submit(do="ignore")
    agent.wait(lambda: tasks_of(agent, files))
    [task] = tasks_of(agent, files)
    agent.end("one", signal.SIGKILL)
    # As when systemd ends what is left of the service: docker's client dies, its container lives.
    kept = agent.folder / "one" / "ecs" / "tasks" / f"{task}.json"
    os.killpg(json.loads(kept.read_text())["pid"], signal.SIGKILL)
    assert containers() == [f"locaria-{task}"]
    agent.start("one", ("actor",), "--run", "docker", "--image", IMAGE)
    assert containers() == []
    agent.rows('update locaria.files set attributes = \'{"do": "work"}\'')
    agent.wait(lambda: agent.at_rest(files))
    row = agent.rows("select * from locaria.tasks where task_arn like %s", f"%/{task}")[0]
    assert (row["stop_code"], row["exit_code"]) == ("InfrastructureHealth", None)


def test_variables_reach_the_container_and_no_secret_is_in_argv(
    agent: Agents, tmp_path: Path
) -> None:
    files = agent.submit(do="hang")
    agent.wait(lambda: tasks_of(agent, files))
    [task] = tasks_of(agent, files)
    inside = docker("exec", f"locaria-{task}", "printenv", "LOCARIA_DSN")
    password = inside.partition("password=")[2].split()[0]
    assert password
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert password not in path.read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert docker("exec", f"locaria-{task}", "id", "-u").strip() == "10001"
