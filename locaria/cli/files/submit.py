"""`locaria submit`: insert rows into locaria.files, and wait for their outcome on request."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from locaria.cli.connection import FOREVER, Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP, ExitCode, outcome_exit_code
from locaria.cli.files.progress import STATUS_OF_FILES, follow_files, line_of, open_display
from locaria.cli.files.show import show_result
from locaria.cli.options import dsn_option, json_option
from locaria.cli.render import console, print_json, say

URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
DELAY = re.compile(r"\+(\d+(?:\.\d+)?)(s|m|h|d)")
DELAY_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# One statement for all files makes one dispatch.
INSERT = """
insert into locaria.files (container, priority, run_after, attributes)
select %(container)s, %(priority)s, coalesce(%(after)s::timestamptz, now()), e.attributes
from jsonb_array_elements(%(attributes)s::jsonb) with ordinality as e (attributes, n)
order by e.n
returning id
"""

RESULTS = """
select distinct on (file_id) file_id, result from locaria.attempts
where file_id = any (%s::bigint[]) and result is not null
order by file_id, run_id desc
"""


class Attribute(click.ParamType[tuple[str, object]]):
    """An option of the form k=v, where v is JSON if it parses as JSON, else text."""

    name = "k=v"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, object]:
        """Split the option at the first equals sign."""
        key, equals, text = str(value).partition("=")
        if not equals or not key.strip():
            self.fail(f"{value!r} is not of the form k=v, e.g. mode=append", param, ctx)
        return key.strip(), parse_value(text)


class Time(click.ParamType[datetime]):
    """A time in ISO 8601 (local unless it has a zone), a delay such as +2h, or `hold`."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return a time with a zone; `FOREVER` for `hold`."""
        if isinstance(value, datetime):
            return value
        if value in ("hold", "infinity"):
            return FOREVER
        delay = DELAY.fullmatch(value)
        try:
            if delay:
                length = timedelta(**{DELAY_UNITS[delay[2]]: float(delay[1])})
                return datetime.now(UTC) + length
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is not a time: write 2030-01-31T22:00, +30m, +2h, +1d, or hold",
                param,
                ctx,
            )


def parse_value(text: str) -> object:
    """Return the value of an attribute: parsed if it is JSON, else the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def source_attribute(source: str) -> dict[str, str]:
    """Return `{"url": …}` for a URL, and `{"path": …}`, made absolute, for a local file.

    Raises:
        click.BadParameter: There is no such file, or it is a folder.
    """
    if URL.match(source):
        return {"url": source}
    path = Path(source).expanduser().absolute()
    if path.is_dir():
        raise click.BadParameter(f"{path} is a folder: name the files in it, e.g. {source}/*.csv")
    if not path.exists():
        raise click.BadParameter(f"there is no file {path}")
    return {"path": str(path)}


def build_attributes(
    sources: tuple[str, ...], table: str | None, more: tuple[tuple[str, object], ...]
) -> list[dict[str, object]]:
    """Return the attributes of each file, in the order of the command line.

    Raises:
        click.UsageError: --attribute sets what an argument or another option sets.
    """
    common: dict[str, object] = {} if table is None else {"table": table}
    for name, value in more:
        if name in ("path", "url"):
            raise click.UsageError(f"--attribute can't set {name}: give it as an argument.")
        if name == "table" and table is not None:
            raise click.UsageError("table is given twice: with --table and with --attribute.")
        common[name] = value
    return [source_attribute(source) | common for source in sources] or [common]


@click.command(epilog=EXIT_CODE_HELP, short_help="Submit files to be loaded.")
@click.argument("sources", metavar="[PATH|URL...]", nargs=-1)
@click.option(
    "--container",
    "-c",
    metavar="NAME",
    help="Container that processes the files. Default: file_loader.",
)
@click.option("--table", "-t", metavar="TABLE", help="Target table: TABLE or SCHEMA.TABLE.")
@click.option(
    "--attribute",
    "-a",
    "attributes",
    type=Attribute(),
    multiple=True,
    help="Set an attribute; may be repeated. V is JSON if it parses as JSON, else text.",
)
@click.option(
    "--priority",
    type=click.IntRange(-32768, 32767),
    default=0,
    help="Files with a higher priority run first. Default: 0.",
)
@click.option(
    "--after",
    type=Time(),
    help="Earliest start: 2030-01-31T22:00, +30m, +2h; or `hold`, until it is released.",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Show progress until all files are finished; the exit code is their outcome.",
)
@json_option
@dsn_option
def submit(
    *,
    sources: tuple[str, ...],
    container: str | None,
    table: str | None,
    attributes: tuple[tuple[str, object], ...],
    priority: int,
    after: datetime | None,
    wait: bool,
    as_json: bool,
    dsn: str | None,
) -> None:
    """Submit files: insert one row into locaria.files per PATH or URL, in one transaction.

    \b
    locaria submit airports.csv --table airports --wait
    locaria submit data/*.csv --table public.readings -a mode=append -a delimiter=';'
    locaria submit https://example.org/big.csv --table big --after +2h --priority -5

    Without PATH or URL, one row is inserted for the container. --wait on a listener ends as soon as
    it listens.

    \b
    locaria submit -c place_finder -t airports --wait
    locaria submit -c place_finder -a command=find -a name=zurich --wait

    Each PATH is made absolute; the container must be able to read it under that path. --json prints
    an array of rows of the view locaria.status: at once, or with --wait, at the end.
    """
    if not sources and container is None:
        raise click.UsageError(
            "Name a PATH or URL, or with --container a container that needs none."
        )
    wanted = build_attributes(sources, table, attributes)
    with Session(find_dsn(dsn), "submit") as session:
        inserted = session.rows(
            INSERT,
            {
                "container": container,
                "priority": priority,
                "after": "infinity" if after == FOREVER else after,
                "attributes": json.dumps(wanted),
            },
        )
        file_ids = [row["id"] for row in inserted]
        code = ExitCode.DONE
        if wait:
            code = wait_for(session, file_ids, quiet=as_json)
        if as_json:
            print_json(session.rows(STATUS_OF_FILES, [file_ids]))
        elif not wait:
            show_submitted(session, file_ids)
        elif "command" in wanted[0]:
            for row in session.rows(RESULTS, [file_ids]):
                show_result(row["result"])
    raise click.exceptions.Exit(code)


def wait_for(session: Session, file_ids: list[int], *, quiet: bool = False) -> ExitCode:
    """Wait for files to finish and return the exit code; Ctrl-C ends the wait, not the files.

    Args:
        session: Where they were submitted.
        file_ids: The files.
        quiet: Whether to show no progress.
    """
    try:
        if quiet:
            rows = follow_files(session, file_ids, Silent())
        else:
            with open_display() as display:
                rows = follow_files(session, file_ids, display)
    except KeyboardInterrupt:
        ids = " ".join(map(str, file_ids[:20]))
        say(
            f"\nStopped waiting. The submitted files continue: locaria watch · "
            f"locaria logs {file_ids[0]} -f · locaria cancel {ids}"
        )
        return ExitCode.INTERRUPTED
    if not quiet:
        for row in rows:
            if row["phase"] == "failed":
                say(f"file {row['file_id']} {row['why']}\nhint: locaria show {row['file_id']}")
    return outcome_exit_code([row["phase"] for row in rows])


class Silent:
    """A display that shows only remarks."""

    def show(self, rows: list[dict[str, Any]], note: str = "") -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Print a remark to standard error."""
        say(text)


def show_submitted(session: Session, file_ids: list[int]) -> None:
    """Print the submitted files, and how to follow them."""
    for row in session.rows(STATUS_OF_FILES, [file_ids[:20]]):
        console().print(line_of(row), soft_wrap=True)
    if len(file_ids) > 20:
        console().print(f"… and {len(file_ids) - 20} more, up to file {file_ids[-1]}")
    if console().is_terminal:
        say(f"follow: locaria watch · locaria logs {file_ids[0]} -f")
