"""`locaria configure`: what a stage is, asked or given; then the command to run on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from locaria.cli.deploy import deploy, destroy, settings_option, template, told
from locaria.cli.errors import CommandError, ExitCode
from locaria.cli.render import facts, out, say

COMMANDS = ("nothing", "deploy", "docker", "template", "destroy")
LISTS = {
    "subnet": "subnets",
    "security_group": "security_groups",
    "function_subnet": "function_subnets",
}
ASKED = {
    "region": "AWS region",
    "profile": "AWS profile (empty: the default)",
    "subnets": "Subnets of the tasks, with commas",
    "security_groups": "Security groups that reach the database and S3, with commas",
    "db_cluster": "Aurora cluster that calls Lambda (empty: none)",
}


@click.command()
@click.option("--stage", metavar="NAME", help="Which stage; asked for otherwise.")
@click.option("--region", metavar="NAME", help="AWS region.")
@click.option("--profile", metavar="NAME", help="AWS profile.")
@click.option("--account", metavar="NUMBER", help="The AWS account that it must be.")
@click.option("--subnet", metavar="ID", multiple=True, help="Of the tasks; again for more.")
@click.option("--function-subnet", metavar="ID", multiple=True, help="Of the Lambda functions.")
@click.option("--security-group", metavar="ID", multiple=True, help="Of both; again for more.")
@click.option("--assign-public-ip/--no-public-ip", default=None, help="For subnets without NAT.")
@click.option("--capacity-provider", type=click.Choice(["FARGATE", "FARGATE_SPOT"]))
@click.option("--architecture", type=click.Choice(["X86_64", "ARM64"]))
@click.option("--db-cluster", metavar="ID", help="The Aurora cluster that calls Lambda.")
@click.option("--db-instance", metavar="ID", help="Or the RDS instance.")
@click.option("--database-host", metavar="HOST", help="Where tasks find it, if not where you do.")
@click.option("--database-port", metavar="PORT", type=click.IntRange(1, 65535))
@click.option("--owner-secret", metavar="ARN", help="Secret with the DSN of the schema's owner.")
@click.option("--files-bucket", metavar="NAME", help="A bucket of yours that tasks may read.")
@click.option("--files-prefix", metavar="PREFIX", help="What of it.")
@click.option("--log-days", metavar="N", type=click.INT, help="How long CloudWatch keeps logs.")
@click.option("--tick-rate", metavar="RATE", help='Of tick(); "" where pg_cron calls it.')
@click.option("--secret", metavar="NAME=ARN", multiple=True, help="A secret that is there already.")
@click.option("--command", type=click.Choice(COMMANDS), help="What to do then.")
@click.option("--container", metavar="NAME", help="With --command docker: which image.")
@settings_option
@click.pass_context
def configure(context: click.Context, /, path: Path, **given: Any) -> None:
    """Make a stage, or change it, in locaria.toml; then choose what to do with it.

    \b
    locaria configure                         # asks: stage, its settings, command, container
    locaria configure --stage prod --region eu-west-1 --subnet subnet-1a2b --security-group sg-3c4d

    What no option says is kept as it is, and asked for where it is needed.
    """
    with told():
        stage = _configure(path, given)
    command = given["command"]
    if command is None and _interactive() and not given["stage"]:
        command = click.prompt("Command", type=click.Choice(COMMANDS), default="nothing", err=True)
    _run(context, path, stage, command or "nothing", container=given["container"])


def _configure(path: Path, given: dict[str, Any]) -> str:
    from locaria.deploy.settings import (  # noqa: PLC0415 - slow, for this alone
        make_settings,
        read_stages,
        save_settings,
    )

    stages = read_stages(path)
    stage = given["stage"] or _ask_stage(sorted(stages))
    kept = dict(stages.get(stage, {}))
    values = kept | _from_options(given, kept)
    if _interactive() and (not given["stage"] or stage not in stages):
        _ask_settings(values)
    settings = make_settings(stage, values, str(path))
    save_settings(settings, path)
    out(facts((name, value) for name, value in sorted(values.items())))
    say(f"Stage {stage} stands in {path}.")
    return str(stage)


def _interactive() -> bool:
    return sys.stdin.isatty()


def _ask_stage(known: list[str]) -> str:
    if not _interactive():
        raise CommandError("which stage?", "locaria configure --stage NAME", ExitCode.USAGE)
    say(f"Stages: {', '.join(known) or 'none yet'}")
    first = known[0] if known else "test"
    return str(click.prompt("Stage", default=first, err=True, value_proc=_check_stage))


def _from_options(given: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """What the options say, in the words of locaria.toml."""
    apart = {"stage", "command", "container", "secret", *LISTS}
    values = {
        name: value for name, value in given.items() if name not in apart and value is not None
    }
    values |= {name: list(given[option]) for option, name in LISTS.items() if given[option]}
    secrets = dict(kept.get("secrets", {}))
    for pair in given["secret"]:
        name, found, arn = pair.partition("=")
        if not found:
            raise CommandError(f"--secret {pair}: write NAME=ARN", code=ExitCode.USAGE)
        secrets[name] = arn
    return values | ({"secrets": secrets} if secrets else {})


def _ask_settings(values: dict[str, Any]) -> None:
    """Ask for each; a wrong answer is asked for again, and `-` takes away what was there."""
    for name, words in ASKED.items():
        before = values.pop(name, "")
        shown = ",".join(before) if isinstance(before, list) else before
        answers = click.prompt(
            words,
            default=shown,
            show_default=bool(shown),
            err=True,
            value_proc=lambda said, name=name: _check_answer(name, said),
        )
        if answers:
            values[name] = answers if name in LISTS.values() else answers[0]


def _check_answer(name: str, said: str) -> list[str]:
    """The values in an answer. Raises BadParameter, upon which click asks again."""
    from locaria.deploy.settings import REQUIRED, check_value  # noqa: PLC0415 - slow, for this

    given = said.split(",") if name in LISTS.values() else [said]
    answers = [each.strip() for each in given if each.strip() not in ("", "-")]
    if not answers and name in REQUIRED:
        raise click.BadParameter(f"{name} is needed")
    for answer in answers:
        if told := check_value(name, answer):
            raise click.BadParameter(told)
    return answers


def _check_stage(said: str) -> str:
    from locaria.deploy.settings import check_value  # noqa: PLC0415 - slow, for this alone

    if told := check_value("stage", said.strip()):
        raise click.BadParameter(told)
    return said.strip()


def _run(
    context: click.Context, path: Path, stage: str, command: str, container: str | None
) -> None:
    if command == "docker":
        container = container or _ask_container()
        context.invoke(deploy, stage=stage, path=path, container=container, rebuild=True)
    elif command == "deploy":
        context.invoke(deploy, stage=stage, path=path)
    elif command == "destroy":
        context.invoke(destroy, stage=stage, path=path)
    elif command == "template":
        context.invoke(template)


def _ask_container() -> str:
    from locaria.deploy.containers import load_containers  # noqa: PLC0415 - slow, for this alone

    names = [container.name for container in load_containers()]
    return str(click.prompt("Container", type=click.Choice(names), err=True))
