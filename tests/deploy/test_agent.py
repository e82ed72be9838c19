"""`locaria agent`: two of them on one database, without a superuser; one dies. Docker and ECS."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import requests
from click.testing import CliRunner
from moto.ecs.models import Task
from psycopg import sql
from psycopg.rows import dict_row

from locaria.cli import main
from locaria.local.postgres.server import PostgresServer
from locaria.resources import ROOT

OWNER = "agent_owner"
ACTOR = ROOT / "tests" / "acceptance" / "containers" / "actor"
LIMITS = {"idle_timeout": "1 second", "backoff": "0 seconds", "lease": "3 seconds"}


class Agents:
    """Agents as processes, and the database that they share."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.said: dict[str, list[str]] = {}
        self.readers: dict[str, threading.Thread] = {}
        self.entry: dict[str, Any] = {}
        self.db = psycopg.connect(dsn, autocommit=True, row_factory=dict_row) if dsn else None

    def start(self, name: str, containers: tuple[str, ...] = ("actor",), *words: str) -> None:
        """Start an agent that has these containers, and wait until it serves."""
        place = self.folder / f"containers-{name}"
        place.mkdir(exist_ok=True)
        entry: dict[str, Any] = {"entry_point": ["python", "actor.py"], "type": "loader"}
        entry |= {"limits": LIMITS} | self.entry
        (place / "dockers.json").write_text(json.dumps(dict.fromkeys(containers, entry)))
        for container in containers:
            if not (place / container).exists():
                (place / container).symlink_to(ACTOR)
        options = ["--state-dir", str(self.folder / name), "--containers", str(place), *words]
        process = subprocess.Popen(
            [sys.executable, "-m", "locaria.cli", "agent", *options],
            cwd=ROOT,
            env=os.environ | {"LOCARIA_DSN": self.dsn, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said[name], serves = [], threading.Event()
        self.readers[name] = threading.Thread(target=self.read, args=(name, process, serves))
        self.readers[name].start()
        serves.wait()
        assert "serves database" in self.said[name][-1], "".join(self.said[name])
        self.processes[name] = process

    def read(self, name: str, process: subprocess.Popen[str], serves: threading.Event) -> None:
        """Take what an agent says, to its end: a full pipe would hold it up."""
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.said[name].append(line)
                if "serves database" in line:
                    serves.set()
        serves.set()

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """End one agent; its exit code."""
        process = self.processes.pop(name)
        process.send_signal(number)
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError("does not end: " + "".join(self.said[name])) from None
        self.readers[name].join()
        return code

    def says(self, name: str, words: str) -> int:
        """How often an agent has said so."""
        return sum(words in line for line in self.said[name])

    def mark(self, name: str) -> str:
        return str(json.loads((self.folder / name / "secrets.json").read_text())["mark"])

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def submit(self, count: int = 1, container: str = "actor", **attributes: Any) -> list[int]:
        rows = self.rows(
            "insert into locaria.files (container, attributes) "
            "select %s, %s::jsonb from generate_series(1, %s) returning id",
            container,
            json.dumps(attributes),
            count,
        )
        return [row["id"] for row in rows]

    def wait(self, good: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not good():
            assert time.monotonic() < deadline, self.rows("select * from locaria.status")
            time.sleep(0.05)

    def at_rest(self, files: list[int]) -> bool:
        [row] = self.rows(
            "select count(*) as n from locaria.status where file_id = any(%s) and phase = 'done'",
            files,
        )
        return bool(row["n"] == len(files))


@pytest.fixture
def agents(pg_server: PostgresServer, template: str, tmp_path: Path) -> Iterator[Agents]:
    """No agent yet, on an empty database whose owner is no superuser.

    The group roles are the template's owner's: who makes them first may grant them.
    """
    del template
    name = f"agents_{os.getpid()}_{time.monotonic_ns()}"
    with closing(psycopg.connect(pg_server.dsn, autocommit=True)) as superuser:
        owner = sql.Identifier(OWNER)
        if superuser.execute("select from pg_roles where rolname = %s", [OWNER]).fetchone() is None:
            superuser.execute(
                sql.SQL("create role {} login createrole password 'for tests only'").format(owner)
            )
            for group in ("loader", "app", "reader", "operator", "web", "events"):
                role = sql.Identifier(f"locaria_{group}")
                superuser.execute(sql.SQL("grant {} to {} with admin option").format(role, owner))
        superuser.execute(
            sql.SQL("create database {} owner {}").format(sql.Identifier(name), owner)
        )
    found = Agents(pg_server.dsn_for(name, OWNER, "for tests only"), tmp_path)
    yield found
    for each in list(found.processes):
        found.end(each, signal.SIGKILL)
    if found.db is not None:
        found.db.close()
    for path in tmp_path.glob("*/ecs/tasks/*.json"):
        pid = json.loads(path.read_text())["pid"]
        if pid is not None:
            subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)
    with closing(psycopg.connect(pg_server.dsn, autocommit=True)) as superuser:
        superuser.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def tasks_of(agents: Agents, files: list[int]) -> set[str]:
    """The ids of the tasks that ran these files."""
    rows = agents.rows(
        "select distinct t.task_arn from locaria.runs r join locaria.tasks t on t.id = r.task_id "
        "where r.file_id = any(%s)",
        files,
    )
    return {row["task_arn"].rpartition("/")[2] for row in rows}


def test_two_agents_share_a_database_and_each_file_is_done_once(agents: Agents) -> None:
    agents.start("one", ("actor", "first"))
    agents.start("two", ("actor", "second"))
    common = agents.submit(40, do="work")
    first, second = (agents.submit(3, name, do="work") for name in ("first", "second"))
    agents.wait(lambda: agents.at_rest(common + first + second))
    counted = agents.rows(
        "select count(*) as n, count(distinct file_id) as files from locaria.runs"
    )
    assert counted == [{"n": 46, "files": 46}]
    # A container is started by who has it; every task's id bears its agent's mark.
    assert {each[:8] for each in tasks_of(agents, first)} == {agents.mark("one")}
    assert {each[:8] for each in tasks_of(agents, second)} == {agents.mark("two")}

    hanging = agents.submit(do="hang", container="second")
    agents.wait(lambda: tasks_of(agents, hanging))
    agents.rows(
        "update locaria.tasks set stop_requested = locaria.clock() where id in "
        "(select task_id from locaria.runs where file_id = any(%s))",
        hanging,
    )
    stopped = "select worker from aws_lambda.invocations where payload ->> 'action' = 'stop_task'"
    agents.wait(lambda: [r for r in agents.rows(stopped) if r["worker"]])
    assert agents.rows(stopped)[0]["worker"].endswith(agents.mark("two")), "who runs it stops it"
    assert agents.end("one") == 0
    assert agents.end("two") == 0


def test_what_a_dead_agent_leaves_is_taken_over(agents: Agents) -> None:
    agents.start("one")
    [file] = agents.submit(do="hang")
    agents.wait(lambda: tasks_of(agents, [file]))
    [task] = (agents.folder / "one" / "ecs" / "tasks").glob("*.json")
    agents.end("one", signal.SIGKILL)  # as when the host dies, its tasks go, too
    os.killpg(json.loads(task.read_text())["pid"], signal.SIGKILL)
    agents.rows("update locaria.files set attributes = %s where id = %s", '{"do": "work"}', file)
    # An event in its hands: given back when its time is over.
    agents.rows(
        "insert into aws_lambda.invocations (function_name, invocation_type, state, attempts, "
        "  payload, worker, taken_at) "
        "values ('taskEvents', 'Event', 'running', 1, '{\"action\": \"tick\"}', 'gone', "
        "  now() - interval '1 hour')"
    )
    agents.start("two")
    agents.wait(lambda: agents.at_rest([file]))
    marks = {each[:8] for each in tasks_of(agents, [file])}
    assert marks == {json.loads(task.read_text())["id"][:8], agents.mark("two")}
    given_back = "select state from aws_lambda.invocations where payload ->> 'action' = 'tick'"
    agents.wait(lambda: agents.rows(given_back) == [{"state": "succeeded"}])

    second = subprocess.run(
        [sys.executable, "-m", "locaria.cli", "agent", "--state-dir", agents.folder / "two"],
        env=os.environ | {"LOCARIA_DSN": agents.dsn, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "Give each agent a folder of its own" in second.stderr
    assert agents.end("two") == 0


NOBODY = "postgresql://x:canary@127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "which database?"),
        (["--dsn", "host=x canary"], "(--dsn or LOCARIA_DSN) can't be read"),
        (["--dsn", NOBODY, "--task-dsn", "x canary"], "(--task-dsn or LOCARIA_TASK_DSN) can't be"),
        (["--dsn", NOBODY], "can't connect to the given database"),
        (["--dsn", NOBODY, "--image", "a"], "go with --run docker"),
        (["--dsn", NOBODY, "--run", "docker", "--image", "a"], "which images?"),
        (["--dsn", NOBODY, "--run", "docker", "--image", "{container}:{tag}"], "{ stands for"),
        (["--dsn", NOBODY, "--env", "NOT_SET_ANYWHERE"], "--env: not set: NOT_SET_ANYWHERE"),
        (["--dsn", NOBODY, "--containers", "{folder}"], "which containers? [Errno 2]"),
        (["--dsn", NOBODY, "--state-dir", "/proc/nowhere"], "can't start in /proc/nowhere: ["),
    ],
)
def test_what_is_given_wrong_is_told_in_words(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locaria.cli.runtime.agent._log_here", lambda: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # those of the tests stay
    given = [word.replace("{folder}", str(tmp_path)) for word in words]
    where = [] if "--state-dir" in given else ["--state-dir", str(tmp_path / "state")]
    done = CliRunner(env={"LOCARIA_DSN": None}).invoke(main, ["agent", *where, *given])
    assert done.exit_code in (1, 2, 4)
    assert isinstance(done.exception, SystemExit), done.exception
    assert told in done.output
    assert "canary" not in done.output


def test_an_unreadable_dsn_of_up_is_told_and_not_shown(tmp_path: Path) -> None:
    words = ["up", "--dsn", "host=x canary", "--state-dir", str(tmp_path / "state")]
    done = CliRunner().invoke(main, words)
    assert isinstance(done.exception, SystemExit), done.exception
    assert "(--dsn or LOCARIA_UP_DSN) can't be read" in done.output
    assert "canary" not in done.output


@contextmanager
def frozen(agents: Agents, server: PostgresServer) -> Iterator[None]:
    """The server takes connections and answers none, as one whose disk hangs."""
    serving = agents.rows("select pid from pg_stat_activity where datname = current_database()")
    pids = [server.pid, *(row["pid"] for row in serving)]
    for pid in pids:
        with suppress(ProcessLookupError):  # that of the question itself
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_an_agent_ends_when_the_database_does_not_answer_and_says_what_it_left(
    agents: Agents, pg_server: PostgresServer
) -> None:
    agents.entry = {"stop_timeout": 1}  # which the task needs: it waits for the database, too
    agents.start("one")
    [file] = agents.submit(do="hang")
    agents.wait(lambda: tasks_of(agents, [file]))
    [task] = tasks_of(agents, [file])
    with frozen(agents, pg_server):
        assert agents.end("one") == 0
    assert agents.says("one", "the database does not answer; not waiting for it")
    assert agents.says("one", f"/{task} is STOPPED"), agents.said["one"]
    assert agents.says("one", "can't tell the database that we stop")

    agents.rows("update locaria.files set attributes = %s where id = %s", '{"do": "work"}', file)
    agents.start("one")
    agents.wait(lambda: agents.at_rest([file]))
    assert agents.end("one") == 0


def test_an_agent_upgrades_the_schema_when_it_must_and_never_to_an_older_one(
    agents: Agents,
) -> None:
    with pytest.raises(AssertionError, match="Start it without --no-install"):
        agents.start("one", ("actor",), "--no-install")
    agents.start("one")
    agents.end("one")
    with psycopg.connect(agents.dsn) as application:
        # An upgrade would wait for it, and all others behind the upgrade.
        application.execute("insert into locaria.files (container) values ('actor')")
        agents.start("one")
        agents.end("one")
        agents.rows(
            'update locaria.parameters set parameter = \'{"sql": "newer", "version": "99.0"}\' '
            "where parameter_name = 'agents'"
        )
        agents.entry = {"description": "as it was before"}
        agents.start("one")
        assert agents.rows("select description from locaria.containers") == [{"description": ""}]


DOCKER = """
    #!{python} -SE
    # Stands in for docker: keeps a diary; runs the container's program instead of its image.
    import json, os, pathlib, sys
    words = sys.argv[1:]
    here = pathlib.Path(__file__).parent
    given = [w.partition("=")[2] for w in words if w.startswith("--env=")]
    told = dict(argv=words, variables=dict((name, os.environ.get(name)) for name in given))
    with (here / "diary.jsonl").open("a") as diary:
        diary.write(json.dumps(told) + "\\n")
    if words[0] == "run":
        os.environ["PYTHONPATH"] = "{root}"
        os.execv("{python}", ["{python}", "{actor}"])
"""


def test_containers_run_from_images_with_docker(
    agents: Agents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    docker = programs / "docker"
    facts = {"python": sys.executable, "root": ROOT, "actor": ACTOR / "actor.py"}
    docker.write_text(textwrap.dedent(DOCKER).lstrip().format(**facts))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    words = ["--run", "docker", "--image", "registry.example/x/{container}:1"]
    agents.start("one", ("actor",), *words, "--mount", "/data:/data:ro")
    files = agents.submit(do="work")
    agents.wait(lambda: agents.at_rest(files))
    hanging = agents.submit(do="hang")
    agents.wait(lambda: tasks_of(agents, hanging))
    agents.rows(
        "update locaria.tasks set stop_requested = locaria.clock() "
        "where id in (select task_id from locaria.runs where file_id = any(%s))",
        hanging,
    )
    [stopped] = tasks_of(agents, hanging)
    over = "select exit_code from locaria.tasks where task_arn like %s and stopped is not null"
    agents.wait(lambda: agents.rows(over, f"%/{stopped}"))
    assert agents.end("one") == 0

    diary = [json.loads(line) for line in (programs / "diary.jsonl").read_text().splitlines()]
    run = next(each for each in diary if each["argv"][0] == "run")
    words, variables = run["argv"], run["variables"]
    assert words[-1] == "registry.example/x/actor:1"
    assert {"--init", "--network=host", "--volume=/data:/data:ro"} < set(words)
    assert "PYTHONPATH" not in variables
    password = psycopg.conninfo.conninfo_to_dict(variables["LOCARIA_DSN"])["password"]
    assert password
    assert not [each for each in diary if str(password) in " ".join(each["argv"])]
    removed = ["rm", "--force", "--volumes", f"locaria-{stopped}"]
    assert removed in [each["argv"] for each in diary]


@pytest.fixture
def ecs(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of an ECS with a cluster `mine`, and the environment of an agent that uses it."""
    requests.post(f"{moto_url}/moto-api/reset", timeout=30).raise_for_status()
    for name, value in {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    # As ECS tells it; moto knows no versions.
    version = property(lambda task: 5 if task.last_status == "STOPPED" else 2)
    monkeypatch.setattr(Task, "version", version, raising=False)
    client = boto3.client("ecs", region_name="eu-west-1")
    client.create_cluster(clusterName="mine")
    facts = {"name": "actor", "image": "actor", "cpu": 256, "memory": 512}
    client.register_task_definition(
        family="site-actor",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[facts],
    )
    return client


def test_containers_run_on_an_ecs_cluster_and_a_stopped_task_stands_on_its_row(
    agents: Agents, ecs: Any
) -> None:
    ec2 = boto3.client("ec2", region_name="eu-west-1")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    # moto gives a network interface no DNS name without this, and then fails to read it
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    agents.start("one", ("actor",), "--run", "ecs")
    config = {
        "arn": "arn:aws:lambda:local:000000000000:function:ecsRunTask",
        "cluster": "mine",
        "subnets": [subnet],
        "security_groups": [group],
    }
    config = {"default": config, "actor": {"task": "site-actor"}}
    agents.rows(
        "update locaria.parameters set parameter = %s where parameter_name = 'fargate_config'",
        json.dumps(config),
    )
    agents.submit(do="work")
    agents.wait(lambda: ecs.list_tasks(cluster="mine")["taskArns"])
    [arn] = ecs.list_tasks(cluster="mine")["taskArns"]
    [task] = ecs.describe_tasks(cluster="mine", tasks=[arn])["tasks"]
    assert task["taskDefinitionArn"].endswith(":task-definition/site-actor:1")
    assert task["startedBy"].startswith("locaria-")
    [override] = task["overrides"]["containerOverrides"]
    names = {each["name"] for each in override["environment"]}
    assert override["name"] == "actor"
    assert names == {
        "LOCARIA_CONTAINER",
        "LOCARIA_DISPATCH",
        "LOCARIA_LAUNCH",
        "LOCARIA_XACT",
    }, "and no secret: those are the task definition's"
    told = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
    assert told["subnetId"] == subnet

    row = "select last_status, stopped_reason from locaria.tasks where task_arn = %s"
    agents.wait(lambda: agents.rows(row, arn))
    ecs.stop_task(cluster="mine", task=arn, reason="CannotPullContainerError: not found")
    agents.wait(lambda: agents.rows(row, arn)[0]["last_status"] == "STOPPED")
    assert agents.rows(row, arn)[0]["stopped_reason"] == "CannotPullContainerError: not found"
    assert agents.end("one") == 0
