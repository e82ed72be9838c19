"""The zips of the Lambda functions: the same folder gives the same bytes, on every machine.

    python -m locaria.deploy.zips [FOLDER]      # make zips

What a function needs beside the Lambda runtime (its `requirements.txt`: every distribution, in an
exact version) is taken as wheels for Lambda's own platform, whatever this machine is. Nothing is
compressed: each build of zlib packs in its own way, and Lambda's limit is on what is unpacked.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from locaria.deploy.assemble import AssembleError, assemble
from locaria.deploy.functions import RUNTIME, Function, list_functions
from locaria.resources import LAMBDA, ROOT

BUILD = ROOT / "build" / "lambda"
UNPACKED_LIMIT = 250 * 2**20
"""Bytes of a function, unpacked (Lambda quotas, "Deployment package size")."""

MACHINES = {"X86_64": "x86_64", "ARM64": "aarch64"}
GLIBCS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
"""Newest first. Amazon Linux 2023, on which python3.12 and later run, has glibc 2.34."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = ("__pycache__", "bin")
_BALLAST = (".pyc", ".pyi", ".h", ".pyx", ".pxd")
_EXACT = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[A-Za-z0-9.!+_-]+")
_LEFT_OUT_OF_METADATA = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


class ZipError(Exception):
    """A zip can't be made or is too large; the message says why."""


@dataclass(frozen=True)
class Zip:
    """A zip on disk.

    Attributes:
        key: under which it is stored: names the content, so an equal one is never stored twice.
        size: bytes of the zip; `unpacked` of what is in it.
    """

    function: Function
    path: Path
    key: str
    size: int
    unpacked: int


def build_zips(
    architecture: str = "X86_64", root: Path = LAMBDA, build: Path = BUILD
) -> dict[Function, Zip]:
    """Make the zips of all functions for one architecture, X86_64 or ARM64.

    Raises:
        ZipError: a dependency has no wheel for Lambda, or a zip breaks Lambda's limit.
    """
    return {
        function: build_zip(function, architecture, root, build)
        for function in list_functions(root)
    }


def build_zip(
    function: Function,
    architecture: str = "X86_64",
    root: Path = LAMBDA,
    build: Path = BUILD,
    python: str = RUNTIME,
) -> Zip:
    """Make one zip, or find it made. Raises ZipError.

    Parameters:
        python: the runtime, `python3.13`.
    """
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="making-") as scratch:
        try:
            folder = assemble(root / function.folder, Path(scratch) / function.folder)
        except AssembleError as error:
            raise ZipError(str(error)) from error
        digest = _digest_of(folder, architecture, python)
        path = build / f"{function.folder}-{architecture.lower()}-{digest}.zip"
        if not path.exists():
            packed = Path(scratch) / "packed.zip"
            write_zip(
                packed, [_install(folder, Path(scratch) / "needs", architecture, python), folder]
            )
            packed.replace(path)
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(each.file_size for each in archive.infolist())
    except zipfile.BadZipFile as error:
        raise ZipError(f"{path} is broken ({error}): delete it, and it is made again") from error
    if unpacked > UNPACKED_LIMIT:
        raise ZipError(
            f"{function.folder}: {unpacked / 2**20:.0f} MiB unpacked, and Lambda takes "
            f"{UNPACKED_LIMIT / 2**20:.0f}: "
            f"take something out of {root / function.folder / 'requirements.txt'}"
        )
    key = f"code/{function.folder}-{architecture.lower()}-{content[:16]}.zip"
    return Zip(function, path, key, path.stat().st_size, unpacked)


def _digest_of(folder: Path, architecture: str, python: str) -> str:
    """What the zip is made from, so that it need not be made again."""
    digest = hashlib.sha256(f"2 {architecture} {python}".encode())
    for name, path in _files(folder):
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _install(folder: Path, target: Path, architecture: str, python: str) -> Path:
    """Unpack the wheels that a function needs, for Lambda's platform."""
    target.mkdir(parents=True)
    wanted = folder / "requirements.txt"
    lines = wanted.read_text(encoding="utf-8").splitlines() if wanted.exists() else []
    wants = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not wants:
        return target
    if loose := [each for each in wants if not _EXACT.fullmatch(each)]:
        raise ZipError(
            f"{folder.name}: {', '.join(loose)}: name one exact version, as in psycopg==3.3.9"
        )
    version = python.removeprefix("python")
    platforms = [f"--platform={glibc}_{MACHINES[architecture]}" for glibc in GLIBCS]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Without --no-deps pip would choose versions itself, by this machine's Python.
    command += ["--no-compile", "--only-binary=:all:", "--implementation=cp", "--no-deps"]
    command += [f"--python-version={version}", *platforms, f"--target={target}"]
    done = subprocess.run(
        [*command, f"--requirement={wanted}"],
        env=os.environ | {"PIP_USER": "0", "PIP_NO_COMPILE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ZipError(f"{folder.name}: {done.stderr.strip()}")
    return target


def write_zip(path: Path, folders: list[Path]) -> None:
    """Put folders into one zip: sorted, every file of one time and mode.

    Raises:
        ZipError: two folders hold a file of one name.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for name, file in _files(folder):
            if name in found and name != "requirements.txt":
                raise ZipError(f"{name} is both in {folder} and in {found[name]}")
            found[name] = file
    found.pop("requirements.txt", None)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(found):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o100644 << 16
            info.create_system = 3  # unix, wherever this runs: it gives the mode its meaning
            archive.writestr(info, found[name].read_bytes())


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if not path.is_file() or "__pycache__" in parts or parts[0] in _LEFT_OUT:
            continue
        if path.suffix in _BALLAST:
            continue
        if parts[0].endswith(".dist-info") and parts[-1] in _LEFT_OUT_OF_METADATA:
            continue
        yield "/".join(parts), path


def main() -> None:
    """Make the zips of both architectures in a folder."""
    build = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILD
    for architecture in MACHINES:
        for made in build_zips(architecture, build=build).values():
            size, unpacked = made.size / 2**20, made.unpacked / 2**20
            print(f"{made.path}  {size:.1f} MiB, unpacked {unpacked:.1f}  {made.key}")


if __name__ == "__main__":
    try:
        main()
    except ZipError as problem:
        sys.exit(f"zips: {problem}")
