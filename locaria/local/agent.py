"""An agent: Lambda queue, ECS and tick for a database of one's own, beside others on other hosts.

What keeps several of them apart, on one database:

- Invocations are claimed with `for update skip locked`. Who dies with one in hand gives it back: to
  himself when he starts again, to the others when its time is over.
- Every agent has a mark, kept in its state directory, with which the ids of its tasks begin: a task
  is stopped by the agent that runs it.
- Every agent has a login of its own for its tasks.
- What a dead agent's tasks held is given to others when their leases end, as with any dead task.
- `locaria.tick()` lets one do the work at a time.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg

from locaria.deploy.assemble import assemble
from locaria.deploy.database import SiteDatabase
from locaria.install import read_dockers, register_containers
from locaria.launch.ecs import EcsWatch
from locaria.launch.launchers import OBJECT_STORE, OBJECTS_VOLUME, DockerLauncher, Launcher
from locaria.local.aws.ecs.control_plane import LocalEcs
from locaria.local.aws.ecs.model import load_task_definitions
from locaria.local.aws.lambda_service.environment import LambdaFunction
from locaria.local.aws.lambda_service.queue import DeliveryRules, LambdaQueue, Share
from locaria.local.aws.standin import install_queue
from locaria.local.private_file import PrivateFile
from locaria.local.registration import Inhabitant, Living
from locaria.local.site import CLUSTER, GROUPS, LOADER, SiteError, configure_launch
from locaria.local.state_lock import hold
from locaria.local.ticker import Ticker
from locaria.local.upgrade import bring_up_to_date
from locaria.resources import CONTAINERS, LAMBDA

log = logging.getLogger(__name__)
_NO_SCHEMA = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
)
_PASSED_ON = (OBJECT_STORE, "LOCARIA_FILE_ROOTS", "LOCARIA_FETCH_PRIVATE")


@dataclass(frozen=True)
class AgentOptions:
    """How an agent works.

    Attributes:
        containers_dir    folder with `dockers.json`; the agent starts these containers.
        launcher          how; None: the entry points, as processes.
        aws               on an existing ECS cluster instead: environment variables of the AWS SDK
                          for `ecsRunTask`; None: here.
        task_dsn          what tasks log in with; None: a login that the agent makes.
        task_environment  more environment variables for tasks.
        install           bring the schema up to date at start.
        tick_every_s      seconds between two calls of `locaria.tick()`.
    """

    containers_dir: Path = CONTAINERS
    lambda_dir: Path = LAMBDA
    launcher: Launcher | None = None
    aws: Mapping[str, str] | None = None
    task_dsn: str | None = None
    task_environment: Mapping[str, str] = field(default_factory=dict)
    install: bool = True
    tick_every_s: float = 1.0
    rules: DeliveryRules | None = None


class Agent:
    """Everything that `locaria agent` starts.

    Parameters
        state_dir  its own folder: mark, secrets, logs, tasks. Kept between two starts.
        dsn        of the owner of Locaria's schema; needs CREATE on the database, and CREATEROLE
                   unless the roles exist and `task_dsn` is given.
    """

    def __init__(self, state_dir: Path, dsn: str, options: AgentOptions | None = None) -> None:
        self.state_dir = state_dir.absolute()
        self.ecs: LocalEcs | None = None
        self._dsn = dsn
        self._options = options or AgentOptions()
        self._kept = PrivateFile(self.state_dir / "secrets.json")
        self._running = ExitStack()
        self.on_lost: Callable[[str], None] = log.error

    @property
    def mark(self) -> str:
        """Eight hexadecimal digits that no other agent has."""
        return str(self._kept.get("mark"))

    @property
    def name(self) -> str:
        """How it is called in the database."""
        return self._who.name

    @property
    def _who(self) -> Inhabitant:
        by = "process" if self._options.launcher is None else "docker"
        return Inhabitant("agent", by if self._options.aws is None else "ecs", self.mark)

    def __enter__(self) -> Self:
        """Start. Raises AlreadyRunningError, OccupiedError, SiteError or StandinError."""
        told = "Give each agent a folder of its own: --state-dir."
        try:
            names = _names_in(self._dockers)
            self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._running.enter_context(hold(self.state_dir, "another agent", told))
            for name, value in (("mark", secrets.token_hex(4)), ("access_key", _new_key())):
                if self._kept.get(name) is None:
                    self._kept.save(**{name: value})
            living = Living(self._dsn, self._who, self.on_lost)
            self._running.enter_context(living)
            task_dsn = self._prepare(living, names)
            self._start_services(names, task_dsn)
        except OSError as error:
            self._running.close()
            raise SiteError(f"can't start in {self.state_dir}: {error}") from error
        except BaseException:
            self._running.close()
            raise
        log.info("agent %s runs: %s", self.name, ", ".join(names))
        return self

    def __exit__(self, *_: Any) -> None:
        """Stop. Tasks get SIGTERM first, and SIGKILL after their stopTimeout."""
        self._running.close()

    def stop_now(self) -> None:
        """Kill the tasks of a stop that is under way."""
        if self.ecs is not None:
            self.ecs.kill_tasks()

    # -- steps of the start ----------------------------------------------------------------------

    @property
    def _dockers(self) -> Path:
        return self._options.containers_dir / "dockers.json"

    def _prepare(self, living: Living, names: list[str]) -> str:
        """Schema, stand-in, containers, configuration; the tasks' DSN."""
        try:
            install_queue(self._dsn)
            newest = bring_up_to_date(self._dsn) if self._options.install else True
            with psycopg.connect(self._dsn, autocommit=True) as connection:
                if newest:
                    register_containers(connection, self._dockers)
                for name in names if self._options.aws is None else []:
                    configure_launch(connection, name)
            living.tell(self._dsn, names)
        except _NO_SCHEMA as error:
            raise SiteError(
                f"{error.diag.message_primary}: the schema is missing here, or older than this "
                "agent. Start it without --no-install, or: locaria db upgrade"
            ) from error
        except psycopg.OperationalError as error:
            raise SiteError(f"can't connect to the given database: {error}") from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise SiteError(
                f"{error.diag.message_primary}: an agent logs in as the owner of Locaria's schema, "
                "who may create in the database: grant create on database … to …"
            ) from error
        except psycopg.Error as error:
            raise SiteError(f"the database said: {error.diag.message_primary or error}") from error
        if self._options.aws is not None:
            return ""  # a task definition on ECS has its own login
        return self._options.task_dsn or self._own_login()

    def _own_login(self) -> str:
        """A login for this agent's tasks, with a password that only this agent knows."""
        role = f"locaria_agent_{self.mark}"
        site = SiteDatabase(self._dsn)
        if self._kept.get("task_dsn") is None:
            self._kept.save(task_dsn=site.new_dsn(role, sslmode="prefer"))
        dsn = str(self._kept.get("task_dsn"))
        try:
            site.ensure_login(role, dsn, GROUPS[LOADER])
        except psycopg.errors.InsufficientPrivilege as error:
            raise SiteError(
                f"{error.diag.message_primary}: the owner may make no login for tasks. Give one "
                "that is in locaria_loader: --task-dsn"
            ) from error
        return dsn

    def _start_services(self, names: list[str], task_dsn: str) -> None:
        """Queue, ECS, tick. The queue ends last: tasks that are stopped tell it."""
        options, queues = self._options, list[LambdaQueue]()
        access_key = str(self._kept.get("access_key"))
        if options.aws is None:
            self.ecs = LocalEcs(
                self.state_dir / "ecs",
                load_task_definitions(self._dockers),
                on_event=lambda event: queues[0].put("taskEvents", event),
                secrets=self._task_environment(task_dsn),
                cluster=CLUSTER,
                access_key=access_key,
                mark=self.mark,
                launcher=options.launcher,
            )
        queues.append(
            LambdaQueue(
                self._dsn,
                self._functions(access_key),
                self.state_dir / "lambda",
                options.rules,
                share=Share(self.name, self.mark if self.ecs else None, names),
            )
        )
        self._running.enter_context(queues[0])
        if self.ecs is not None:
            self.ecs.start()
            self._running.callback(self.ecs.stop)
        if options.aws is not None:
            watch = EcsWatch(
                self._dsn, options.aws, lambda event: queues[0].put("taskEvents", event)
            )
            watch.start()
            self._running.callback(watch.stop)
        ticker = Ticker(self._dsn, options.tick_every_s)
        ticker.start()
        self._running.callback(ticker.stop)

    def _task_environment(self, task_dsn: str) -> dict[str, str]:
        objects = {OBJECT_STORE: (self.state_dir.resolve() / "objects").as_uri()}
        if isinstance(self._options.launcher, DockerLauncher):
            objects = {OBJECT_STORE: OBJECTS_VOLUME.store}
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        given = dict(self._options.task_environment)
        return objects | passed | given | {"LOCARIA_DSN": task_dsn}

    def _functions(self, access_key: str) -> list[LambdaFunction]:
        aws: dict[str, str] = dict(self._options.aws or {})
        if self.ecs is not None:
            aws = {
                "AWS_REGION": "local",
                "AWS_DEFAULT_REGION": "local",
                "AWS_ACCESS_KEY_ID": access_key,
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ENDPOINT_URL_ECS": self.ecs.url,
            }
        return [
            self._function("ecsRunTask", "ecs_run_task", aws),
            self._function("taskEvents", "task_events", {"LOCARIA_DSN": self._dsn}),
        ]

    def _function(self, name: str, folder: str, environment: dict[str, str]) -> LambdaFunction:
        source = self._options.lambda_dir / folder
        path = assemble(source, self.state_dir / "lambda" / folder) / f"{folder}.py"
        return LambdaFunction(name, path, environment | {"AWS_LAMBDA_FUNCTION_NAME": name})


def _names_in(dockers: Path) -> list[str]:
    try:
        return list(read_dockers(dockers))
    except (OSError, ValueError) as error:
        raise SiteError(f"which containers? {error}") from error


def _new_key() -> str:
    return f"LOCAL{secrets.token_hex(12).upper()}"
