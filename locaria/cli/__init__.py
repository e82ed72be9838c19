"""The `locaria` command."""

import click

from locaria.cli.runtime import down, status, up


@click.group()
def main() -> None:
    """Locaria: an INSERT is all it takes to run a container."""


for command in (up, down, status):
    main.add_command(command)
