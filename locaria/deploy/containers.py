"""`containers/dockers.json`, checked: the only list of images, read by everything that deploys."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from locaria.install import read_dockers
from locaria.resources import DOCKERS_JSON

SCHEMA_FILE = "dockers.schema.json"
MODULES = "modules"
# With Task, Logs or Role behind them these are names of the template's other parts.
_OWN_NAMES = ("EcsRun", "EcsRunTask", "TaskEvents", "WebsocketApi")
_PLAIN_VARIABLES = ("PGAPPNAME", "LOCARIA_OBJECT_STORE", "LOCARIA_PORT")

_GIB = 1024
FARGATE_MEMORY_MIB: dict[int, list[int]] = {
    256: [512, 1 * _GIB, 2 * _GIB],
    512: list(range(1 * _GIB, 4 * _GIB + 1, _GIB)),
    1024: list(range(2 * _GIB, 8 * _GIB + 1, _GIB)),
    2048: list(range(4 * _GIB, 16 * _GIB + 1, _GIB)),
    4096: list(range(8 * _GIB, 30 * _GIB + 1, _GIB)),
    8192: list(range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB)),
    16384: list(range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB)),
}
"""Memory (MiB) that Fargate offers with each number of CPU units (ECS guide, "Task size")."""


class DockersError(Exception):
    """dockers.json and its folders do not fit together; the message lists every fault."""


@dataclass(frozen=True)
class Container:
    """One entry of dockers.json, as the deployment sees it.

    Attributes:
        cpu: Fargate CPU units; `memory` in MiB; `storage` in GiB, beyond Fargate's own 20.
        secrets: environment variables that come from Secrets Manager.
        modules: folders of `containers/modules/` that its image needs.
        object_store: "read", "write" or None: what its task may do in the object store.
        image_limit_mib: an image that is larger is not deployed.
    """

    name: str
    type: str
    port: int | None
    cpu: int
    memory: int
    storage: int | None
    stop_timeout: int
    secrets: tuple[str, ...]
    modules: tuple[str, ...]
    object_store: str | None
    image_limit_mib: int
    description: str

    @property
    def logical(self) -> str:
        """Its name in CloudFormation, where names are letters and digits: FileLoader."""
        return logical_name(self.name)


def logical_name(name: str) -> str:
    """A name in CloudFormation's letters and digits: FileLoader for file_loader."""
    return "".join(word.capitalize() for word in name.split("_"))


def load_containers(path: Path = DOCKERS_JSON) -> list[Container]:
    """The checked containers of a dockers.json, by name.

    Raises:
        DockersError: the file breaks its schema, or folders and entries do not match.
    """
    try:
        dockers = read_dockers(path)
    except (OSError, ValueError) as error:
        raise DockersError(str(error)) from error
    complaints = check_dockers(path, dockers)
    if complaints:
        raise DockersError("\n".join([f"{path} can't be deployed:", *complaints]))
    return [_container(name, entry) for name, entry in sorted(dockers.items())]


def _container(name: str, entry: dict[str, Any]) -> Container:
    return Container(
        name=name,
        type=entry["type"],
        port=entry.get("port"),
        cpu=entry["cpu"],
        memory=entry["memory"],
        storage=entry.get("ephemeral_storage"),
        stop_timeout=int(entry.get("stop_timeout", 120)),
        secrets=tuple(sorted({"LOCARIA_DSN", *entry.get("secrets", [])})),
        modules=tuple(entry.get("modules", [])),
        object_store=entry.get("object_store"),
        image_limit_mib=entry.get("image_limit_mib", 2048),
        description=entry["description"],
    )


def check_dockers(path: Path, dockers: dict[str, dict[str, Any]]) -> list[str]:
    """Everything that is wrong with a dockers.json and the folders beside it, one line each."""
    schema = json.loads((DOCKERS_JSON.parent / SCHEMA_FILE).read_text(encoding="utf-8"))
    broken = sorted(Draft202012Validator(schema).iter_errors(dockers), key=lambda e: e.json_path)
    if broken:
        return [f"  {_place(error)}: {error.message}" for error in broken]
    complaints = _check_names(dockers)
    for name, entry in sorted(dockers.items()):
        complaints += [f"  {name}: {text}" for text in _check_entry(path.parent, name, entry)]
    return complaints + _check_folders(path.parent, dockers)


def _place(error: ValidationError) -> str:
    """Entry and key, as a person writes them; of a name that is wrong, the name itself."""
    named = [str(error.instance)] if "propertyNames" in error.absolute_schema_path else []
    return ".".join([*map(str, error.absolute_path), *named]) or "dockers.json"


def _check_names(dockers: dict[str, dict[str, Any]]) -> list[str]:
    """CloudFormation knows letters and digits alone, so that two names can become one."""
    complaints, taken = [], dict.fromkeys(_OWN_NAMES, "the deployment's own")
    for name in sorted(dockers):
        if other := taken.get(logical_name(name)):
            complaints.append(f"  {name}: in CloudFormation that is {other}; choose another name")
        taken[logical_name(name)] = f"the same as {name}"
    variables: dict[str, str] = {}
    for name, entry in sorted(dockers.items()):
        for variable in entry.get("secrets", []):
            other = variables.setdefault(logical_name(variable), variable)
            if other != variable:
                complaints.append(f"  {name}.secrets: {variable} and {other} are too much alike")
            if variable in _PLAIN_VARIABLES:
                complaints.append(f"  {name}.secrets: every task has {variable} already, in clear")
    return complaints


def _check_entry(root: Path, name: str, entry: dict[str, Any]) -> list[str]:
    folder, complaints = root / name, []
    allowed = FARGATE_MEMORY_MIB[entry["cpu"]]
    if entry["memory"] not in allowed:
        complaints.append(
            f"Fargate has no {entry['memory']} MiB with {entry['cpu']} CPU units: "
            f"{allowed[0]} to {allowed[-1]}"
        )
    if not folder.is_dir():
        return [*complaints, f"there is no folder {folder}"]
    if not (folder / "Dockerfile").is_file():
        complaints.append(f"there is no {folder / 'Dockerfile'}")
    complaints += [
        f"there is no {root / MODULES / module}"
        for module in entry.get("modules", [])
        if not (root / MODULES / module).is_dir()
        and not (root / MODULES / f"{module}.py").is_file()
    ]
    script = entry["entry_point"][-1]
    if re.fullmatch(r"\w+\.py", script) and not (folder / script).is_file():
        complaints.append(f"its entry point {folder / script} is missing")
    return complaints


def _check_folders(root: Path, dockers: dict[str, dict[str, Any]]) -> list[str]:
    """The other way round: an image that nobody lists is never deployed, so it is said."""
    return [
        f"  {dockerfile.parent.name}: has a Dockerfile, but no entry"
        for dockerfile in sorted(root.glob("*/Dockerfile"))
        if dockerfile.parent.name not in dockers
    ]
