"""`locaria deploy`, `destroy` and `template`: a stage on AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg

from locaria.cli.errors import CommandError, ExitCode
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
    from locaria.deploy.errors import BadInput, DeployError, Refused, Unreachable  # noqa: PLC0415
    from locaria.deploy.zips import ZipError  # noqa: PLC0415

    codes = {
        BadInput: ExitCode.USAGE,
        Refused: ExitCode.REFUSED,
        Unreachable: ExitCode.UNREACHABLE,
    }
    goes_on = "What is done is done; the same command goes on from there."
    try:
        yield
    except DeployError as error:
        code = codes.get(type(error), ExitCode.FAILED)
        raise CommandError(str(error), error.hint, code) from error
    except (DockersError, ZipError) as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from error
    except ClientError as error:
        raise CommandError(str(error), goes_on, ExitCode.FAILED) from error
    except psycopg.Error as error:
        words = error.diag.message_primary or str(error)
        raise CommandError(f"the database said: {words}", goes_on, ExitCode.FAILED) from error
    except KeyboardInterrupt:
        say(f"Interrupted. What AWS has begun goes on there. {goes_on}")
        raise


@click.command()
@stage_option
@click.option(
    "--container", metavar="NAME", help="Build this image alone; others stay as they are."
)
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
    Values of secrets that dockers.json asks for are taken from the environment, once.

    \b
    Exit codes: 0 deployed, or as it is; 1 failed half way: the same command goes on from there;
    2 wrong option, locaria.toml or dockers.json; 4 no database; 5 refused. After 2, 4, 5
    nothing was changed. docs/aws.md says what each step does, and what who deploys must be allowed.
    """
    with told():
        _deploy(stage, path, given)


def _deploy(stage: str, path: Path, given: dict[str, Any]) -> None:
    from locaria.deploy.errors import nothing_changed  # noqa: PLC0415 - slow, for this alone

    with ExitStack() as stack:
        with nothing_changed():
            target = _target(stage, path, given)
            if not given["dry_run"]:
                stack.enter_context(target.site.alone())
            changes, wanted = _show_plan(target, stage, given["prove"])
        if not changes and not wanted:
            say("Nothing to change.")
            return
        if changes and not (given["yes"] or given["dry_run"]):
            click.confirm("Do it?", abort=True, err=True)
        _carry_out(target, changes=changes, proof=wanted)
    say("Nothing was done." if given["dry_run"] else f"Stage {stage} is deployed.")


def _show_plan(target: Any, stage: str, prove: bool | None) -> tuple[bool, bool]:
    """Check, then show what would change. Whether anything would, and whether to prove it."""
    from locaria.deploy.plan import make_plan  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.prechecks import check_target  # noqa: PLC0415

    check_target(target)
    plan = make_plan(target)
    changes = any(each.action for each in plan)
    wanted = prove if prove is not None else changes or not target.deployed.get("proved")
    rows = [(each.what, each.name, each.action or "as it is", each.detail) for each in plan]
    rows += [("proof", "one file, by a task", "run", "")] if wanted else []
    out(table(["part", "which", "change", "detail"], rows, f"Stage {stage}"))
    return changes, wanted


def _carry_out(target: Any, *, changes: bool, proof: bool) -> None:
    from locaria.deploy.errors import nothing_changed  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.prove import prove  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.steps import build_images, carry_out  # noqa: PLC0415

    if changes:
        with nothing_changed():
            build_images(target)
        carry_out(target)
    if proof:
        said = prove(target)
        say(f"Proof: {said}.")


def _target(stage: str, path: Path, given: dict[str, Any]) -> Any:
    from locaria.deploy.aws import Aws  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.commands import Commands  # noqa: PLC0415
    from locaria.deploy.containers import load_containers  # noqa: PLC0415
    from locaria.deploy.errors import BadInput  # noqa: PLC0415
    from locaria.deploy.owner import owner_dsn  # noqa: PLC0415
    from locaria.deploy.prechecks import check_account, check_network  # noqa: PLC0415
    from locaria.deploy.settings_file import load_settings  # noqa: PLC0415
    from locaria.deploy.target import Options, Target  # noqa: PLC0415
    from locaria.deploy.zips import build_zips  # noqa: PLC0415
    from locaria.resources import ROOT  # noqa: PLC0415

    settings = load_settings(stage, path, profile=given["profile"], region=given["region"])
    containers = load_containers()
    names = [container.name for container in containers]
    if given["container"] not in (None, *names):
        raise BadInput(f'there is no container "{given["container"]}": {", ".join(names)}')
    if given["rebuild"] and not given["container"]:
        raise BadInput("--rebuild needs --container")
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
        owner_dsn=owner_dsn(aws, settings.owner_secret, given["dsn"]),
        options=Options(
            container=given["container"],
            rebuild=bool(given["rebuild"]),
            base=given["base"],
            secrets={each: os.environ[each] for each in variables if os.environ.get(each)},
        ),
        say=say,
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
    locaria destroy --stage test --dry-run    # what would go, what stays, every call
    locaria destroy --stage test              # the same, a question, then it goes

    Tasks that run are stopped first; their files wait in the database, and a later deployment
    takes up database, bucket and secrets again. Where there is no such stack, nothing is done.
    """
    from locaria.deploy import destroy as destruction  # noqa: PLC0415 - slow, for this alone
    from locaria.deploy.aws import Aws  # noqa: PLC0415
    from locaria.deploy.errors import nothing_changed  # noqa: PLC0415
    from locaria.deploy.prechecks import check_account  # noqa: PLC0415
    from locaria.deploy.settings_file import load_settings  # noqa: PLC0415

    with told():
        with nothing_changed():
            settings = load_settings(stage, path, **given)
            aws = Aws(settings.region, settings.profile, dry_run=dry_run, show=say)
            check_account(aws, settings)
            plan = destruction.plan_destruction(aws, settings)
        if plan is None:
            say(f"There is no stack {settings.stack}: nothing to destroy.")
            return
        out(table(["goes"], [(each,) for each in plan.goes], f"Stage {stage}"))
        out(table(["stays"], [(each,) for each in plan.stays]))
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
