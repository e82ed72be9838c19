"""The `locaria` command.

Each subcommand is imported when it is called, so that `locaria list` does not wait for the imports
of `locaria up`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from locaria.cli.errors import EXIT_CODE_HELP, ExitCode

COMMANDS = {
    "demo": "locaria.cli.runtime.demo:demo",
    "up": "locaria.cli.runtime.up:up",
    "down": "locaria.cli.runtime.up:down",
    "status": "locaria.cli.runtime.up:status",
    "submit": "locaria.cli.files.submit:submit",
    "watch": "locaria.cli.files.watch:watch",
    "list": "locaria.cli.files.list:list_files",
    "show": "locaria.cli.files.show:show",
    "explain": "locaria.cli.files.show:explain",
    "logs": "locaria.cli.files.logs:logs",
    "cancel": "locaria.cli.files.control:cancel",
    "retry": "locaria.cli.files.control:retry",
    "queue": "locaria.cli.database.overview:queue",
    "health": "locaria.cli.database.overview:health",
    "serve": "locaria.cli.runtime.serve:serve",
    "ingest": "locaria.cli.bundles.ingest:ingest",
    "archive": "locaria.cli.bundles.archive:archive",
    "psql": "locaria.cli.database.psql:psql",
    "db": "locaria.cli.database.db:db",
    "agent": "locaria.cli.runtime.agent:agent",
    "new-container": "locaria.cli.containers.new_container:new_container",
    "configure": "locaria.cli.aws.configure:configure",
    "deploy": "locaria.cli.aws.deploy:deploy",
    "destroy": "locaria.cli.aws.deploy:destroy",
    "template": "locaria.cli.aws.deploy:template",
}


class CommandLine(click.Group):
    """A group that imports a command when it is called, and ends without a traceback on Ctrl-C."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which a newcomer needs them."""
        del ctx
        return [name for name, where in COMMANDS.items() if find_spec(where.partition(":")[0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by its name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C ends it with exit code 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


@click.group(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODE_HELP,
)
@click.version_option(package_name="locaria")
def main() -> None:
    """Locaria: an INSERT is all it takes to run a container.

    \b
    locaria demo                                             # start here: load a data set
    locaria submit airports.csv --table airports --wait      # load a file of your own
    locaria watch                                            # follow all active files
    locaria list --phase failed                              # find out what failed,
    locaria show 17                                          # and why

    Every command takes --help. Commands that read or change files connect to --dsn, else to
    $LOCARIA_DSN, else to the local runtime that `locaria up` starts.
    """
