"""The commands of docs/aws.md are run, those of docs/agent.md are read by the command itself."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from locaria.cli.runtime.agent import agent
from locaria.resources import ROOT
from tests.deploy.conftest import CHOSEN, Account

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return [match[2] for match in BLOCK.finditer(text) if match[1] == language]


def test_the_commands_of_aws_md_do_what_it_says(account: Account, owner_dsn: str) -> None:
    account.environment["LOCARIA_DSN"] = owner_dsn
    variables = {v for c in CHOSEN for v in c.secrets} - {"LOCARIA_DSN"}
    account.environment |= dict.fromkeys(variables, "value")
    given = {
        "SUBNET1": account.network["subnets"][0],
        "SUBNET2": account.network["subnets"][1],
        "SECURITYGROUP": account.network["security_groups"][0],
    }
    [commands] = blocks("aws.md", "sh")
    said = []
    for line in commands.splitlines():
        for name, value in given.items():
            line = line.replace(f"${name}", value)  # noqa: PLW2901 - what a shell does
        words = shlex.split(line.partition(" > ")[0])[1:]
        done = account.locaria(*words)
        assert done.exit_code == 0, done.output
        said.append(done.output)
    assert "aws cloudformation create-stack" in said[1]
    assert "Nothing to change." in said[3]
    assert "AWS::ECS::TaskDefinition" in said[5]


@pytest.mark.parametrize(
    "line",
    [
        *re.findall(
            r"^LOCARIA_DSN=\S+ (locaria agent .*)$", "\n".join(blocks("agent.md", "text")), re.M
        ),
        *re.findall(
            r"^ExecStart=\S+/bin/(locaria agent .*)$", "\n".join(blocks("agent.md", "ini")), re.M
        ),
    ],
)
def test_an_agent_s_command_line_is_one_that_it_takes(line: str) -> None:
    context = agent.make_context("agent", shlex.split(line)[2:])
    assert isinstance(context, click.Context)
    assert str(context.params["state_dir"]) == "/var/lib/locaria"


def test_the_systemd_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    [unit] = blocks("agent.md", "ini")
    assert "PrivateTmp=true" in unit, "else the loaders have nowhere to put what they fetch"
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "locaria-agent.service"
    path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit, flags=re.MULTILINE))
    done = subprocess.run(
        [program, "verify", path], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_compose_file_starts_the_agent_s_own_image() -> None:
    [text] = blocks("agent.md", "yaml")
    compose = yaml.safe_load(text)
    service = compose["services"]["agent"]
    assert service["build"] == "."
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert 'ENTRYPOINT ["locaria", "agent"]' in dockerfile
    assert re.search(r"^USER [1-9]\d*$", dockerfile, re.MULTILINE)
    assert {volume.partition(":")[0] for volume in service["volumes"]} == {"state", "./data"}
    assert compose["volumes"].keys() == {"data", "state"}
