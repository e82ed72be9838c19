"""`locaria configure`: what a stage is, asked or given; then the command to run on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from locaria.cli.aws.deploy import deploy, destroy, settings_option, template, told
from locaria.cli.errors import CommandError, ExitCode
from locaria.cli.render import facts, out, say

COMMANDS = ("nothing", "deploy", "docker", "template", "destroy")
LISTS = {
    "subnet": "subnets",
    "security_group": "security_groups",
    "function_subnet": "function_subnets",
}
TABLES = {"secret": "secrets", "identity": "identity"}
ASKED = {
    "region": "AWS region",
    "profile": "AWS profile (empty: the default)",
    "subnets": "Subnets of the tasks, with commas",
    "security_groups": "Security groups that reach the database and S3, with commas",
    "db_cluster": "Aurora cluster that calls Lambda (empty: none)",
    "db_instance": "RDS instance that calls Lambda (empty: none)",
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
@click.option("--secrets-key", metavar="ARN", help="The KMS key of the secrets, if not AWS's own.")
@click.option(
    "--identity",
    metavar="NAME=VALUE",
    multiple=True,
    help="Who may use the WebSocket API: jwks_url, jwt_issuer, jwt_audience, …",
)
@click.option("--command", type=click.Choice(COMMANDS), help="What to do then.")
@click.option("--container", metavar="NAME", help="With --command docker: which image.")
@settings_option
@click.pass_context
def configure(context: click.Context, /, path: Path, **given: Any) -> None:
    """Make a stage, or change it, in locaria.toml; then choose what to do with it.

    \b
    locaria configure                         # asks: stage, its settings, command, container
    locaria configure --stage prod --region eu-west-1 --subnet subnet-1a2b --security-group sg-3c4d
    locaria configure --stage prod --db-cluster "" --db-instance main --secret OS_API_KEY=
    locaria configure --stage prod --command docker --container file_loader

    What no option says is kept as it is, and asked for where it is needed. An empty value takes a
    setting away (asked: -). Nothing here touches AWS until a command is chosen: deploy shows its
    plan first; docker builds one image again and deploys it; destroy asks for the stage's name.
    """
    if given["container"] and given["command"] not in (None, "docker"):
        raise click.UsageError("--container goes with --command docker")
    with told():
        stage = _configure(path, given)
        command = given["command"]
        if command is None and given["container"]:
            command = "docker"
        if command is None and _interactive() and not given["stage"]:
            choice = click.Choice(COMMANDS)
            command = click.prompt("Command", type=choice, default="nothing", err=True)
        words = _words(command or "nothing", stage, path, given["container"])
    if words:
        _run(context, *words)


def _configure(path: Path, given: dict[str, Any]) -> str:
    from locaria.deploy.settings import make_settings  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.settings_file import read_stages, save_settings  # noqa: PLC0415

    stages = read_stages(path)
    stage = given["stage"] or _ask_stage(sorted(stages))
    kept = dict(stages.get(stage, {}))
    values = _without_empty(kept | _from_options(given, kept))
    if _interactive() and (not given["stage"] or stage not in stages):
        if kept:
            out(facts(sorted(kept.items())))
        _ask_settings(values)
    settings = make_settings(stage, values, str(path))
    save_settings(settings, path)
    out(facts(sorted(values.items())))
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
    """What the options say, in the words of locaria.toml; an empty value takes one away."""
    apart = {"stage", "command", "container", *TABLES, *LISTS}
    values = {
        name: value for name, value in given.items() if name not in apart and value is not None
    }
    for option, name in LISTS.items():
        if given[option]:
            values[name] = [each for each in given[option] if each]
    for option, name in TABLES.items():
        values[name] = dict(kept[name]) if isinstance(kept.get(name), dict) else {}
        for pair in given[option]:
            key, found, value = pair.partition("=")
            if not found:  # it is not repeated: it may be the secret itself
                raise CommandError(f"--{option}: write NAME=…", code=ExitCode.USAGE)
            values[name][key] = value
            if not value:
                del values[name][key]
    return values


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is taken away; an empty tick_rate says something."""
    return {
        name: value for name, value in values.items() if value not in ("", [], {}) or name in _SAYS
    }


_SAYS = ("tick_rate",)


def _ask_settings(values: dict[str, Any]) -> None:
    """Ask for each; a wrong answer is asked for again, and `-` takes away what was there."""
    for name, words in ASKED.items():
        before = values.pop(name, "")
        if name == "db_instance" and values.get("db_cluster"):
            continue
        shown = ",".join(before) if isinstance(before, list) else before
        answers = click.prompt(
            words + (", - for none" if shown and name not in _needed() else ""),
            default=shown,
            show_default=bool(shown),
            err=True,
            value_proc=lambda said, name=name: _check_answer(name, said),
        )
        if answers:
            values[name] = answers if name in LISTS.values() else answers[0]


def _needed() -> tuple[str, ...]:
    from locaria.deploy.settings import REQUIRED  # noqa: PLC0415 - slow, for this alone

    return REQUIRED


def _check_answer(name: str, said: str) -> list[str]:
    """The values in an answer. Raises BadParameter, upon which click asks again."""
    from locaria.deploy.settings import check_value  # noqa: PLC0415 - slow, for this alone

    given = said.split(",") if name in LISTS.values() else [said]
    answers = [each.strip() for each in given if each.strip() not in ("", "-")]
    if not answers and name in _needed():
        raise click.BadParameter(f"{name} is needed")
    for answer in answers:
        if complaint := check_value(name, answer):
            raise click.BadParameter(complaint)
    return answers


def _check_stage(said: str) -> str:
    from locaria.deploy.settings import check_value  # noqa: PLC0415 - slow, for this alone

    if complaint := check_value("stage", said.strip()):
        raise click.BadParameter(complaint)
    return said.strip()


def _words(
    command: str, stage: str, path: Path, container: str | None
) -> tuple[click.Command, list[str]] | None:
    """The command to run and its words, as on a command line; None for nothing."""
    where = ["--stage", stage, "--settings", str(path)]
    if command == "docker":
        return deploy, [*where, "--container", container or _ask_container(), "--rebuild"]
    known: dict[str, tuple[click.Command, list[str]]] = {
        "deploy": (deploy, where),
        "destroy": (destroy, where),
        "template": (template, []),
    }
    return known.get(command)


def _run(context: click.Context, command: click.Command, words: list[str]) -> None:
    """Run a command as if it had been typed, so that it reads the environment, too."""
    with command.make_context(command.name, words, parent=context.parent) as its:
        command.invoke(its)


def _ask_container() -> str:
    from locaria.deploy.containers import load_containers  # noqa: PLC0415 - slow, for this alone

    if not _interactive():
        raise CommandError("which container?", "--command docker --container NAME", ExitCode.USAGE)
    names = [container.name for container in load_containers()]
    return str(click.prompt("Container", type=click.Choice(names), err=True))
