"""`locaria agent`: Locaria on a Postgres of one's own, as a service."""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

import click

from locaria.cli.connection import check_dsn, describe
from locaria.cli.errors import CommandError, ExitCode
from locaria.cli.render import say

STATE_DIR = Path("/var/lib/locaria")
_AWS = "AWS_"
_START_S = 20.0  # for a start to come to its end, once the agent is told to stop


@click.command()
@click.option("--dsn", metavar="DSN", envvar="LOCARIA_DSN", help="Of the schema's owner.")
@click.option(
    "--task-dsn", metavar="DSN", envvar="LOCARIA_TASK_DSN", help="What tasks log in with."
)
@click.option(
    "--run",
    type=click.Choice(["process", "docker", "ecs"]),
    default="process",
    show_default=True,
    help="Containers as processes of this host, with Docker, or on your ECS cluster.",
)
@click.option("--image", metavar="NAME", help="With docker; {container} stands for the container.")
@click.option("--mount", metavar="FROM:TO", multiple=True, help="With docker: a volume of tasks.")
@click.option(
    "--containers",
    "containers_dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with dockers.json. [default: containers/ of the checkout]",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=STATE_DIR,
    envvar="LOCARIA_STATE_DIR",
    show_default=True,
    help="This agent's own folder.",
)
@click.option("--env", metavar="NAME", multiple=True, help="Of the agent's variables, for tasks.")
@click.option("--install/--no-install", default=True, help="Bring the schema up to date at start.")
def agent(dsn: str | None, state_dir: Path, **given: Any) -> None:
    """Run Locaria's part outside the database, for a Postgres of your own, until SIGTERM.

    \b
    LOCARIA_DSN=postgresql://owner@host/database locaria agent --state-dir /var/lib/locaria
    locaria agent --run docker --image 'registry.example/locaria/{container}:1'

    Any number of agents, on any number of hosts, share one database: docs/agent.md.
    """
    from locaria.local.agent import Agent, AgentOptions  # noqa: PLC0415 - slow, for this alone
    from locaria.local.daemon import START_ERRORS, serve  # noqa: PLC0415
    from locaria.resources import CONTAINERS  # noqa: PLC0415

    if not dsn:
        raise CommandError("which database?", "export LOCARIA_DSN=…", ExitCode.USAGE)
    database = describe(dsn)
    check_dsn(given["task_dsn"] or "", "--task-dsn or LOCARIA_TASK_DSN")
    _log_here()
    options = AgentOptions(
        containers_dir=given["containers_dir"] or CONTAINERS,
        launcher=_launcher(given["run"], given["image"], given["mount"]),
        aws=_aws_variables() if given["run"] == "ecs" else None,
        task_dsn=given["task_dsn"],
        task_environment=_passed_on(given["env"]),
        install=given["install"],
    )
    try:
        serve(
            Agent(state_dir, dsn, options),
            lambda started: say(f"Agent {started.name} serves {database}."),
            leave_start_after_s=_START_S,
        )
    except START_ERRORS as error:
        raise CommandError(str(error), code=1) from error
    say("Stopped.")


def _log_here() -> None:
    """To standard error, where systemd and Docker take it from."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("alembic", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _launcher(run: str, image: str | None, mounts: tuple[str, ...]) -> Any:
    from locaria.launch.launchers import DockerLauncher  # noqa: PLC0415 - slow, for this alone

    if run != "docker":
        if image or mounts:
            raise CommandError("--image and --mount go with --run docker", code=ExitCode.USAGE)
        return None
    hint = "--image 'registry.example/locaria/{container}:1'"
    if not image or "{container}" not in image:
        raise CommandError("which images?", hint, ExitCode.USAGE)
    if rest := re.search(r"[{}]", image.replace("{container}", "")):
        message = f"--image: {rest[0]} stands for nothing but the container, as {{container}}"
        raise CommandError(message, hint, ExitCode.USAGE)
    return DockerLauncher(image, mounts)


def _aws_variables() -> dict[str, str]:
    """What the AWS SDK of `ecsRunTask` goes by: the agent's own environment."""
    found = {name: value for name, value in os.environ.items() if name.startswith(_AWS)}
    # Lambda sets both; boto3 reads the second alone.
    region = found.get("AWS_REGION") or found.get("AWS_DEFAULT_REGION")
    both = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), region) if region else {}
    return found | both


def _passed_on(names: tuple[str, ...]) -> dict[str, str]:
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise CommandError(f"--env: not set: {', '.join(missing)}", code=ExitCode.USAGE)
    return {name: os.environ[name] for name in names}
