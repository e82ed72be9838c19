"""Access to the Python packages that the containers share, which ship beside the package."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

from locaria.resources import CONTAINERS

SHARED_MODULES = CONTAINERS / "modules"
_NAMES = ("object_store", "bundles")


def load_shared_code() -> None:
    """Make the packages `object_store` and `bundles` importable.

    The images have the whole folder on their search path. Here only these two are loaded from it,
    so that no other module in it can hide an installed one.

    Raises:
        ModuleNotFoundError: The installation lacks one of them.
    """
    for name in _NAMES:
        if name in sys.modules:
            continue
        spec = PathFinder.find_spec(name, [str(SHARED_MODULES)])
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"{SHARED_MODULES} has no package {name}", name=name)
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
