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

from locaria.local.database import Database, StoppedError

log = logging.getLogger(__name__)
_AT_ONCE = 100  # tasks that one DescribeTasks takes
_LOCK = 7_203_411_906  # any number, used for nothing else
# What ecsRunTask answered names tasks that never came to report themselves, too. ECS forgets a
# stopped task after an hour.
_LIVING = """
    with started as (
      select i.payload ->> 'cluster' as cluster,
             json_array_elements_text(i.response -> 'tasks') as task_arn
        from aws_lambda.invocations i
       where i.function_name = 'ecsRunTask' and i.state = 'succeeded'
         and i.payload ->> 'action' = 'run_task'
         and i.finished_at > clock_timestamp() - interval '1 day'
    )
    select s.cluster, s.task_arn
      from started s left join locaria.tasks t using (task_arn)
     where t.stopped is null
    union
    select split_part(t.task_arn, '/', 2), t.task_arn
      from locaria.tasks t
     where t.stopped is null and t.task_arn like 'arn:aws%%:ecs:%%:task/%%/%%'
"""


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
        every_s: float = 5.0,
    ) -> None:
        self._tell = tell
        self._every_s = every_s
        self._ecs = _client(aws)
        self._stopping = threading.Event()
        self._database = Database(dsn, "ECS", self._stopping)
        self._thread = threading.Thread(target=self._run, name="ecs-watch")
        self._seen: dict[str, tuple[Any, ...]] = {}
        self._failed = ""

    def start(self) -> None:
        """Look in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with self._database:
            while not self._stopping.wait(self._every_s):
                try:
                    self._look()
                    self._failed = ""
                except StoppedError:
                    return
                except (psycopg.Error, BotoCoreError, ClientError) as error:
                    if str(error) != self._failed:
                        log.error("can't ask ECS what became of its tasks: %s", error)
                    self._failed = str(error)

    def _look(self) -> None:
        held = "select pg_try_advisory_lock(%s) as mine"
        if not self._database.run(held, [_LOCK])[0]["mine"]:
            return
        living: dict[str, list[str]] = {}
        for row in self._database.run(_LIVING):
            living.setdefault(row["cluster"], []).append(row["task_arn"])
        known = {arn for arns in living.values() for arn in arns}
        self._seen = {arn: seen for arn, seen in self._seen.items() if arn in known}
        for cluster, arns in living.items():
            for first in range(0, len(arns), _AT_ONCE):
                some = arns[first : first + _AT_ONCE]
                for task in self._ecs.describe_tasks(cluster=cluster, tasks=some)["tasks"]:
                    self._compare(task)

    def _compare(self, task: dict[str, Any]) -> None:
        now = (task.get("version"), task["lastStatus"])
        if self._seen.get(task["taskArn"]) == now:
            return
        # Through JSON: boto3 makes moments of what EventBridge writes as text.
        detail = json.loads(json.dumps(task, default=lambda moment: moment.isoformat()))
        told = {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail}
        self._tell(told)
        self._seen[task["taskArn"]] = now


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
