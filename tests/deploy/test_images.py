"""The loader from its image: make test-images builds it first, and sets LOCARIA_TEST_IMAGES."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from locaria.install import DOCKERS_JSON, read_dockers
from locaria.local.agent import Agent, AgentOptions
from locaria.local.ecs_launch import BuildahLauncher, DockerLauncher, Launcher
from tests.conftest import Database

pytestmark = pytest.mark.skipif(
    os.environ.get("LOCARIA_TEST_IMAGES") != "1", reason="needs built images: make test-images"
)
IMAGE = "localhost/locaria/{container}:latest"
WITH_DOCKER = (
    shutil.which("docker") is not None
    and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
)


def launcher(folder: Path, data: Path) -> Launcher:
    mounts = [f"{data}:/data:ro"]
    if WITH_DOCKER:
        return DockerLauncher(IMAGE, mounts)
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


def test_the_image_runs_as_nobody_special_and_says_what_it_is() -> None:
    config = configuration("file_loader")
    assert config["User"] == "10001"
    assert config["Entrypoint"] == ["python", "file_loader.py"]
    assert config["Labels"]["org.opencontainers.image.title"] == "locaria file_loader"
    assert not any(word.startswith("LOCARIA_DSN") for word in config["Env"])


def test_a_row_is_loaded_by_the_loader_from_its_image(db: Database, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "three.csv").write_text("id,name\n1,one\n2,two\n3,three\n")
    tmp_path.chmod(0o755)
    containers = tmp_path / "containers"
    containers.mkdir()
    entry = read_dockers()["file_loader"]
    (containers / "dockers.json").write_text(json.dumps({"file_loader": entry}))
    # The checkout's loader is out of reach: what runs can only be the image's.
    (containers / "file_loader").mkdir()
    with psycopg.connect(db.superuser_dsn, autocommit=True) as superuser:
        superuser.execute("drop schema aws_lambda, aws_commons cascade")
    options = AgentOptions(
        containers_dir=containers, launcher=launcher(tmp_path / "variables", data)
    )
    assert (DOCKERS_JSON.parent / "file_loader" / "file_loader.py").exists()
    with (
        Agent(tmp_path / "state", db.dsn, options),
        psycopg.connect(db.dsn, autocommit=True, row_factory=dict_row) as connection,
    ):
        connection.execute(
            "insert into locaria.files (attributes) values (%s)",
            [json.dumps({"path": "/data/three.csv", "table": "three"})],
        )
        deadline = time.monotonic() + 120
        while True:
            row = connection.execute("select * from locaria.status").fetchone()
            assert row is not None
            if row["phase"] in ("done", "failed"):
                break
            logs = [path.read_text() for path in (tmp_path / "state").glob("ecs/tasks/*.log")]
            assert time.monotonic() < deadline, (row["why"], logs)
            time.sleep(0.1)
        assert row["phase"] == "done", row["why"]
        loaded = connection.execute("select id, name from public.three order by id").fetchall()
    assert loaded[-1] == {"id": 3, "name": "three"}
    assert len(loaded) == 3
