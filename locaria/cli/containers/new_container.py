"""`locaria new-container`: the folder, Dockerfile, dockers.json entry and test of a new loader."""

from __future__ import annotations

import contextlib
import json
import keyword
import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from string import Template
from typing import Any

import click

from locaria.cli.containers import templates
from locaria.cli.errors import EXIT_CODE_HELP, CommandError, ExitCode
from locaria.cli.options import json_option
from locaria.cli.render import print_json
from locaria.install import read_dockers
from locaria.resources import CONTAINERS

# As in containers/dockers.schema.json.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_FIRST_PORT = 8200
_GROWING = "dockers.json.new"
_LIMITS = {
    "max_tasks": 2,
    "max_attempts": 3,
    "lease": "60 seconds",
    "stall_timeout": "10 minutes",
    "idle_timeout": "60 seconds",
    "launch_timeout": "5 minutes",
}


@click.command("new-container", epilog=EXIT_CODE_HELP)
@click.argument("name")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["loader", "listener"]),
    default="loader",
    show_default=True,
    help="loader: loads its files and exits; listener: stays and answers commands.",
)
@click.option("--shell", is_flag=True, help="A loader in shell, with psql and locaria-report.")
@click.option("--description", help="One line, shown to whoever chooses a container.")
@click.option(
    "--containers",
    type=click.Path(file_okay=False, path_type=Path),
    default=CONTAINERS,
    help="The folder with dockers.json, or an empty one; by default that of this checkout.",
)
@json_option
def new_container(  # noqa: PLR0917 - the options of a command
    name: str, kind: str, shell: bool, description: str | None, containers: Path, as_json: bool
) -> None:
    """Make a new container that runs: its folder, Dockerfile, dockers.json entry and test.

    \b
    locaria new-container stations
    locaria new-container geocoder --type listener --description "Finds addresses"
    locaria new-container maps --shell

    Refuses a name that is taken or that can't be one; writes nothing then. With --json, one object:
    name, folder, files, entry.
    """
    if shell and kind == "listener":
        raise CommandError(
            "a listener in shell is not made",
            "write a script for `locaria-report listen` (docs/loader_authors.md)",
            ExitCode.USAGE,
        )
    dockers_json = containers / "dockers.json"
    dockers = {} if _is_fresh(containers) else _read(dockers_json)
    _check_name(name, containers, dockers)
    description = description or f"What {name} does, in one line: for whoever chooses a container"
    entry = _entry(name, "shell" if shell else kind, description, dockers)
    files = _make(containers, name, description, entry)
    if as_json:
        print_json(
            {
                "name": name,
                "folder": str(containers / name),
                "files": [str(file) for file in files],
                "entry": entry,
            }
        )
    else:
        click.echo(_next_steps(name, kind, containers, entry), nl=False)


def _is_fresh(containers: Path) -> bool:
    """Whether the folder is to be begun: it is empty, or its parent is there."""
    if containers.is_dir():
        return not any(containers.iterdir())
    return containers.parent.is_dir()


def _read(dockers_json: Path) -> dict[str, Any]:
    try:
        return read_dockers(dockers_json)
    except FileNotFoundError:
        raise CommandError(
            f"there is no {dockers_json}",
            "name the folder that has it: --containers DIR",
            ExitCode.USAGE,
        ) from None
    except ValueError as error:
        raise CommandError(str(error), "mend it first", ExitCode.USAGE) from None


def _check_name(name: str, containers: Path, dockers: dict[str, Any]) -> None:
    """Refuse a name that is none, or that another thing has.

    Raises:
        CommandError: the message says why, the hint what a name looks like.
    """
    why = None
    if not _NAME.fullmatch(name):
        why = "is no name of a container"
    elif name in dockers:
        why = f"is in {containers / 'dockers.json'} already"
    elif any((containers / "modules" / each).exists() for each in (name, f"{name}.py")):
        why = f"is the name of a module in {containers / 'modules'}"
    elif name == "modules" or os.path.lexists(containers / name):
        why = f"is taken: there is a {containers / name}"
    elif keyword.iskeyword(name) or name in sys.stdlib_module_names or find_spec(name) is not None:
        # Its file is <name>.py, which would stand before the module of that name.
        why = "is the name of a module of Python, or of a package that is installed"
    if why is not None:
        raise CommandError(
            f"{name!r} {why}",
            "a name is a-z, 0-9 and _, begins with a letter, and has 41 characters at most",
            ExitCode.USAGE,
        )


def _entry(name: str, kind: str, description: str, dockers: dict[str, Any]) -> dict[str, Any]:
    listens = kind == "listener"
    entry: dict[str, Any] = {"description": description, "type": kind if listens else "loader"}
    if listens:
        taken = {each.get("port") for each in dockers.values()}
        entry["port"] = next(p for p in range(_FIRST_PORT, 65536) if p not in taken)
    entry |= {
        "entry_point": ["locaria-report", "run", "--drain", "--", f"./{name}.sh"]
        if kind == "shell"
        else ["python", f"{name}.py"],
        "cpu": 256,
        "memory": 512,
        "parameters": {} if listens else {"url": "", "table": ""},
        "limits": dict(_LIMITS),
        "secrets": ["LOCARIA_DSN"],
    }
    if listens:
        del entry["limits"]["stall_timeout"]
    return entry


def _make(containers: Path, name: str, description: str, entry: dict[str, Any]) -> list[Path]:
    """All of it, or nothing.

    Raises:
        CommandError: something could not be written.
    """
    begun = not containers.exists()
    try:
        files = _write(containers / name, name, description, entry)
        _add_entry(containers / "dockers.json", name, entry)
    except OSError as error:
        shutil.rmtree(containers if begun else containers / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            (containers / _GROWING).unlink()
        raise CommandError(
            f"can't write {error.filename or containers}: {error.strerror}",
            "nothing was made",
            ExitCode.USAGE,
        ) from None
    return files


def _write(folder: Path, name: str, description: str, entry: dict[str, Any]) -> list[Path]:
    listens, shell = entry["type"] == "listener", entry["entry_point"][0] != "python"
    main = PurePosixPath(entry["entry_point"][-1]).name
    program, test = templates.LOADER, templates.LOADER_TEST
    if shell:
        program, test = templates.SHELL, templates.SHELL_TEST
    elif listens:
        program, test = templates.LISTENER, templates.LISTENER_TEST
    texts = {main: program, f"test_{name}.py": test, "Dockerfile": templates.DOCKERFILE}
    code = templates.SHELL_CODE if shell else templates.PYTHON_CODE
    # It stands in a docstring.
    plain = description.replace("\\", "/").replace('"', "'").replace("\n", " ").rstrip(".")
    values = {
        "name": name,
        "description": plain.replace("$", ""),
        "entry_point": json.dumps(entry["entry_point"]),
        "code": Template(code).substitute(name=name),
        "programs": templates.SHELL_PROGRAMS if shell else "",
        "health": Template(templates.HEALTH).substitute(port=entry["port"]) if listens else "",
    }
    folder.mkdir(parents=True)
    written = []
    for file, text in texts.items():
        path = folder / file
        path.write_text(Template(text).substitute(values), encoding="utf-8")
        written.append(path)
    if shell:
        (folder / main).chmod(0o755)
    return written


def _add_entry(dockers_json: Path, name: str, entry: dict[str, Any]) -> None:
    """Add the entry at the end; every other line of the file stays as it is."""
    text = dockers_json.read_text(encoding="utf-8").rstrip() if dockers_json.exists() else "{}"
    before = text[: text.rindex("}")].rstrip()
    added = json.dumps({name: entry}, indent=2, ensure_ascii=False)
    inner = added[1:-1].strip("\n")
    comma = "" if before.endswith("{") else ","
    growing = dockers_json.with_name(_GROWING)
    growing.write_text(f"{before}{comma}\n{inner}\n}}\n", encoding="utf-8")
    read_dockers(growing)
    growing.replace(dockers_json)


def _next_steps(name: str, kind: str, containers: Path, entry: dict[str, Any]) -> str:
    loads, here = kind == "loader", containers.resolve() == CONTAINERS
    wanted = {"url": "https://example.org/places.csv", "table": "places"} if loads else {}
    return Template(templates.NEXT_STEPS).substitute(
        name=name,
        main=PurePosixPath(entry["entry_point"][-1]).name,
        folder=containers / name,
        dockers=containers / "dockers.json",
        what="the loader: any CSV file into a table of texts"
        if loads
        else f"the listener: on port {entry['port']} it knows one command, greet",
        attributes=json.dumps(wanted),
        image="" if here else f", which is built from a checkout, as containers/{name}",
        begin="locaria down; locaria up --detach    # registers it; from now on it can be started"
        if here
        else f"locaria agent --containers {containers}    # registers it, and starts its tasks",
    )
