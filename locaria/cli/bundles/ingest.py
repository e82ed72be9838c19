"""`locaria ingest` and `IngestCMD`: jobs of bundle ingest."""

from __future__ import annotations

import click

from locaria.cli.connection import Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP, CommandError, ExitCode
from locaria.cli.options import FILE_ID, dsn_option
from locaria.cli.render import print_json

SET = """
select locaria.set_ingest_job(%s::bigint, %s::text, %s::text, %s::numeric, %s::text) as state
"""
STATE = "select locaria.get_ingest_state(%s::bigint) as state"
RETRY = "select status, note from locaria.retry(%s::bigint, 'IngestCMD retry')"

job_id_option = click.option(
    "--job-id", "--job_id", metavar="ID", type=FILE_ID, required=True, help="Id of the job."
)


@click.group(
    short_help="Fail, retry or show a bundle ingest job.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def ingest() -> None:
    """Fail, retry or show a job of bundle ingest.

    \b
    locaria ingest job --job-id 17 --state FAILED --task 'ingest files' --exception 'disk is full'
    locaria ingest retry --job-id 17
    locaria ingest state --job-id 17
    """


@ingest.command(epilog=EXIT_CODE_HELP, short_help="Fail a stuck job.")
@job_id_option
@click.option("--state", metavar="STATE", required=True, help="The new state; must be FAILED.")
@click.option("--task", metavar="TASK", help="Stage to record, such as 'ingest files'.")
@click.option(
    "--task-percent",
    metavar="PERCENT",
    type=click.FloatRange(0, 100),
    default=0.0,
    show_default=True,
    help="Percentage of the stage to record.",
)
@click.option("--exception", metavar="TEXT", help="Reason to record; the user of the job sees it.")
@dsn_option
def job(
    *,
    job_id: int,
    state: str,
    task: str | None,
    task_percent: float,
    exception: str | None,
    dsn: str | None,
) -> None:
    """Fail a job, whatever its state; no file of its bundle becomes visible.

    \b
    IngestCMD job --job-id 1234 --state FAILED --task 'ingest files' --task-percent 0.0 \\
        --exception 'Failed by adminstrator'

    Prints the job as GET /get_state does.
    """
    with Session(find_dsn(dsn), "ingest job") as session:
        row = session.row(SET, [job_id, state, task, task_percent, exception])
    print_json(row["state"])


@ingest.command(epilog=EXIT_CODE_HELP, short_help="Run a failed job again.")
@job_id_option
@dsn_option
def retry(job_id: int, dsn: str | None) -> None:
    """Run a failed job again, while its bundle is kept (keep_failed_seconds, 7 days by default).

    \b
    locaria ingest retry --job-id 17
    """
    with Session(find_dsn(dsn), "ingest retry") as session:
        _state(session, job_id)
        row = session.row(RETRY, [job_id])
        print_json(_state(session, job_id))
    if row["note"] not in ("runs again", "runs now instead of later", "waits to be run already"):
        raise CommandError(f"job {job_id} {row['note']}")


@ingest.command(epilog=EXIT_CODE_HELP, short_help="Print the state of a job.")
@job_id_option
@dsn_option
def state(job_id: int, dsn: str | None) -> None:
    """Print the state of a job, as GET /get_state returns it.

    \b
    locaria ingest state --job-id 17
    """
    with Session(find_dsn(dsn), "ingest state") as session:
        print_json(_state(session, job_id))


def _state(session: Session, job_id: int) -> dict[str, object]:
    found = session.row(STATE, [job_id])["state"]
    if found is None:
        raise CommandError(f"there is no job {job_id}", None, ExitCode.REFUSED)
    return dict(found)


def ingest_cmd() -> None:
    """Run the command under its name in Pacifica Ingest."""
    ingest(prog_name="IngestCMD")
