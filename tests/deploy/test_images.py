"""Each image does its work: make test-images builds them first, and sets LOCARIA_TEST_IMAGES.

With Docker they run on a read-only root file system; else by buildah, which has no such thing.
"""

import http.server
import json
import os
import shlex
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from psycopg.rows import dict_row
from pyarrow import parquet

from locaria.deploy.build_images import AGENT_IMAGE
from locaria.install import read_dockers
from locaria.launch.launchers import BuildahLauncher, DockerLauncher, Launch, Launcher
from locaria.local.agent import Agent, AgentOptions
from locaria.local.aws.ecs.model import TaskDefinition
from tests.conftest import Database
from tests.containers.test_os_opendata import NAMES_HEADER, OsServer, Product, archive, named
from tests.ingest.bundles_for_tests import tar

pytestmark = pytest.mark.skipif(
    os.environ.get("LOCARIA_TEST_IMAGES") != "1", reason="needs built images: make test-images"
)
IMAGE = "localhost/locaria/{container}:latest"
DOCKERS = read_dockers()
WITH_DOCKER = (
    shutil.which("docker") is not None
    and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
)


class ReadOnlyDocker(DockerLauncher):
    """Docker, with nothing to write on but /tmp and what is mounted."""

    def launch(
        self,
        task_id: str,
        definition: TaskDefinition,
        arguments: Sequence[str],
        variables: Mapping[str, str],
    ) -> Launch:
        made = super().launch(task_id, definition, arguments, variables)
        docker, run, *words = made.command
        return replace(made, command=[docker, run, "--read-only", "--tmpfs=/tmp", *words])


def launcher(folder: Path, mounts: list[str]) -> Launcher:
    if WITH_DOCKER:
        return ReadOnlyDocker(IMAGE, mounts)
    return BuildahLauncher(IMAGE, folder, mounts)


def configuration(container: str) -> dict[str, Any]:
    """What an image says about itself, in Docker's words."""
    name = IMAGE.format(container=container)
    if WITH_DOCKER:
        words = ["docker", "image", "inspect", "--format", "{{json .Config}}", name]
        found: dict[str, Any] = json.loads(subprocess.check_output(words))
        return found
    told = json.loads(subprocess.check_output(["buildah", "inspect", "--type=image", name]))
    config: dict[str, Any] = told["Docker"]["config"]
    return config


@pytest.mark.parametrize("container", DOCKERS)
def test_an_image_runs_as_nobody_special_and_says_what_it_is(container: str) -> None:
    config = configuration(container)
    assert config["User"] == "10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == DOCKERS[container]["entry_point"]
    assert not any(word.startswith("LOCARIA_DSN") for word in config["Env"])
    listens = DOCKERS[container]["type"] == "listener"
    assert (config.get("Healthcheck") is not None) == listens
    told = {name.rpartition(".")[2]: text for name, text in config["Labels"].items()}
    assert told["title"] == f"locaria {container}"
    assert told["description"] == DOCKERS[container]["description"]
    assert told["created"] != "1970-01-01T00:00:00Z"
    assert set(told) >= {"version", "revision"}


@dataclass
class Images:
    """An agent that runs all containers from their images, and its database."""

    db: psycopg.Connection[dict[str, Any]]
    state_dir: Path

    def submit(self, container: str, **attributes: Any) -> int:
        row = self.db.execute(
            "insert into locaria.files (container, attributes) values (%s, %s) returning id",
            [container, json.dumps(attributes)],
        ).fetchone()
        assert row is not None
        return int(row["id"])

    def wait(self, look: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 120
        while not (found := look()):
            logs = [path.read_text() for path in self.state_dir.glob("ecs/tasks/*.log")]
            rows = self.db.execute("select container, phase, why from locaria.status").fetchall()
            assert time.monotonic() < deadline, (rows, logs)
            time.sleep(0.1)
        return found

    def work(self, container: str, **attributes: Any) -> None:
        """Submit a file and see it done."""
        file = self.submit(container, **attributes)
        query = "select phase, why from locaria.status where file_id = %s"

        def rest() -> Any:
            row = self.db.execute(query, [file]).fetchone()
            return row if row and row["phase"] in ("done", "failed") else None

        row = self.wait(rest)
        assert row["phase"] == "done", (container, row["why"])

    def endpoint(self, container: str) -> str:
        """Where a listener takes commands."""
        query = (
            "select p.endpoint from locaria.runs r join locaria.run_progress p on p.run_id = r.id "
            "where r.container = %s and r.outcome is null and p.endpoint is not null"
        )
        return str(self.wait(lambda: self.db.execute(query, [container]).fetchone())["endpoint"])

    def ask(self, url: str, body: bytes | None = None) -> Any:
        kind = "application/json" if (body or b"").startswith(b"{") else "application/octet-stream"
        asked = urllib.request.Request(url, body, {"Content-Type": kind})
        with urllib.request.urlopen(asked, timeout=60) as reply:
            return json.load(reply)

    def task(self, container: str) -> str:
        """The name in Docker of a container's living task."""
        query = "select task_arn from locaria.tasks where container = %s and stopped is null"
        row = self.db.execute(query, [container]).fetchone()
        assert row is not None
        return "locaria-" + str(row["task_arn"]).rpartition("/")[2]

    def health(self, container: str) -> int:
        """The exit code of the image's health check, in its container."""
        check = configuration(container)["Healthcheck"]["Test"][1:]
        words = ["docker", "exec", self.task(container), *check]
        return subprocess.run(words, check=False, timeout=60).returncode


@pytest.fixture
def os_server() -> Iterator[OsServer]:
    """Ordnance Survey's API with one product of one row."""
    row = "osgb1,http://x/1,Haroldswick,,,,populatedPlace,Village,463700,1212400"
    names = archive(
        Doc__OS_Open_Names_Header_dot_csv="\ufeff" + NAMES_HEADER + "\r\n",
        Data__HP40_dot_csv="\ufeff" + named(row, "Scotland"),
    )
    made = OsServer({"OpenNames": Product("CSV", "opname_csv_gb.zip", names)})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.base = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()


@pytest.fixture
def images(db: Database, tmp_path: Path, os_server: OsServer) -> Iterator[Images]:
    """The checkout's containers are out of reach: what runs can only be the images'."""
    tmp_path.chmod(0o755)
    data, objects = tmp_path / "data", tmp_path / "objects"
    data.mkdir(mode=0o755)
    objects.mkdir()
    objects.chmod(0o777)  # as a site would give it to user 10001
    (data / "places.csv").write_text("id,name,latitude,longitude\n1,Bern,46.9,7.4\n2,Bow,51.5,0\n")
    shape = {"type": "Point", "coordinates": [7.4, 46.9]}
    feature = {"type": "Feature", "properties": {"name": "Bern"}, "geometry": shape}
    collection = {"type": "FeatureCollection", "features": [feature]}
    (data / "places.geojson").write_text(json.dumps(collection))
    parquet.write_table(pa.table({"id": [1, 2]}), data / "places.parquet")
    containers = tmp_path / "containers"
    for name in DOCKERS:
        (containers / name).mkdir(parents=True)
    (containers / "dockers.json").write_text(json.dumps(DOCKERS))
    with psycopg.connect(db.superuser_dsn, autocommit=True) as superuser:
        superuser.execute("drop schema aws_lambda, aws_commons cascade")
    mounts = [f"{data}:/data:ro", f"{objects}:/objects"]
    variables = {
        "LOCARIA_OBJECT_STORE": "file:///objects",
        "LOCARIA_OS_DOWNLOADS_URL": f"{os_server.base}/downloads/v1",
        "LOCARIA_FETCH_PRIVATE": "1",
    }
    options = AgentOptions(
        containers_dir=containers,
        launcher=launcher(tmp_path / "variables", mounts),
        task_environment=variables,
    )
    with (
        Agent(tmp_path / "state", db.dsn, options),
        psycopg.connect(db.dsn, autocommit=True, row_factory=dict_row) as connection,
    ):
        yield Images(connection, tmp_path / "state")


def test_every_image_does_its_work(images: Images) -> None:
    images.work("file_loader", path="/data/places.csv", table="places")
    rows = images.db.execute("select id, name from public.places order by id").fetchall()
    assert rows == [{"id": 1, "name": "Bern"}, {"id": 2, "name": "Bow"}]
    images.db.execute("grant select on public.places to locaria_loader")
    images.work("file_download", table="places", format="parquet")
    images.work("gdal_loader", path="/data/places.geojson", table="points")
    images.work("file_loader", path="/data/places.geojson", table="shapes")
    images.work("file_loader", path="/data/places.parquet", table="columns")
    images.work("os_opendata", data_set="OpenNames")

    images.submit("place_finder", table="places")
    finder = images.endpoint("place_finder")
    asked = {"command": "find", "parameters": {"name": "bern"}}
    assert "Bern" in json.dumps(images.ask(finder, json.dumps(asked).encode()))

    ingest = images.endpoint("bundle_ingest")
    job = images.ask(f"{ingest}/upload", tar({"a.txt": b"one"}))["job_id"]
    state = f"{ingest}/get_state?job_id={job}"
    assert images.wait(lambda: (s := images.ask(state))["complete"] and s)["state"] == "OK"
    if not WITH_DOCKER:
        return
    for name in ("place_finder", "bundle_ingest"):
        assert images.health(name) == 0
    words = ["docker", "top", images.task("place_finder"), "-eo", "pid,args"]
    said = subprocess.check_output(words, text=True)
    processes = [line.split(None, 1) for line in said.splitlines()]
    [pid] = [number for number, program in processes if program.startswith("python")]
    subprocess.run(["kill", "-STOP", pid], check=True)
    assert images.health("place_finder") == 1, "it hangs: connections are accepted, and no answer"
    subprocess.run(["kill", "-CONT", pid], check=True)


@pytest.mark.skipif(not WITH_DOCKER, reason="no Docker daemon answers")
def test_the_first_process_of_a_container_heeds_sigterm(db: Database) -> None:
    """As on ECS, where nothing is between the signal and it."""
    name, image = f"locaria-test-{os.getpid()}", IMAGE.format(container="file_loader")
    words = ["docker", "run", "--detach", "--network=host", "--name", name]
    words += ["--env=LOCARIA_DSN", "--env=LOCARIA_CONTAINER=file_loader", image]
    subprocess.run(
        words,
        check=True,
        capture_output=True,
        env=os.environ | {"LOCARIA_DSN": db.dsn_of("loader")},
    )
    try:
        with psycopg.connect(db.dsn, autocommit=True) as connection:
            deadline = time.monotonic() + 60
            while connection.execute("select from locaria.tasks").rowcount == 0:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        subprocess.run(["docker", "stop", "--time=30", name], check=True, capture_output=True)
        words = ["docker", "inspect", "--format={{.State.ExitCode}}", name]
        assert subprocess.check_output(words, text=True).strip() in ("0", "143"), "not killed"
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)


@pytest.mark.skipif(not WITH_DOCKER, reason="no Docker daemon answers")
def test_the_agent_s_own_image_runs_containers_in_itself(db: Database, tmp_path: Path) -> None:
    """As docs/agent.md's Compose file runs it, on a file system that is read-only."""
    tmp_path.chmod(0o755)
    (tmp_path / "three.csv").write_text("id\n1\n2\n3\n")
    with psycopg.connect(db.superuser_dsn, autocommit=True) as superuser:
        superuser.execute("drop schema aws_lambda, aws_commons cascade")
    name = f"locaria-test-agent-{os.getpid()}"
    words = ["docker", "run", "--detach", "--init", "--network=host", "--read-only"]
    words += ["--tmpfs=/tmp", "--env=LOCARIA_DSN", "--env=LOCARIA_FILE_ROOTS=/data"]
    words += [f"--volume={tmp_path}:/data:ro", f"--name={name}", AGENT_IMAGE]
    variables = os.environ | {"LOCARIA_DSN": db.dsn}
    subprocess.run(words, check=True, capture_output=True, env=variables)
    try:
        with psycopg.connect(db.dsn, autocommit=True, row_factory=dict_row) as connection:
            images = Images(connection, tmp_path)
            words = ["docker", "logs", name]
            images.wait(lambda: "serves database" in subprocess.getoutput(shlex.join(words)))
            images.work("file_loader", path="/data/three.csv", table="three")
            assert connection.execute("select from public.three").rowcount == 3
            query = "select state, runs_by, containers from locaria.agents"
            agent = connection.execute(query).fetchone()
            assert agent == {"state": "lives", "runs_by": "process", "containers": list(DOCKERS)}
            subprocess.run(["docker", "stop", "--time=60", name], check=True, capture_output=True)
            words = ["docker", "inspect", "--format={{.State.ExitCode}}", name]
            assert subprocess.check_output(words, text=True).strip() == "0"
            [row] = connection.execute("select state from locaria.agents").fetchall()
            assert row == {"state": "stopped"}
    finally:
        subprocess.run(["docker", "logs", name], check=False)
        subprocess.run(["docker", "rm", "--force", "--volumes", name], check=True)
