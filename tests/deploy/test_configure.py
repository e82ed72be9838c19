"""`locaria configure` as a person has it: asked on a terminal."""

import os
import pty
import select
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from locaria.cli import main
from locaria.resources import ROOT
from tests.deploy.conftest import Account

# The terminal becomes the one whose Ctrl-C is this process's.
START = (
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "from locaria.cli import main; main()"
)
CTRL_C = "\x03"


class Terminal:
    """A terminal with `locaria configure` on it."""

    def __init__(self, folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, "configure"],
            cwd=folder,
            env={each: os.environ[each] for each in ("PATH", "LANG") if each in os.environ}
            | {"PYTHONPATH": str(ROOT), "TERM": "dumb", "COLUMNS": "200", "HOME": str(folder)}
            | {"AWS_EC2_METADATA_DISABLED": "true"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.said = self.shown = ""

    def answer(self, question: str, answer: str) -> None:
        """Wait for a question, then type, and press Enter."""
        self.type_(question, f"{answer}\n")

    def type_(self, question: str, keys: str) -> None:
        """Wait for a question, then press keys."""
        self._read(question)
        self.shown += self.said
        os.write(self._ours, keys.encode())

    def interrupt(self, question: str) -> int:
        """Wait for a question, then press Ctrl-C until the program ends; the exit code.

        Between writing its prompt and waiting for a key, Python may note a Ctrl-C without ending
        the wait: one that is as quick as a test has to be pressed again.
        """
        self._read(question)
        deadline = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.said
            os.write(self._ours, CTRL_C.encode())
            try:
                self.process.wait(1)
            except subprocess.TimeoutExpired:
                continue
        return self.end()

    def end(self) -> int:
        """Read on to the end; the exit code."""
        self._read(None)
        return self.process.wait(30)

    def _read(self, until: str | None) -> None:
        deadline = time.monotonic() + 60
        self.said = ""
        while until is None or until not in self.said:
            assert time.monotonic() < deadline, self.said
            if not select.select([self._ours], [], [], 1)[0]:
                continue
            try:
                self.said += os.read(self._ours, 4096).decode()
            except OSError:  # Linux's way to say that nobody has the terminal any more
                assert until is None, self.said
                return

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """`locaria configure`, in a folder with one stage."""
    (tmp_path / "locaria.toml").write_text(
        """# ours
[stages.prod]
region = "eu-west-1"
subnets = ["subnet-1a"]
security_groups = ["sg-1a"]
"""
    )
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def test_settings_are_asked_for_and_what_is_wrong_is_asked_again(
    terminal: Terminal, tmp_path: Path
) -> None:
    terminal.answer("Stage [prod]", "Not a name")
    terminal.answer("Stage [prod]", "test")
    assert "is no name for a stage" in terminal.said
    terminal.answer("AWS region", "")
    terminal.answer("AWS region", "Ireland")
    assert "region is needed" in terminal.said
    terminal.answer("AWS region", "eu-west-2")
    assert 'region: "Ireland" does not look right' in terminal.said
    terminal.answer("AWS profile", "")
    terminal.answer("Subnets of the tasks", "subnet-1a2b, vpc-3")
    terminal.answer("Subnets of the tasks", "subnet-1a2b, subnet-3c4d")
    assert 'subnets: "vpc-3" does not look right' in terminal.said
    terminal.answer("Security groups", "sg-5e6f")
    terminal.answer("Aurora cluster", "arn:aws:rds:x")
    terminal.answer("Aurora cluster", "main")
    assert "its identifier, no ARN" in terminal.said
    terminal.answer("Command", "dance")
    terminal.answer("Command", "nothing")
    assert "'dance' is not one of" in terminal.said
    assert terminal.end() == 0, terminal.said
    text = (tmp_path / "locaria.toml").read_text()
    assert text.startswith("# ours\n")
    stages = tomllib.loads(text)["stages"]
    assert stages["prod"]["region"] == "eu-west-1", "the other stage is as it was"
    assert stages["test"] == {
        "region": "eu-west-2",
        "subnets": ["subnet-1a2b", "subnet-3c4d"],
        "security_groups": ["sg-5e6f"],
        "db_cluster": "main",
    }


def test_ctrl_c_leaves_the_file_as_it_was(terminal: Terminal, tmp_path: Path) -> None:
    before = (tmp_path / "locaria.toml").read_bytes()
    terminal.answer("Stage [prod]", "other")
    terminal.answer("AWS region", "eu-west-2")
    assert terminal.interrupt("AWS profile") != 0
    assert "Traceback" not in terminal.said
    assert (tmp_path / "locaria.toml").read_bytes() == before


def test_what_is_there_is_shown_kept_and_taken_away(terminal: Terminal, tmp_path: Path) -> None:
    """And, as `npm run configure` was: stage, command, container."""
    with (tmp_path / "locaria.toml").open("a") as file:
        file.write('profile = "site"\ndb_cluster = "main" # theirs\n')
    terminal.answer("Stage [prod]", "")
    terminal.answer("AWS region [eu-west-1]", "")
    assert "subnet-1a" in terminal.shown, "what is now"
    terminal.answer("AWS profile (empty: the default), - for none [site]", "-")
    terminal.answer("Subnets of the tasks, with commas [subnet-1a]", "")
    terminal.answer("Security groups", "")
    terminal.answer("Aurora cluster that calls Lambda (empty: none), - for none [main]", "-")
    terminal.answer("RDS instance", "single")
    terminal.answer("Command", "docker")
    terminal.answer("Container", "nothing")
    terminal.answer("Container", "file_loader")
    assert "'nothing' is not one of" in terminal.said
    assert terminal.end() == 5
    assert "no AWS credentials" in terminal.said, "it went on to deploy"
    assert tomllib.loads((tmp_path / "locaria.toml").read_text())["stages"]["prod"] == {
        "region": "eu-west-1",
        "subnets": ["subnet-1a"],
        "security_groups": ["sg-1a"],
        "db_instance": "single",
    }


def test_the_end_of_input_leaves_the_file_as_it_was(terminal: Terminal, tmp_path: Path) -> None:
    before = (tmp_path / "locaria.toml").read_bytes()
    terminal.answer("Stage [prod]", "other")
    terminal.type_("AWS region", "\x04")
    assert terminal.end() == 1
    assert "Traceback" not in terminal.said
    assert "Aborted!" in terminal.said
    assert (tmp_path / "locaria.toml").read_bytes() == before


def stages(account: Account) -> Any:
    return tomllib.loads((account.folder / "locaria.toml").read_text())["stages"]


def test_everything_can_be_said_by_options_and_taken_away_by_empty_ones(account: Account) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf"
    account.configure(
        "test",
        *("--db-cluster", "main", "--function-subnet", "subnet-1", "--secret", f"API_KEY={arn}"),
        *("--identity", "jwt_role_claim=role", "--log-days", "7", "--tick-rate", ""),
    )
    told = stages(account)["test"]
    assert told["secrets"] == {"API_KEY": arn}
    assert told["identity"] == {"jwt_role_claim": "role"}
    assert (told["log_days"], told["tick_rate"]) == (7, "")
    account.configure(
        "test",
        *("--db-cluster", "", "--function-subnet", "", "--secret", "API_KEY="),
        *("--identity", "jwt_role_claim=", "--log-days", "30", "--tick-rate", "rate(1 minute)"),
    )
    left = {"region", "subnets", "security_groups"}
    assert set(stages(account)["test"]) == left


def test_what_is_wrong_is_told_and_changes_nothing(account: Account) -> None:
    account.configure("test")
    before = stages(account)
    for words, said in (
        (["--region", "Ireland"], 'region: "Ireland" does not look right'),
        (["--log-days", "6"], "log_days: CloudWatch knows"),
        (["--secret", "API_KEY=canary"], "secrets.API_KEY must be the ARN of a secret"),
        (["--secret", "canary"], "--secret: write NAME=…"),
        (["--identity", "canary"], "--identity: write NAME=…"),
        (["--command", "docker"], "which container?"),
        (["--command", "deploy", "--container", "x"], "--container goes with --command docker"),
        (["--container", "nothing"], 'there is no container "nothing"'),
    ):
        done = account.locaria("configure", "--stage", "test", *words)
        assert done.exit_code == 2, done.output
        assert said in done.output
        assert "canary" not in done.output
    assert account.locaria("configure").exit_code == 2, "no terminal, no stage"
    assert stages(account) == before


def test_the_command_that_is_chosen_reads_the_environment_as_if_typed(ready: Account) -> None:
    words = ["configure", "--stage", "test", "--command"]
    done = ready.locaria(*words, "deploy", answer="n\n")
    assert "Do it? [y/N]: n" in done.output, "LOCARIA_DSN is known"
    assert done.exit_code == 1
    done = ready.locaria(*words, "docker", "--container", "file_loader", answer="n\n")
    assert "place_finder:" not in done.output
    assert "Do it? [y/N]: n" in done.output
    assert ready.wire.changes == []
    assert "AWS::ECS::Cluster" in ready.locaria(*words, "template").output
    assert "nothing to destroy" in ready.locaria(*words, "destroy").output


@pytest.mark.parametrize("command", ["configure", "deploy", "destroy", "template"])
def test_help_shows_what_to_type(command: str) -> None:
    done = CliRunner().invoke(main, [command, "--help"])
    assert done.exit_code == 0
    assert f"locaria {command}" in done.output.partition("\n")[2], "an example"
