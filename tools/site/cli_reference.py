"""The reference page of the command line, from each command's own `--help`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from locaria.cli import main


def render() -> str:
    """Return the page in Markdown."""
    sections = [
        f"## {path}\n\n```text\n{help_text}\n```\n"
        for path, help_text in _commands(main, "locaria")
    ]
    return "# The command line\n\n" + "\n".join(sections)


def _commands(
    command: click.Command, path: str, parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the full name and the help of a command, and of each command below it."""
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent)
    context.terminal_width = 100
    yield path, command.get_help(context).strip()
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _commands(below, f"{path} {name}", context)
