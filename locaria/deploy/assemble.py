"""Assemble the folder of a Lambda function: its own files and the modules that it shares.

The file `shared.txt` of a function names these modules, one a line: `locaria_reporter.session` is
taken from the package, wherever it is installed, and a name without a dot from `lambda/shared`.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

SHARED_LIST = "shared.txt"
SHARED_FOLDER = "shared"


class AssembleError(Exception):
    """A shared module does not exist; the message names it."""


def assemble(folder: Path, target: Path) -> Path:
    """Copy a function's files, and the modules that it shares, into a new folder.

    Args:
        folder: of the function, in `lambda/`.
        target: replaced if it exists.

    Returns:
        The target.

    Raises:
        AssembleError: `shared.txt` names a module that does not exist.
    """
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("__pycache__", SHARED_LIST))
    for module in _shared_modules(folder):
        package, _, name = module.rpartition(".")
        source = _find(package, name, folder)
        if not source.is_file():
            raise AssembleError(f"{folder / SHARED_LIST}: there is no module {module} ({source})")
        destination = target
        for part in package.split(".") if package else []:
            # Packages only hold the modules here: theirs may import what the zip does not have.
            destination /= part
            destination.mkdir(exist_ok=True)
            (destination / "__init__.py").touch()
        shutil.copyfile(source, destination / f"{name}.py")
    return target


def _shared_modules(folder: Path) -> list[str]:
    listed = folder / SHARED_LIST
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _find(package: str, name: str, folder: Path) -> Path:
    if not package:
        return folder.parent / SHARED_FOLDER / f"{name}.py"
    root, *inner = package.split(".")
    spec = importlib.util.find_spec(root)
    if spec is None or spec.origin is None:
        raise AssembleError(f"{folder / SHARED_LIST}: the package {root} is not installed")
    return Path(spec.origin).parent.joinpath(*inner, f"{name}.py")
