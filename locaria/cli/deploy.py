"""`locaria deploy`, `destroy` and `template`: a stage on AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from locaria.cli.errors import CommandError
from locaria.cli.options import dsn_option
from locaria.cli.render import out, say, table

stage_option = click.option("--stage", metavar="NAME", required=True, help="Of locaria.toml.")
settings_option = click.option(
    "--settings",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("locaria.toml"),
    show_default=True,
    help="The file with the stages.",
)
profile_option = click.option("--profile", metavar="NAME", help="AWS profile, for this once.")
region_option = click.option("--region", metavar="NAME", help="AWS region, for this once.")
yes_option = click.option("--yes", is_flag=True, help="Don't ask.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Change nothing; print every command and call."
)


@contextmanager
def told() -> Iterator[None]:
    """What stops a deployment, as the end of a command."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - slow, for this alone

    from locaria.deploy.containers import DockersError  # noqa: PLC0415
    from locaria.deploy.errors import DeployError  # noqa: PLC0415
    from locaria.deploy.zips import ZipError  # noqa: PLC0415

    try:
        yield
    except DeployError as error:
        raise CommandError(str(error), error.hint, 1) from error
    except (DockersError, ZipError) as error:
        raise CommandError(str(error), code=2) from error
    except ClientError as error:
        hint = "What is done is done; the same command goes on from there."
        raise CommandError(str(error), hint, 1) from error


@click.command()
@stage_option
@click.option("--container", metavar="NAME", help="Build this image alone.")
@click.option("--rebuild", is_flag=True, help="With --container: build it though it is unchanged.")
@click.option("--base", metavar="IMAGE", help="Base image, in place of the Dockerfiles' own.")
@click.option("--prove/--no-prove", default=None, help="Run one task [default: when changed].")
@dry_run_option
@yes_option
@profile_option
@region_option
@dsn_option
@settings_option
def deploy(stage: str, path: Path, **given: Any) -> None:
    """Bring a stage on AWS to what stands in this checkout. Again is fine.

    \b
    locaria deploy --stage prod --dry-run     # every command and call, nothing done
    locaria deploy --stage prod               # the plan, a question, then all of it
    locaria deploy --stage prod --container file_loader --rebuild

    Needs LOCARIA_DSN (or --dsn, or owner_secret in locaria.toml): the owner of Locaria's schema.
    """
    with told():
        _deploy(stage, path, given)


def _deploy(stage: str, path: Path, given: dict[str, Any]) -> None:
    from locaria.deploy.plan import make_plan  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.prechecks import check_target  # noqa: PLC0415
    from locaria.deploy.prove import prove  # noqa: PLC0415
    from locaria.deploy.steps import build_images, carry_out  # noqa: PLC0415

    target = _target(stage, path, given)
    check_target(target)
    plan = make_plan(target)
    rows = [(each.what, each.name, each.action or "as it is", each.detail) for each in plan]
    out(table(["part", "which", "change", "detail"], rows, f"Stage {stage}"))
    changes = any(each.action for each in plan)
    wanted = given["prove"] if given["prove"] is not None else changes
    if not changes and not wanted:
        say("Nothing to change.")
        return
    if changes and not (given["yes"] or given["dry_run"]):
        click.confirm("Do it?", abort=True, err=True)
    if changes:
        build_images(target)
        carry_out(target)
    if wanted:
        say(f"Proved: {prove(target)}.")
    if not given["dry_run"]:
        say(f"Stage {stage} is deployed.")


def _target(stage: str, path: Path, given: dict[str, Any]) -> Any:
    from locaria.deploy.aws import Aws  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.commands import Commands  # noqa: PLC0415
    from locaria.deploy.containers import load_containers  # noqa: PLC0415
    from locaria.deploy.errors import DeployError  # noqa: PLC0415
    from locaria.deploy.prechecks import check_account, check_network  # noqa: PLC0415
    from locaria.deploy.settings_file import load_settings  # noqa: PLC0415
    from locaria.deploy.target import Options, Target  # noqa: PLC0415
    from locaria.deploy.zips import build_zips  # noqa: PLC0415
    from locaria.local.places import ROOT  # noqa: PLC0415

    settings = load_settings(stage, path, profile=given["profile"], region=given["region"])
    containers = load_containers()
    names = [container.name for container in containers]
    if given["container"] not in (None, *names):
        raise DeployError(f'there is no container "{given["container"]}": {", ".join(names)}')
    if given["rebuild"] and not given["container"]:
        raise DeployError("--rebuild needs --container")
    dry_run = bool(given["dry_run"])
    aws = Aws(settings.region, settings.profile, dry_run=dry_run, show=say)
    check_account(aws, settings)
    check_network(aws, settings)
    variables = {each for container in containers for each in container.secrets}
    return Target(
        settings,
        aws,
        Commands(ROOT, dry_run=dry_run, show=say),
        containers=containers,
        zips=build_zips(settings.architecture),
        owner_dsn=_owner_dsn(aws, settings, given["dsn"]),
        options=Options(
            container=given["container"],
            rebuild=bool(given["rebuild"]),
            base=given["base"],
            secrets={each: os.environ[each] for each in variables if each in os.environ},
        ),
        say=say,
    )


def _owner_dsn(aws: Any, settings: Any, dsn: str | None) -> str:
    from locaria.deploy.errors import DeployError  # noqa: PLC0415 - slow, for this alone

    if dsn:
        return dsn
    if settings.owner_secret:
        told = aws.ask("secretsmanager", "GetSecretValue", SecretId=settings.owner_secret)
        return str(told["SecretString"])
    raise DeployError(
        "no database: who owns Locaria's schema there?",
        "export LOCARIA_DSN=postgresql://owner@host/database, or name owner_secret in locaria.toml",
    )


@click.command()
@stage_option
@yes_option
@dry_run_option
@profile_option
@region_option
@settings_option
def destroy(stage: str, path: Path, *, yes: bool, dry_run: bool, **given: Any) -> None:
    """Take a stage away from AWS. Database, bucket and secrets stay.

    \b
    locaria destroy --stage test
    """
    from locaria.deploy import destroy as destruction  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.aws import Aws  # noqa: PLC0415
    from locaria.deploy.prechecks import check_account  # noqa: PLC0415
    from locaria.deploy.settings_file import load_settings  # noqa: PLC0415

    with told():
        settings = load_settings(stage, path, **given)
        aws = Aws(settings.region, settings.profile, dry_run=dry_run, show=say)
        check_account(aws, settings)
        goes, stays = destruction.plan_destruction(aws, settings)
        out(table(["goes"], [(each,) for each in goes], f"Stage {stage}"))
        out(table(["stays"], [(each,) for each in stays]))
        if not (yes or dry_run):
            answer = click.prompt(f'Type "{stage}" to destroy it', err=True)
            if answer != stage:
                raise click.Abort
        destruction.destroy(aws, settings, say)
    say(f"Stage {stage} is gone." if not dry_run else "Nothing was done.")


@click.command()
def template() -> None:
    """Print the CloudFormation template, made from containers/dockers.json and lambda/.

    \b
    locaria template > locaria.json
    """
    from locaria.deploy.containers import load_containers  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.functions import list_functions  # noqa: PLC0415
    from locaria.deploy.template import build_template  # noqa: PLC0415

    with told():
        click.echo(build_template(load_containers(), list_functions()).to_json())
