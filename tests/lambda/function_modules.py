"""Loads the functions' modules as Lambda does, each with its own folder on the path."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from locaria.deploy.assemble import assemble

LAMBDA = Path(__file__).parents[2] / "lambda"


@contextmanager
def loaded(function: str, module: str | None = None) -> Iterator[ModuleType]:
    """Load a fresh copy of a function's module from its assembled folder, as Lambda does.

    `lambda` is a keyword of Python, so the folder can't be a package: modules are loaded by path.
    """
    with tempfile.TemporaryDirectory() as scratch, pytest.MonkeyPatch.context() as patch:
        folder = assemble(LAMBDA / function, Path(scratch) / function)
        # Last, so that packages come from the checkout; the tests of the zips prove their own.
        patch.setattr(sys, "path", [*sys.path, str(folder)])
        yield from _load(folder, module or function)


def _load(folder: Path, name: str) -> Iterator[ModuleType]:
    siblings = [path.stem for path in folder.glob("*.py")]
    try:
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        yield made
    finally:
        for sibling in siblings:
            sys.modules.pop(sibling, None)
