"""An empty AWS account by moto, a docker that pushes into it, and a database of a test's own."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer
from psycopg.conninfo import make_conninfo

from locaria.local.places import ROOT
from tests.conftest import Database

REGION = "eu-west-1"
DOCKER = """
    #!{python}
    # Stands in for docker: keeps a diary, "pushes" by telling moto's ECR that the image is there.
    import json, os, pathlib, sys, boto3
    words = sys.argv[1:]
    here = pathlib.Path(__file__).parent
    with (here / "diary.jsonl").open("a") as diary:
        diary.write(json.dumps(words) + "\\n")
    if words[:2] == ["image", "inspect"]:
        print(os.environ.get("FAKE_IMAGE_BYTES", "180000000"))
    if words[0] == "login":
        sys.stdin.read()
    if words[0] == "push":
        name, _, tag = words[1].partition("/")[2].rpartition(":")
        if os.environ.get("FAKE_PUSH_FAILS", "-") in name:
            sys.exit("denied: requested access to the resource is denied")
        ecr = boto3.client("ecr", region_name="{region}")
        manifest = json.dumps({{"schemaVersion": 2, "config": {{"digest": tag}}, "layers": []}})
        ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag=tag)
"""


@dataclass
class Account:
    """An AWS account, and the command `locaria` in it."""

    url: str
    folder: Path
    environment: dict[str, str]
    network: dict[str, list[str]] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def locaria(
        self, *words: str, answer: str | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run the command as a process; `answer` is what a person types."""
        return subprocess.run(
            [sys.executable, "-m", "locaria.cli", *words],
            cwd=self.folder,
            env=self.environment | variables,
            input=answer if answer is not None else "",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def configure(self, stage: str, *words: str) -> None:
        options = [f"--subnet={each}" for each in self.network["subnets"]]
        options += [f"--security-group={each}" for each in self.network["security_groups"]]
        done = self.locaria("configure", "--stage", stage, "--region", REGION, *options, *words)
        assert done.returncode == 0, done.stderr

    def diary(self) -> list[list[str]]:
        """What docker was called with."""
        path = self.folder / "bin" / "diary.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """A moto server for the session."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def account(moto_url: str, tmp_path: Path) -> Account:
    """An empty account, but for a VPC with two subnets and a security group."""
    requests.post(f"{moto_url}/moto-api/reset", timeout=30).raise_for_status()
    programs = tmp_path / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(textwrap.dedent(DOCKER).lstrip().format(python=sys.executable, region=REGION))
    docker.chmod(0o755)
    environment = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.defpath}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    made = Account(moto_url, tmp_path, environment)
    ec2 = made.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"]
        for n in range(2)
    ]
    group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)
    made.network |= {"subnets": subnets, "security_groups": [group["GroupId"]]}
    return made


@pytest.fixture
def owner_dsn(db: Database) -> str:
    """The owner of a migrated database, on a server that speaks no TLS."""
    return make_conninfo(db.dsn, sslmode="disable")
