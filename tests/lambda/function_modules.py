"""Loads the functions' modules as Lambda does, each with its own folder on the path."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

LAMBDA = Path(__file__).parents[2] / "lambda"


@contextmanager
def loaded(function: str, module: str | None = None) -> Iterator[ModuleType]:
    """A fresh copy of a function's module, with its folder on the path, as Lambda has it.

    `lambda` is a keyword of Python, so the folder can't be a package: modules are loaded by path.
    """
    folder = LAMBDA / function
    siblings = [path.stem for path in folder.glob("*.py")]
    name = module or function
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        yield made
    finally:
        sys.path.remove(str(folder))
        for sibling in siblings:
            sys.modules.pop(sibling, None)
