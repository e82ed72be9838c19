"""The `locaria` command.

Each subcommand lives in a module of its noun and is imported when it is called, so that
`locaria list` does not pay for what only `locaria up` needs.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from locaria.cli.errors import EXIT_CODE_HELP, ExitCode

COMMANDS = {
    "demo": "locaria.cli.demo:demo",
    "up": "locaria.cli.runtime:up",
    "down": "locaria.cli.runtime:down",
    "status": "locaria.cli.runtime:status",
    "submit": "locaria.cli.submit:submit",
    "watch": "locaria.cli.watch:watch",
    "list": "locaria.cli.listing:list_files",
    "show": "locaria.cli.show:show",
    "explain": "locaria.cli.show:explain",
    "logs": "locaria.cli.logs:logs",
    "cancel": "locaria.cli.control:cancel",
    "retry": "locaria.cli.control:retry",
    "queue": "locaria.cli.overview:queue",
    "health": "locaria.cli.overview:health",
    "serve": "locaria.cli.serve:serve",
    "ingest": "locaria.cli.ingest:ingest",
    "archive": "locaria.cli.archive:archive",
    "psql": "locaria.cli.psql:psql",
    "db": "locaria.cli.db:db",
    "agent": "locaria.cli.agent:agent",
    "new-container": "locaria.cli.new_container:new_container",
    "configure": "locaria.cli.configure:configure",
    "deploy": "locaria.cli.deploy:deploy",
    "destroy": "locaria.cli.deploy:destroy",
    "template": "locaria.cli.deploy:template",
}


class CommandLine(click.Group):
    """A group that imports a command when it is needed and ends cleanly at Ctrl-C."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a newcomer meets them."""
        del ctx
        return [name for name, where in COMMANDS.items() if find_spec(where.partition(":")[0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C ends it without a traceback."""
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
    See it work:       locaria demo
    Load a file:       locaria submit airports.csv --table airports --wait
    What goes on:      locaria watch
    What went wrong:   locaria list --phase failed; locaria show 17
    """
