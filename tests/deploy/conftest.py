"""An empty AWS account by moto, a docker that pushes into it, and a database of a test's own."""

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
import requests
from click.testing import CliRunner, Result
from moto.cloudformation.models import Stack
from moto.iam.models import SERVICE_NAME_CONVERSION
from moto.server import ThreadedMotoServer
from psycopg.conninfo import make_conninfo

from locaria.cli import main, render
from locaria.deploy.containers import load_containers
from locaria.deploy.database import SiteDatabase, sql_digest
from locaria.deploy.functions import Function
from locaria.deploy.zips import Zip
from locaria.deploy.zips import build_zips as real_build_zips
from locaria.resources import LAMBDA
from tests.conftest import Database
from tests.deploy.permissions import calls_of_the_code

REGION = "eu-west-1"
# A loader and a listener stand for all: test_template.py reads the template of every container.
CHOSEN = [each for each in load_containers() if each.name in ("file_loader", "place_finder")]
DOCKER = """
    #!{python} -SE
    # Stands in for docker: keeps a diary, "pushes" by telling moto's ECR that the image is there.
    import json, os, pathlib, sys
    words = sys.argv[1:]
    here = pathlib.Path(__file__).parent
    with (here / "diary.jsonl").open("a") as diary:
        diary.write(json.dumps(words) + "\\n")
    if words[:2] == ["image", "inspect"]:
        print(os.environ.get("FAKE_IMAGE_BYTES", "180000000"))
    if words[0] == "login":
        sys.stdin.read()
    if words[0] == "push":
        if os.environ.get("FAKE_PUSH_FAILS") == "yes":
            sys.exit("denied: requested access to the resource is denied")
        import urllib.request
        name, _, tag = words[1].partition("/")[2].rpartition(":")
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        config = {{"digest": "sha256:" + tag}}
        manifest = {{"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []}}
        asked = {{"repositoryName": name, "imageTag": tag, "imageManifest": json.dumps(manifest)}}
        headers = {{
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.PutImage",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/{region}/ecr/aws4_request",
        }}
        url, body = os.environ["AWS_ENDPOINT_URL"], json.dumps(asked).encode()
        urllib.request.urlopen(urllib.request.Request(url, body, headers))
"""


Call = tuple[str, str]
BuildZips = Callable[..., dict[Function, Zip]]
QUESTIONS = ("Describe", "Get", "Head", "List")


class Killed(BaseException):
    """The process is gone: nothing catches it, nothing is called any more."""


@dataclass
class Wire:
    """What goes over the wire to AWS: every call is noted, some are answered here.

    Attributes:
        calls: service and operation, in order.
        faults: error code and message, by service and operation.
        die_after: the process dies once it has made so many changes; None: never.
    """

    calls: list[Call] = field(default_factory=list)
    faults: dict[Call, tuple[str, str]] = field(default_factory=dict)
    die_after: int | None = None

    @property
    def changes(self) -> list[Call]:
        return [call for call in self.calls if not call[1].startswith(QUESTIONS)]

    def session(self, *words: Any, **given: Any) -> Any:
        core = botocore.session.get_session()
        core.register_component("data_loader", MODELS)
        made = _Session(*words, botocore_session=core, **given)
        made.events.register("before-call", self._before)
        made.events.register("after-call", self._after)
        return made

    def _before(self, model: Any, **_: Any) -> Any:
        if self.dead:
            raise Killed
        call = (model.service_model.service_name, model.name)
        self.calls.append(call)
        assert call in calls_of_the_code(), "docs/aws_deployer_policy.json does not know of it"
        if call in self.faults:
            code, message = self.faults[call]
            answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {}}
            return SimpleNamespace(status_code=400), answer
        return None

    def _after(self, **_: Any) -> None:
        if self.dead:
            raise Killed

    @property
    def dead(self) -> bool:
        return self.die_after is not None and len(self.changes) >= self.die_after


_Session = boto3.Session
# The models of AWS's services are large: they are read once for all tests.
MODELS = botocore.loaders.create_loader()


@dataclass
class Account:
    """An AWS account, and the command `locaria` in it."""

    url: str
    folder: Path
    environment: dict[str, str]
    network: dict[str, list[str]] = field(default_factory=dict)
    wire: Wire = field(default_factory=Wire)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def empty(self) -> None:
        """Start again: an account with nothing in it but the network."""
        requests.post(f"{self.url}/moto-api/reset", timeout=30).raise_for_status()
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"]
            for n in range(2)
        ]
        group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)
        self.network |= {"subnets": subnets, "security_groups": [group["GroupId"]]}

    def locaria(self, *words: str, answer: str = "", **variables: str | None) -> Result:
        """Run the command; `answer` is what a person types."""
        settings = ["--settings", str(self.folder / "locaria.toml")]
        given = [*words, *(settings if words[0] != "template" else [])]
        environment: dict[str, str | None] = {**self.environment, **variables}
        return CliRunner(env=environment).invoke(main, given, input=answer)

    def deploy(self, *words: str, **variables: str | None) -> Result:
        """Deploy the stage `test`, without questions and without proof."""
        given = ["deploy", "--stage", "test", "--yes", "--no-prove", *words]
        return self.locaria(*given, **variables)

    def refused(self, code: int, *words: str, **variables: str | None) -> str:
        """What a deployment says that must not begin: nothing is changed, built or pushed."""
        self.wire.calls.clear()
        before = len(self.diary())
        done = self.deploy(*words, **variables)
        assert isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == code, done.output
        assert self.wire.changes == []
        assert not [each for each in self.diary()[before:] if each[0] in ("login", "tag", "push")]
        return done.output

    def configure(self, stage: str, *words: str) -> None:
        options = [f"--subnet={each}" for each in self.network["subnets"]]
        options += [f"--security-group={each}" for each in self.network["security_groups"]]
        done = self.locaria("configure", "--stage", stage, "--region", REGION, *options, *words)
        assert done.exit_code == 0, done.output

    def diary(self) -> list[list[str]]:
        """What docker was called with."""
        path = self.folder / "bin" / "diary.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _told_as_aws_does(stack: Stack) -> list[dict[str, Any]]:
    """moto tells a list as Python writes it, `['a', 'b']`; AWS tells it as it was given: `a,b`."""
    values = {
        name: ",".join(value) if isinstance(value, list) else value
        for name, value in stack.stack_parameters.items()
    }
    return [
        {"ParameterKey": name, "ParameterValue": value}
        for name, value in values.items()
        if not name.startswith("AWS::")
    ]


@contextmanager
def serving_aws() -> Iterator[str]:
    """moto, as the AWS of a machine."""
    Stack.parameter_list = property(_told_as_aws_does)  # type: ignore[assignment]
    SERVICE_NAME_CONVERSION["ecs"] = "ECS"  # AWSServiceRoleForECS, as AWS writes it
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """A moto server for the session."""
    with serving_aws() as url:
        yield url


def make_account(url: str, folder: Path) -> Account:
    """An account and a machine to deploy from, with a docker of its own."""
    programs = folder / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(textwrap.dedent(DOCKER).lstrip().format(python=sys.executable, region=REGION))
    docker.chmod(0o755)
    environment = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.defpath}",
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    made = Account(url, folder, environment)
    made.empty()
    return made


@pytest.fixture(scope="session")
def light_zips(tmp_path_factory: pytest.TempPathFactory) -> BuildZips:
    """The functions' zips without what they depend on (30 MB): test_zips.py has them whole."""
    build = tmp_path_factory.mktemp("zips")

    def build_zips(architecture: str = "X86_64", root: Path = LAMBDA) -> dict[Function, Zip]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("locaria.deploy.zips._install", lambda folder, target, *_: target)
            return real_build_zips(architecture, root, build)

    return build_zips


@pytest.fixture
def account(
    moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, light_zips: BuildZips
) -> Account:
    """An empty account, but for a VPC with two subnets and a security group."""
    monkeypatch.setattr("locaria.deploy.containers.load_containers", lambda: CHOSEN)
    made = make_account(moto_url, tmp_path)
    monkeypatch.setattr("locaria.deploy.zips.build_zips", light_zips)
    monkeypatch.setattr("locaria.deploy.aws.boto3.Session", made.wire.session)
    return made


@pytest.fixture(autouse=True)
def _streams_of_each_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich keeps the stream that it was made for; here every command has its own."""
    monkeypatch.setattr(render, "console", render.console.__wrapped__)


@pytest.fixture
def ready(account: Account, owner_dsn: str) -> Account:
    """An account with a configured stage `test` and its database, whose SQL is up to date."""
    SiteDatabase(owner_dsn).save_parameter("deployment", {"sql": sql_digest()})
    account.environment["LOCARIA_DSN"] = owner_dsn
    variables = {v for c in CHOSEN for v in c.secrets} - {"LOCARIA_DSN"}
    account.environment |= dict.fromkeys(variables, "value")
    account.configure("test")
    return account


@pytest.fixture
def owner_dsn(db: Database) -> str:
    """The owner of a migrated database, on a server that speaks no TLS."""
    return make_conninfo(db.dsn, sslmode="disable")
