"""`make test-deploy-long`: real `locaria deploy` processes, killed or interrupted at every step.

A deployment prints each call and command before it makes it. So the first, undisturbed one tells
how many steps there are; then, for each of them, in an empty account: a deployment is killed
(kill -9 and Ctrl-C by turns) when it prints that step, and the same command is run again. What it
leaves behind must be what the undisturbed one left. Then: two at the same time.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

from locaria.local.postgres.server import PostgresServer
from locaria.resources import ROOT
from tests.conftest import cloned, make_template
from tests.deploy.conftest import CHOSEN, Account, make_account, serving_aws
from tests.deploy.state import left_behind

STEPS = ("aws ", "docker ", "upgrading", "login locaria", "registered")
# The command as it is, for a checkout with the containers of tests/deploy/conftest.py.
START = f"""
from locaria.deploy import containers
every = containers.load_containers()
containers.load_containers = lambda: [c for c in every if c.name in {[c.name for c in CHOSEN]!r}]
from locaria.cli import main
main()
"""
WORDS = ["deploy", "--stage", "test", "--yes", "--no-prove"]
INTERRUPTED = 130
REFUSED = 5


def main() -> None:
    """Run the proof."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each n-th step")
    every: int = parser.parse_args().every
    logging.disable(logging.WARNING)  # moto's diary
    with tempfile.TemporaryDirectory(prefix="locaria_deploy_") as name, serving_aws() as url:
        folder = Path(name)
        with PostgresServer(folder / "pg", durable=False) as server:
            template = make_template(server)
            account = make_account(url, folder)
            with fresh(account, server, template, "undisturbed") as dsn:
                said = run(account)
                steps = [line for line in said.splitlines() if line.startswith(STEPS)]
                wanted = left_behind(account, dsn)
            print(f"{len(steps)} steps, undisturbed", flush=True)
            for turn, number in enumerate(range(0, len(steps), every)):
                how = signal.SIGINT if turn % 2 else signal.SIGKILL
                with fresh(account, server, template, f"step {number}") as dsn:
                    disturbed(account, number, how)
                    run(account)
                    assert left_behind(account, dsn) == wanted, f"step {number}"
                    assert "Nothing to change." in run(account)
                print(f"{how.name} at {number}: {steps[number][:90]}", flush=True)
            with fresh(account, server, template, "two") as dsn:
                two_at_once(account)
                run(account)
                assert left_behind(account, dsn) == wanted
            print("two at the same time: one refused, and all is there", flush=True)


@contextmanager
def fresh(account: Account, server: PostgresServer, template: str, name: str) -> Iterator[str]:
    """An empty account, a database of its own, and a stage `test`."""
    account.empty()
    (account.folder / "locaria.toml").unlink(missing_ok=True)
    with cloned(server, template, name) as database:
        dsn = make_conninfo(database.dsn, sslmode="disable")
        account.environment["LOCARIA_DSN"] = dsn
        account.configure("test")
        yield dsn


def start(account: Account) -> subprocess.Popen[str]:
    """`locaria deploy`, as a process of its own, which Ctrl-C reaches with all that it started."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", START, *WORDS],
        cwd=account.folder,
        env=account.environment | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def run(account: Account) -> str:
    """One that nothing disturbs."""
    with start(account) as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def disturbed(account: Account, number: int, how: signal.Signals) -> None:
    """One that ends when it prints its step of that number."""
    with start(account) as process:
        assert process.stdout is not None
        said, seen = [], 0
        for line in process.stdout:
            said.append(line)
            if not line.startswith(STEPS):
                continue
            if seen == number:
                os.killpg(process.pid, how)
                break
            seen += 1
        said += process.stdout.readlines()
    assert process.returncode in (-signal.SIGKILL, INTERRUPTED, 0), said
    assert "Traceback" not in "".join(said), "".join(said)


def two_at_once(account: Account) -> None:
    """Both are started; whichever comes second is refused, or comes when the first is done."""
    with start(account) as one, start(account) as two:
        ends = [(*each.communicate(timeout=120), each.returncode) for each in (one, two)]
    codes = sorted(code for _, _, code in ends)
    assert codes in ([0, REFUSED], [0, 0]), ends
    assert any("somebody deploys to this database now" in said for said, _, _ in ends) or codes == [
        0,
        0,
    ]


if __name__ == "__main__":
    main()
