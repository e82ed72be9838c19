"""Several agents on one existing ECS cluster: one dies, ECS forgets, throttles and refuses."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from locaria.launch.ecs import _FORGOTTEN
from locaria.local.aws.ecs.control_plane import LocalEcs
from locaria.local.aws.ecs.model import TaskDefinition
from locaria.resources import ROOT
from tests.deploy.test_agent import ACTOR, LIMITS, Agents, agents

__all__ = ["agents"]
CONFIG = """
    update locaria.parameters
       set parameter = '{"default": {"arn": "arn:aws:lambda:local:000000000000:function:ecsRunTask",
             "cluster": "mine", "subnets": ["subnet-1"], "security_groups": ["sg-1"]}}'
     where parameter_name = 'fargate_config'
"""
WATCHED = """
    select l.pid from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where a.application_name = 'locaria ECS' and l.locktype = 'advisory'
       and a.datname = current_database()
"""


@pytest.fixture
def cluster(agents: Agents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEcs]:
    """Somebody's ECS cluster `mine`, which tells nobody what becomes of its tasks; two agents."""
    actor = TaskDefinition("actor", (sys.executable, "actor.py"), ACTOR, stop_timeout=1)
    variables = {"LOCARIA_DSN": agents.dsn, "PYTHONPATH": str(ROOT)}
    ecs = LocalEcs(
        tmp_path / "ecs",
        {actor.family: actor},
        lambda _: None,
        secrets=variables,
        cluster="mine",
        access_key="KEY",
    )
    ecs.start()
    environment = {
        "AWS_ENDPOINT_URL_ECS": ecs.url,
        "AWS_REGION": "local",
        "AWS_ACCESS_KEY_ID": "KEY",
        "AWS_SECRET_ACCESS_KEY": "-",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    agents.entry = {"limits": LIMITS | {"lease": "1 hour"}}
    for name in ("one", "two"):
        agents.start(name, ("actor",), "--run", "ecs")
        agents.rows(CONFIG)
        agents.wait(lambda: agents.rows(WATCHED))
    yield ecs
    for each in list(agents.processes):
        agents.end(each, signal.SIGKILL)
    ecs.stop(timeout_s=0.2)


def current(agents: Agents, file: int) -> dict[str, Any]:
    """The task that has the file now."""
    query = (
        "select t.* from locaria.tasks t join locaria.runs r on r.task_id = t.id "
        "join locaria.files f on f.claimed_by = r.id where f.id = %s"
    )
    agents.wait(lambda: agents.rows(query, file))
    return agents.rows(query, file)[0]


def stopped(agents: Agents, arn: str) -> dict[str, Any]:
    """The row of a task, once it is told that it has stopped."""
    query = "select * from locaria.tasks where task_arn = %s and stop_code is not null"
    agents.wait(lambda: agents.rows(query, arn))
    return agents.rows(query, arn)[0]


def lose(cluster: LocalEcs, arn: str, *, forget: bool = False) -> None:
    """Let a task die without a word; and let ECS forget that it ever was."""
    task_id = arn.rpartition("/")[2]
    task = cluster._tasks.pop(task_id) if forget else cluster._tasks[task_id]
    assert task.pid is not None
    os.killpg(task.pid, signal.SIGKILL)


def test_tasks_on_a_cluster_outlive_an_agent_and_their_ends_are_told_once(
    agents: Agents, cluster: LocalEcs
) -> None:
    [file] = agents.submit(do="hang")
    first = current(agents, file)["task_arn"]
    agents.end("one", signal.SIGKILL)
    done = agents.submit(5, do="work")
    agents.wait(lambda: agents.at_rest(done))

    # The lease is an hour: who loses the file, and that at once, is told by ECS.
    assert current(agents, file)["task_arn"] == first, "it does not care for who started it"
    lose(cluster, first)
    assert stopped(agents, first)["exit_code"] == 137
    second = current(agents, file)["task_arn"]
    assert second != first
    lose(cluster, second, forget=True)
    row = stopped(agents, second)
    assert (row["exit_code"], row["stopped_reason"]) == (None, _FORGOTTEN)
    assert current(agents, file)["task_arn"] not in (first, second)

    started = agents.rows(
        "select payload ->> 'dispatch' as dispatch, payload ->> 'launch' as launch, "
        "  sum(json_array_length(response -> 'tasks')) as tasks, "
        "  sum((payload ->> 'count')::integer) as asked "
        "from aws_lambda.invocations where payload ->> 'action' = 'run_task' group by 1, 2"
    )
    assert all(row["tasks"] == row["asked"] for row in started), "and nothing twice"
    told = agents.rows(
        "select payload -> 'detail' ->> 'taskArn' as arn, count(*) as n "
        "from aws_lambda.invocations where function_name = 'taskEvents' "
        "and payload -> 'detail' ->> 'lastStatus' = 'STOPPED' group by 1"
    )
    assert {row["arn"] for row in told} >= {first, second}
    assert {row["n"] for row in told} == {1}


def test_what_ecs_refuses_is_said_and_it_goes_on(agents: Agents, cluster: LocalEcs) -> None:
    agents.end("two")
    [file] = agents.submit(do="hang")
    arn = current(agents, file)["task_arn"]
    cluster.script.add(
        [
            {"operation": "DescribeTasks", "error": "ThrottlingException", "times": 4},
            {"operation": "DescribeTasks", "error": "ExpiredTokenException", "times": 2},
        ]
    )
    agents.wait(lambda: agents.says("one", "ECS tells again"))
    assert agents.says("one", "Rate exceeded (asked again in a moment)") == 1
    assert agents.says("one", "credentials have expired: restart it with new ones") == 1
    lose(cluster, arn)
    assert stopped(agents, arn)["exit_code"] == 137
