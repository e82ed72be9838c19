"""Removes from a virtual environment what none of our programs uses: tests, headers, AWS's APIs.

python slim.py VENV
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

# Only folders that no module imports: numpy.testing and the like stay.
_FOLDERS = ("tests", "test", "include", "src", "examples", "benchmarks")
_OF = ("numpy", "pandas", "pyarrow", "pyogrio", "pyproj", "shapely", "psycopg", "botocore", "boto3")
_FILES = ("*.pyx", "*.pxd", "*.pxi", "*.h", "*.hpp", "*.c", "*.cpp", "*.cc", "*.a", "*.pyi")
# Arrow's part for servers, which nothing else is linked with.
_LIBRARIES = (
    "pyarrow/libarrow_flight*",
    "pyarrow/libarrow_python_flight*",
    "pyarrow/_flight*",
)
# The services that our containers and agents ask, and what tells them who they are.
_SERVICES = ("ecs", "s3", "secretsmanager", "ssm", "sso", "sso-oidc", "sts")


def unneeded(packages: Path) -> Iterator[Path]:
    """What can go from a folder of packages."""
    for package in map(packages.joinpath, _OF):
        for path in package.rglob("*") if package.is_dir() else ():
            if path.is_dir():
                needless = path.name in _FOLDERS
            else:
                needless = any(path.match(pattern) for pattern in _FILES)
            if needless:
                yield path
    for pattern in _LIBRARIES:
        yield from packages.glob(pattern)
    data = packages / "botocore" / "data"
    for service in sorted(data.iterdir()) if data.is_dir() else ():
        if service.is_dir() and service.name not in _SERVICES:
            yield service


def remove(path: Path) -> int:
    """Remove a file or a folder; its bytes."""
    if not path.exists() and not path.is_symlink():
        return 0  # went with its folder
    if path.is_dir() and not path.is_symlink():
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        shutil.rmtree(path)
        return size
    size = path.lstat().st_size
    path.unlink()
    return size


def main() -> None:
    """Slim the environment that is named, and say by how much."""
    for packages in sorted(Path(sys.argv[1]).glob("lib/python*/site-packages")):
        removed = sum(remove(path) for path in list(unneeded(packages)))
        print(f"{packages}: {removed / 2**20:,.0f} MiB removed")


if __name__ == "__main__":
    main()
