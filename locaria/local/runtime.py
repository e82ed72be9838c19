"""Locaria on one machine: Postgres, the Lambda queue, the ECS control plane and the tick."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from locaria.deploy.assemble import assemble
from locaria.local import processes
from locaria.local.aws.ecs.control_plane import LocalEcs
from locaria.local.aws.ecs.model import load_task_definitions
from locaria.local.aws.lambda_service.environment import LambdaFunction
from locaria.local.aws.lambda_service.queue import DeliveryRules, LambdaQueue
from locaria.local.postgres.server import PostgresServer
from locaria.local.private_file import PrivateFile
from locaria.local.registration import Inhabitant, Living
from locaria.local.site import (
    CLUSTER,
    SECRETS_FILE,
    Site,
    install_site,
    prepare_embedded,
    prepare_given,
)
from locaria.local.state_lock import hold
from locaria.local.status import STATUS_FILE
from locaria.local.ticker import Ticker
from locaria.local.web_process import WebServer
from locaria.resources import CONTAINERS, DEFAULT_STATE_DIR, LAMBDA
from locaria.web.sockets import DEFAULT_PORT

log = logging.getLogger(__name__)
# Where containers keep objects, and what they need to reach it; see containers/modules.
_OBJECT_STORE = "LOCARIA_OBJECT_STORE"
_ARCHIVE = "LOCARIA_ARCHIVE"
_S3_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
)
INGEST = "bundle_ingest"  # the container whose endpoint is the status' "ingest"


class Runtime:
    """Everything that `locaria up` starts.

    Parameters
        state_dir         all files of this runtime: secrets, logs, the database unless `dsn`.
        dsn               a superuser's DSN of a database to use in place of our own Postgres.
        bin_dir           folder of `postgres`; see `PostgresServer`.
        durable           False for tests; see `PostgresServer`.
        containers_dir    folder with `dockers.json`.
        lambda_dir        folder with one folder per Lambda function.
        task_environment  more environment variables for all containers.
        rules             of the Lambda queue.
        tick_every_s      seconds between two calls of `locaria.tick()`.
        http_port         of the web server, the next free one if it is taken; 0: any free one.
    """

    def __init__(
        self,
        state_dir: Path | str = DEFAULT_STATE_DIR,
        dsn: str | None = None,
        *,
        bin_dir: Path | str | None = None,
        durable: bool = True,
        containers_dir: Path = CONTAINERS,
        lambda_dir: Path = LAMBDA,
        task_environment: Mapping[str, str] | None = None,
        rules: DeliveryRules | None = None,
        tick_every_s: float = 1.0,
        http_port: int = DEFAULT_PORT,
    ) -> None:
        self.state_dir = Path(state_dir).absolute()
        self.server: PostgresServer | None = None
        if dsn is None:
            self.server = PostgresServer(
                self.state_dir / "postgres", bin_dir=bin_dir, durable=durable
            )
        self._given_dsn = dsn
        self._dockers_json = containers_dir / "dockers.json"
        self._lambda_dir = lambda_dir
        self._task_environment = dict(task_environment or {})
        self._rules = rules
        self._tick_every_s = tick_every_s
        self._http_port = http_port
        self._web: WebServer | None = None
        self._kept = PrivateFile(self.state_dir / SECRETS_FILE)
        self._status = PrivateFile(self.state_dir / STATUS_FILE)
        self._running = ExitStack()
        self._status_lock = threading.Lock()
        self._listeners: dict[str, str] = {}
        self._site: Site | None = None
        self._ecs: LocalEcs | None = None
        self.on_lost: Callable[[str], None] = log.error

    @property
    def dsn(self) -> str:
        """The DSN of the schema's owner."""
        return self.site.owner_dsn

    @property
    def site(self) -> Site:
        """The DSNs of all roles."""
        if self._site is None:
            raise RuntimeError("the runtime is not started")
        return self._site

    @property
    def ecs(self) -> LocalEcs:
        """The ECS control plane, for instance for its script of faults."""
        if self._ecs is None:
            raise RuntimeError("the runtime is not started")
        return self._ecs

    def start(self) -> Self:
        """Start all parts, in an order in which each finds what it needs.

        Raises AlreadyRunningError, OccupiedError, PostgresError, SiteError or StandinError; nothing
        runs then.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._lock()
            self._write_status("starting")
            self._running.callback(self._status.remove)
            if self.server is not None:
                self._running.callback(self.server.stop)
                self.server.start()
            self._site = self._prepare()
            self._start_services(self._site)
        except BaseException:
            self._running.close()
            raise
        self._write_status("running")
        log.info("running, process %s", os.getpid())
        return self

    def stop(self) -> None:
        """Stop everything. Tasks get SIGTERM first, and SIGKILL after their stopTimeout."""
        if self._status.path.exists():
            self._write_status("stopping")
        self._running.close()

    def stop_now(self) -> None:
        """Hasten a `stop` that is under way: tasks are killed at once."""
        if self._ecs is not None:
            self._ecs.kill_tasks()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # -- steps of start() ------------------------------------------------------------------------

    def _lock(self) -> None:
        """Hold the state directory; the system lets go of it however we end."""
        told = f"Stop it with: locaria down --state-dir {self.state_dir}"
        pid = self._status.get("pid")
        self._running.enter_context(hold(self.state_dir, f"process {pid}", told))

    def _prepare(self) -> Site:
        """The database, once nobody else lives on it: the logins in it become ours."""
        if self.server is not None:
            site = prepare_embedded(self.server, self._kept)
            living = self._live_on(site.superuser_dsn)
        else:
            given = self._given_dsn or ""
            living = self._live_on(given)
            site = prepare_given(given, self._kept)
        names = install_site(site, self._kept, self._dockers_json)
        living.tell(site.owner_dsn, names)
        log.info("installed, containers: %s", ", ".join(names) or "none")
        return site

    def _live_on(self, dsn: str) -> Living:
        living = Living(dsn, Inhabitant("up"), self.on_lost)
        return self._running.enter_context(living)

    @property
    def _object_store(self) -> dict[str, str]:
        """Where containers keep objects: as the environment says, or in a folder of ours."""
        given = os.environ.get(_OBJECT_STORE)
        archive = {_ARCHIVE: os.environ[_ARCHIVE]} if _ARCHIVE in os.environ else {}
        if given is None:
            return archive | {_OBJECT_STORE: (self.state_dir.resolve() / "objects").as_uri()}
        known = {name: os.environ[name] for name in _S3_VARIABLES if name in os.environ}
        return archive | {_OBJECT_STORE: given} | (known if given.startswith("s3:") else {})

    def _start_services(self, site: Site) -> None:
        """Queue, ECS, tick. The queue ends last: tasks that are stopped tell it."""
        if self._kept.get("access_key") is None:
            self._kept.save(access_key=f"LOCAL{secrets.token_hex(12).upper()}")
        access_key = str(self._kept.get("access_key"))
        queues: list[LambdaQueue] = []
        dockers = self._dockers_json
        self._ecs = LocalEcs(
            self.state_dir / "ecs",
            load_task_definitions(dockers) if dockers.exists() else {},
            on_event=lambda event: queues[0].put("taskEvents", event),
            secrets=self._object_store | self._task_environment | {"LOCARIA_DSN": site.loader_dsn},
            cluster=CLUSTER,
            access_key=access_key,
        )
        functions = self._functions(self._ecs.url, access_key, site.owner_dsn)
        log_dir = self.state_dir / "lambda"
        queues.append(LambdaQueue(site.superuser_dsn, functions, log_dir, self._rules))
        self._running.enter_context(queues[0])
        self._ecs.start()
        self._running.callback(self._ecs.stop)
        ticker = Ticker(site.owner_dsn, self._tick_every_s, self.server, tell=self._show_listeners)
        ticker.start()
        self._running.callback(ticker.stop)
        self._web = WebServer(
            site.web_dsn, "127.0.0.1", self._http_port, self.state_dir / "web.log"
        )
        self._running.callback(self._web.stop)
        self._web.start()

    def _functions(self, ecs_url: str, access_key: str, owner_dsn: str) -> list[LambdaFunction]:
        aws = {
            "AWS_REGION": "local",
            "AWS_DEFAULT_REGION": "local",
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        run_task = {"AWS_ENDPOINT_URL_ECS": ecs_url}
        return [
            self._function("ecsRunTask", "ecs_run_task", aws | run_task),
            self._function("taskEvents", "task_events", aws | {"LOCARIA_DSN": owner_dsn}),
        ]

    def _function(self, name: str, folder: str, environment: dict[str, str]) -> LambdaFunction:
        variables = environment | {"AWS_LAMBDA_FUNCTION_NAME": name}
        assembled = assemble(self._lambda_dir / folder, self.state_dir / "lambda" / folder)
        return LambdaFunction(name, assembled / f"{folder}.py", variables)

    def _show_listeners(self, endpoints: dict[str, str]) -> None:
        """Where the living listeners take commands, by container."""
        with self._status_lock:
            self._listeners = endpoints
            if self._status.path.exists():
                ingest = endpoints.get(INGEST)
                self._status.save(listeners=endpoints, ingest=ingest)

    def _write_status(self, state: str) -> None:
        with self._status_lock:
            self._save_status(state)

    def _save_status(self, state: str) -> None:
        pid = os.getpid()
        facts: dict[str, Any] = {"state": state, "pid": pid, "mark": processes.start_time(pid)}
        if self._site is not None and self._ecs is not None:
            facts |= {"dsn": self._site.owner_dsn, "ecs": self._ecs.url}
            facts |= {"http": None, "ws": None, "postgres": self._postgres()}
            facts |= {"ingest": self._listeners.get(INGEST), "listeners": self._listeners}
        if self._web is not None:
            facts |= {"http": self._web.http, "ws": self._web.ws}
        self._status.save(**facts)

    def _postgres(self) -> dict[str, Any]:
        if self.server is None:
            return {"kind": "given"}
        return {"kind": "embedded", "version": self.server.version, "port": self.server.port}
