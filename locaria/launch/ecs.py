"""What becomes of tasks on somebody's ECS cluster, where no EventBridge tells the database.

Asks `DescribeTasks` for the tasks that were started and are not known to have stopped, and tells
`taskEvents` what has changed, in EventBridge's shape. Of several agents one asks at a time.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import psycopg
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from locaria.local.database import STOP_S, Database, StoppedError

log = logging.getLogger(__name__)
_AT_ONCE = 100  # tasks that one DescribeTasks takes
_LOCK = 7_203_411_906  # any number, used for nothing else
# What ecsRunTask answered names tasks that never came to report themselves, too. One that is
# stopped, and nobody knows how, is asked after for the hour in which ECS remembers it.
_UNSETTLED = """
    with started as (
      select i.payload ->> 'cluster' as cluster, i.payload ->> 'container' as container,
             concat_ws('-', 'locaria', i.payload ->> 'dispatch', i.payload ->> 'launch',
                       i.payload ->> 'origin') as started_by,
             json_array_elements_text(i.response -> 'tasks') as task_arn, i.finished_at as launched
        from aws_lambda.invocations i
       where i.function_name = 'ecsRunTask' and i.state = 'succeeded'
         and i.payload ->> 'action' = 'run_task'
         and i.finished_at > clock_timestamp() - interval '1 day'
    )
    select coalesce(s.cluster, split_part(t.task_arn, '/', 2)) as cluster,
           coalesce(t.task_arn, s.task_arn) as task_arn,
           coalesce(t.container, s.container) as container, s.started_by,
           coalesce(t.event_version, 0) as version,
           t.id is not null or s.launched < clock_timestamp() - interval '2 minutes' as known
      from started s full join locaria.tasks t using (task_arn)
     where not exists (select from locaria.runtimes r  -- not one that an agent runs itself
                        where r.runs_by <> 'ecs' and r.mark <> ''
                          and coalesce(t.task_arn, s.task_arn) ~ ('/' || r.mark || '[^/]*$'))
       and (t.id is null or t.task_arn ~ '^arn:aws[a-z-]*:ecs:[^:]*:[^:]*:task/[^/]+/[^/]+$'
       and (t.stopped is null
            or t.exit_code is null and t.stop_code is null
               and t.stopped > locaria.clock() - interval '1 hour'))
"""
_FORGOTTEN = "ECS does not know this task any more"
_RENEW = {
    "ExpiredTokenException": "the agent's AWS credentials have expired: restart it with new ones",
    "UnrecognizedClientException": "AWS does not know the agent's credentials",
    "AccessDeniedException": "the agent's credentials may not ecs:DescribeTasks",
    "ClusterNotFoundException": "fargate_config names a cluster that is not there",
}


class EcsWatch:
    """Looks after the tasks on an ECS cluster until it is stopped.

    Parameters
        dsn      of the owner of the schema.
        aws      environment variables of the AWS SDK.
        tell     takes an event for `taskEvents`.
        every_s  seconds from one look to the next.
    """

    def __init__(
        self,
        dsn: str,
        aws: Mapping[str, str],
        tell: Callable[[dict[str, Any]], None],
        every_s: float = 2.0,
    ) -> None:
        self._tell = tell
        self._every_s = every_s
        self._ecs = _client(aws)
        self._stopping = threading.Event()
        self._database = Database(dsn, "ECS", self._stopping)
        # A call of AWS's SDK can't be broken off: the process ends without waiting for its answer.
        self._thread = threading.Thread(target=self._run, name="ecs-watch", daemon=True)
        self._seen: dict[str, tuple[Any, ...]] = {}
        self._problems: set[str] = set()

    def start(self) -> None:
        """Look in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; what ECS or the database has not answered by then is asked again later."""
        self._stopping.set()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            log.warning("ECS or the database does not answer, and is not waited for")

    def _run(self) -> None:
        with self._database:
            while not self._stopping.wait(self._every_s):
                try:
                    self._say(self._look())
                except StoppedError:
                    return
                except psycopg.Error as error:
                    self._say({f"can't ask the database for its tasks: {error}"})

    def _say(self, problems: set[str]) -> None:
        """Log what is new, and that it is over."""
        for problem in sorted(problems - self._problems):
            log.error("%s", problem)
        if self._problems and not problems:
            log.info("ECS tells again what became of its tasks")
        self._problems = problems

    def _look(self) -> set[str]:
        """Ask about all tasks that are not settled; what went wrong. A cluster stops no other."""
        held = "select pg_try_advisory_lock(%s) as mine"
        if not self._database.run(held, [_LOCK])[0]["mine"]:
            return set()
        clusters: dict[str, dict[str, dict[str, Any]]] = {}
        for row in self._database.run(_UNSETTLED):
            clusters.setdefault(row["cluster"], {})[row["task_arn"]] = row
        known = {arn for tasks in clusters.values() for arn in tasks}
        self._seen = {arn: seen for arn, seen in self._seen.items() if arn in known}
        problems = set()
        for cluster, tasks in clusters.items():
            arns = sorted(tasks)
            for first in range(0, len(arns), _AT_ONCE):
                some = {arn: tasks[arn] for arn in arns[first : first + _AT_ONCE]}
                try:
                    self._ask(cluster, some)
                except (BotoCoreError, ClientError) as error:
                    problems.add(_in_words(cluster, error))
        return problems

    def _ask(self, cluster: str, tasks: Mapping[str, dict[str, Any]]) -> None:
        answer = self._ecs.describe_tasks(cluster=cluster, tasks=list(tasks))
        for task in answer["tasks"]:
            self._compare(task)
        missing = set(tasks) - {task["taskArn"] for task in answer["tasks"]}
        # DescribeTasks may not know a task yet that was started seconds ago.
        for arn in sorted(missing):
            if tasks[arn]["known"]:
                self._compare(_gone(tasks[arn]))

    def _compare(self, task: dict[str, Any]) -> None:
        now = (task.get("version"), task["lastStatus"])
        if self._seen.get(task["taskArn"]) == now:
            return
        # Through JSON: boto3 makes moments of what EventBridge writes as text.
        detail = json.loads(json.dumps(task, default=lambda moment: moment.isoformat()))
        told = {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail}
        self._tell(told)
        self._seen[task["taskArn"]] = now


def _gone(row: dict[str, Any]) -> dict[str, Any]:
    """A task that ECS has forgotten, as a task that has stopped."""
    override = {"name": row["container"]}
    return {
        "taskArn": row["task_arn"],
        "lastStatus": "STOPPED",
        "stopCode": "InfrastructureHealth",
        "stoppedReason": _FORGOTTEN,
        "version": row["version"] + 1,
        "startedBy": row["started_by"],
        "overrides": {"containerOverrides": [override]},
        "containers": [],
    }


def _in_words(cluster: str, error: BotoCoreError | ClientError) -> str:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    told = _RENEW.get(code, "asked again in a moment")
    return f"can't ask ECS what became of the tasks on {cluster}: {error} ({told})"


def _client(aws: Mapping[str, str]) -> Any:
    retries: Any = {"mode": "standard", "total_max_attempts": 4}
    return boto3.Session(
        aws_access_key_id=aws.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=aws.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=aws.get("AWS_SESSION_TOKEN"),
        region_name=aws.get("AWS_REGION") or aws.get("AWS_DEFAULT_REGION"),
        profile_name=aws.get("AWS_PROFILE"),
    ).client(
        "ecs",
        endpoint_url=aws.get("AWS_ENDPOINT_URL_ECS") or aws.get("AWS_ENDPOINT_URL"),
        config=Config(retries=retries, connect_timeout=3, read_timeout=15),
    )
