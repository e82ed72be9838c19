"""The local ECS: tasks as real processes, and what is told of them."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from locaria.launch.launchers import ProcessLauncher
from locaria.local import processes
from locaria.local.aws.ecs.control_plane import LocalEcs
from locaria.local.aws.ecs.model import EcsError, TaskDefinition, load_task_definitions

SECRET = "postgresql://loader:canary@127.0.0.1/locaria"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
PROGRAM = """
    import json, os, signal, subprocess, sys, time, urllib.request
    say = lambda **words: print(json.dumps(words), flush=True)
    mode = os.environ.get("MODE", "exit")
    metadata = urllib.request.urlopen(os.environ["ECS_CONTAINER_METADATA_URI_V4"] + "/task")
    say(dsn=os.environ["LOCARIA_DSN"], argv=sys.argv, arn=json.load(metadata)["TaskARN"])
    if mode == "exit":
        sys.exit(int(os.environ.get("CODE", "0")))
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "parent":
        say(child=subprocess.Popen(["sleep", "600"]).pid)
        sys.exit(0)
    say(ready=True)
    time.sleep(600)
"""


class Bench:
    """A local ECS with the container `work`, and a boto3 client of it."""

    def __init__(self, folder: Path) -> None:
        (folder / "work").mkdir(exist_ok=True)
        (folder / "work" / "main.py").write_text(textwrap.dedent(PROGRAM))
        command = (sys.executable, "main.py")
        definition = TaskDefinition("work", command, folder / "work", stop_timeout=0.3)
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.ecs = LocalEcs(
            folder / "state",
            {"work": definition},
            self.events.put,
            secrets={"LOCARIA_DSN": SECRET},
            access_key="KEY",
        )
        self.client = self.make_client("KEY")

    def make_client(self, key: str) -> Any:
        return boto3.client(
            "ecs",
            endpoint_url=self.ecs.url,
            region_name="local",
            aws_access_key_id=key,
            aws_secret_access_key="-",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )

    def run(self, count: int = 1, token: str | None = None, **environment: str) -> list[str]:
        pairs = [{"name": name, "value": value} for name, value in environment.items()]
        response = self.client.run_task(
            cluster="locaria",
            taskDefinition="work",
            count=count,
            networkConfiguration=NETWORK,
            overrides={"containerOverrides": [{"name": "work", "environment": pairs}]},
            **({} if token is None else {"clientToken": token}),
        )
        self.failures = response["failures"]
        return [task["taskArn"] for task in response["tasks"]]

    def describe(self, arn: str) -> Any:
        [task] = self.client.describe_tasks(cluster="locaria", tasks=[arn])["tasks"]
        return task

    def await_status(self, arn: str, status: str) -> dict[str, Any]:
        """The detail of the event that tells this status."""
        while True:
            detail: dict[str, Any] = self.events.get(timeout=20)["detail"]
            if (detail["taskArn"], detail["lastStatus"]) == (arn, status):
                return detail

    def await_words(self, arn: str, word: str) -> Any:
        """The value of a word that the task's program printed."""
        path = self.ecs.log_path(arn)
        with subprocess.Popen(["tail", "-n", "+1", "-F", path], stdout=subprocess.PIPE) as tail:
            assert tail.stdout is not None
            for line in tail.stdout:
                if word in (said := json.loads(line)):
                    tail.kill()
                    return said[word]
        raise AssertionError(f"{word} was not said")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """See Bench."""
    bench = Bench(tmp_path)
    bench.ecs.start()
    yield bench
    bench.ecs.stop(timeout_s=1)


@pytest.mark.parametrize("code", [0, 75])
def test_a_task_runs_to_its_end_and_its_exit_code_is_told(bench: Bench, code: int) -> None:
    [arn] = bench.run(CODE=str(code))
    detail = bench.await_status(arn, "STOPPED")
    assert detail["containers"][0]["exitCode"] == code
    assert detail["stopCode"] == "EssentialContainerExited"
    assert bench.describe(arn)["lastStatus"] == "STOPPED"
    assert bench.await_words(arn, "arn") == arn


def test_the_events_of_a_task_come_in_order_with_a_rising_version(bench: Bench) -> None:
    [arn] = bench.run()
    told = [bench.events.get(timeout=20) for _ in range(5)]
    statuses = [event["detail"]["lastStatus"] for event in told]
    versions = [event["detail"]["version"] for event in told]
    assert statuses == ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"]
    assert versions == sorted(set(versions))
    assert {event["resources"][0] for event in told} == {arn}


def test_the_dsn_reaches_the_program_and_shows_nowhere_else(bench: Bench) -> None:
    [arn] = bench.run(MODE="stay")
    assert bench.await_words(arn, "dsn") == SECRET
    assert bench.await_words(arn, "argv") == ["main.py"]
    told = json.dumps([bench.describe(arn), bench.events.get(timeout=20)], default=str)
    assert "canary" not in told
    kept = list(bench.ecs.log_path(arn).parent.glob("*.json"))
    assert "canary" not in "".join(path.read_text() for path in kept)


@pytest.mark.parametrize(("mode", "exit_code"), [("stay", 143), ("stubborn", 137)])
def test_stopping_is_sigterm_and_then_sigkill(bench: Bench, mode: str, exit_code: int) -> None:
    [arn] = bench.run(MODE=mode)
    assert bench.await_words(arn, "ready")
    bench.client.stop_task(cluster="locaria", task=arn, reason="enough")
    detail = bench.await_status(arn, "STOPPED")
    assert detail["containers"][0]["exitCode"] == exit_code
    assert (detail["stopCode"], detail["stoppedReason"]) == ("UserInitiated", "enough")


def test_what_the_program_started_ends_with_it(bench: Bench) -> None:
    [arn] = bench.run(MODE="parent")
    child = bench.await_words(arn, "child")
    bench.await_status(arn, "STOPPED")
    assert processes.wait_gone(child, timeout_s=5)


def test_a_spot_interruption_is_told_as_such(bench: Bench) -> None:
    [arn] = bench.run(MODE="stay")
    bench.await_words(arn, "ready")
    bench.ecs.interrupt(arn)
    assert bench.await_status(arn, "STOPPED")["stopCode"] == "SpotInterruption"


def test_a_start_that_fails_has_no_container_and_no_exit_code(bench: Bench) -> None:
    bench.ecs.script.add([{"start": "fails", "reason": "CannotPullContainerError: no such image"}])
    [arn] = bench.run()
    detail = bench.await_status(arn, "STOPPED")
    assert detail["stopCode"] == "TaskFailedToStart"
    assert detail["stoppedReason"] == "CannotPullContainerError: no such image"
    assert detail["containers"] == []


def test_a_task_that_never_starts_can_be_stopped(bench: Bench) -> None:
    bench.ecs.script.add([{"start": "never"}])
    [arn] = bench.run()
    assert bench.describe(arn)["lastStatus"] == "PROVISIONING"
    bench.client.stop_task(cluster="locaria", task=arn)
    bench.await_status(arn, "STOPPED")


def test_one_token_starts_tasks_once(bench: Bench) -> None:
    arns = bench.run(count=2, token="t1", MODE="stay")
    assert bench.run(count=2, token="t1", MODE="stay") == arns
    with pytest.raises(ClientError) as caught:
        bench.run(count=2, token="t1", MODE="other")
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    assert caught.value.response["resourceIds"] == arns


def test_a_token_repeats_stored_failures_and_a_new_one_does_not(bench: Bench) -> None:
    bench.ecs.script.add([{"operation": "RunTask", "failures": [{"reason": "Capacity"}]}])
    for _ in range(2):
        assert bench.run(token="t1") == []
        assert bench.failures == [{"reason": "Capacity"}]
    assert len(bench.run(token="t2")) == 1


def test_a_call_that_failed_after_the_launch_is_repeated_by_its_token(bench: Bench) -> None:
    bench.ecs.script.add([{"operation": "RunTask", "error": "ServerException", "after": True}])
    with pytest.raises(ClientError, match="ServerException"):
        bench.run(token="t1")
    assert len(bench.run(token="t1")) == 1
    assert len(bench.client.list_tasks(cluster="locaria", desiredStatus="RUNNING")["taskArns"]) <= 1


def test_throttling_is_scripted(bench: Bench) -> None:
    bench.ecs.script.add([{"operation": "RunTask", "error": "ThrottlingException", "times": 2}])
    for _ in range(2):
        with pytest.raises(ClientError, match="ThrottlingException"):
            bench.run()
    assert len(bench.run()) == 1


def test_only_who_knows_the_key_is_served(bench: Bench) -> None:
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        bench.make_client("OTHER").list_tasks(cluster="locaria")


def test_tokens_and_stopped_tasks_outlive_a_restart(bench: Bench, tmp_path: Path) -> None:
    arns = bench.run(token="t1")
    bench.await_status(arns[0], "STOPPED")
    again = Bench(tmp_path)
    again.ecs.start()
    try:
        assert again.run(token="t1") == arns
        assert again.describe(arns[0])["lastStatus"] == "STOPPED"
    finally:
        again.ecs.stop()


def test_what_a_killed_runtime_left_is_ended_and_told(tmp_path: Path) -> None:
    code = f"""if True:
        import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
        import os, pathlib, test_ecs
        bench = test_ecs.Bench(pathlib.Path({str(tmp_path)!r})); bench.ecs.start()
        [arn] = bench.run(MODE="stay"); bench.await_words(arn, "ready")
        print(arn, flush=True); os.kill(os.getpid(), 9)
    """
    died = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    arn = died.stdout.strip()
    [state] = (tmp_path / "state" / "tasks").glob("*.json")
    pid = json.loads(state.read_text())["pid"]
    assert processes.is_alive(pid)
    bench = Bench(tmp_path)
    bench.ecs.start()
    try:
        detail = bench.await_status(arn, "STOPPED")
        assert "killed" in detail["stoppedReason"]
        assert "exitCode" not in detail["containers"][0]
        assert not processes.is_alive(pid)
    finally:
        bench.ecs.stop()


def test_a_disk_that_takes_nothing_starts_no_task_and_keeps_nobody_from_stopping(
    bench: Bench, tmp_path: Path
) -> None:
    [arn] = bench.run(MODE="stay")
    assert bench.await_words(arn, "ready")
    shutil.rmtree(tmp_path / "state")
    for _ in range(2):  # with one token: nothing is remembered of the first
        with pytest.raises(ClientError, match="Internal Error"):
            bench.run(token="t1")
    assert bench.client.list_tasks(cluster="locaria")["taskArns"] == [arn]
    bench.ecs.stop()
    assert bench.await_status(arn, "STOPPED")["containers"][0]["exitCode"] == 143


def test_a_call_that_comes_too_late_starts_nothing_that_nobody_would_stop(bench: Bench) -> None:
    bench.ecs.stop()
    late = {"cluster": "locaria", "taskDefinition": "work", "networkConfiguration": NETWORK}
    with pytest.raises(EcsError, match="shutting down"):
        bench.ecs.run_task(late)
    assert bench.ecs.list_tasks({"cluster": "locaria"})["taskArns"] == []


def test_a_container_finds_the_modules_that_its_image_copies(tmp_path: Path) -> None:
    dockers = {"work": {"entry_point": ["python", "main.py"], "modules": ["shared", "other"]}}
    (tmp_path / "dockers.json").write_text(json.dumps(dockers))
    for name in ("work", "other", "modules"):
        (tmp_path / name).mkdir()
    (tmp_path / "modules" / "shared.py").write_text("A = 1")
    (tmp_path / "other" / "of_other.py").write_text("B = 2")
    definition = load_task_definitions(tmp_path / "dockers.json")["work"]
    done = subprocess.run(
        [definition.command[0], "-c", "import shared, of_other; print(shared.A, of_other.B)"],
        cwd=definition.folder,
        env=dict(definition.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1 2\n", done.stderr


def test_a_loader_in_shell_finds_psql_where_only_the_embedded_server_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    launch = ProcessLauncher().launch("1", TaskDefinition("x", ("sh",), tmp_path), [], {})
    psql = shutil.which("psql", path=launch.environment["PATH"])
    assert psql is not None
    said = subprocess.check_output(["psql", "--version"], env=launch.environment)
    assert said.startswith(b"psql (PostgreSQL)")
