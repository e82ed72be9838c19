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

import pytest

from locaria.local.places import ROOT

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
            env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb", "COLUMNS": "200"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.said = ""

    def answer(self, question: str, answer: str) -> None:
        """Wait for a question, then type."""
        self._read(question)
        os.write(self._ours, f"{answer}\n".encode())

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
    terminal.answer("Aurora cluster", "main")
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
