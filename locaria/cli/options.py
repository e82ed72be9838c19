"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

FILE_ID = click.IntRange(1, 2**63 - 1)

dsn_option = click.option(
    "--dsn",
    metavar="DSN",
    envvar="LOCARIA_DSN",
    help="Database to connect to: libpq URL or keywords. Default: $LOCARIA_DSN, else the database "
    "of the local runtime.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
reason_option = click.option(
    "--reason", metavar="TEXT", help="The reason, recorded on the file and in its timeline."
)
file_argument = click.argument("file_id", metavar="ID", type=FILE_ID)
files_argument = click.argument("file_ids", metavar="ID...", type=FILE_ID, nargs=-1, required=True)
