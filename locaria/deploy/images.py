"""Images: what they are made of, and who builds and pushes them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from locaria.deploy.commands import Commands
from locaria.deploy.containers import MODULES, Container
from locaria.deploy.errors import DeployError
from locaria.resources import CONTAINERS, ROOT

PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
REPORTER = "locaria_reporter"
PACKING = "packing"  # below containers/: what the first stage of every image runs
DOCKER_TIME = "--build-arg=SOURCE_DATE_EPOCH="
# A record of the build, beside the image, would differ each time, and count as an image in ECR.
NO_RECORD = "--provenance=false"
BUILDAH_TIME = "--timestamp="
MIB = 2**20
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


def content_tag(
    container: Container, architecture: str, base: str | None, containers: Path = CONTAINERS
) -> str:
    """A tag that names what an image is made of: the same files give the same tag.

    Parameters:
        base: the base image, where it is not the one that the Dockerfile names.
    """
    digest = hashlib.sha256(f"{architecture} {base}".encode())
    for source in sources(container, containers):
        for name, path in _files(source):
            digest.update(f"{source.name}/{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def sources(container: Container, containers: Path = CONTAINERS) -> list[Path]:
    """The folders (modules: also files, without .py) that an image is made of."""
    shared = [containers / MODULES / name for name in container.modules]
    return [containers / container.name, containers / PACKING, ROOT / REPORTER, *shared]


def facts(commands: Commands, container: Container) -> tuple[dict[str, str], int]:
    """The labels of an image, and its time in seconds since 1970.

    Both follow from what it is made of, by the last commit that changed that: the same files give
    the same layers, whenever it is built. Outside of a git checkout the revision is
    unknown, and the time 0.
    """
    paths = [str(source) for source in sources(container)]
    paths += [f"{path}.py" for path in paths if Path(f"{path}.py").is_file()]
    paths = [path for path in paths if Path(path).exists()]
    said = commands.ask(["git", "log", "-1", "--format=%H %ct", "--", *paths])
    revision, _, seconds = (said or "unknown 0").strip().partition(" ")
    if commands.ask(["git", "status", "--porcelain", "--", *paths]):
        revision += "-dirty"
    moment = datetime.fromtimestamp(int(seconds or 0), UTC)
    labels = {
        "title": f"locaria {container.name}",
        "description": container.description,
        "version": version("locaria"),
        "revision": revision,
        "created": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {f"org.opencontainers.image.{k}": v for k, v in labels.items()}, int(moment.timestamp())


def label_words(commands: Commands, container: Container, time_option: str) -> list[str]:
    """What tells docker and buildah an image's labels and its time."""
    labels, seconds = facts(commands, container)
    return [f"--label={name}={value}" for name, value in labels.items()] + [
        f"{time_option}{seconds}"
    ]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    if not folder.is_dir():
        file = folder.with_suffix(".py")
        yield from [(file.name, file)] if file.is_file() else []
        return
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part == "__pycache__" or part.endswith(".egg-info") for part in parts)
        if path.is_file() and not hidden:
            yield "/".join(parts), path


class Engine(Protocol):
    """A program that builds and pushes images."""

    name: str

    def build(self, container: Container, tag: str, platform: str, arguments: list[str]) -> None:
        """Build an image of this machine's own. Raises DeployError."""

    def size(self, tag: str) -> int | None:
        """Its bytes, unpacked; None where there is no such image."""

    def log_in(self, registry: str, password: str) -> None:
        """Log in to ECR; the password goes by standard input. Raises DeployError."""

    def push(self, tag: str, uri: str) -> None:
        """Tag and push. Raises DeployError."""


class Docker:
    """Docker with buildx, as on the source's page."""

    name = "docker"

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def build(self, container: Container, tag: str, platform: str, arguments: list[str]) -> None:
        """`docker buildx build --platform=… -f … -t …`."""
        words = ["docker", "buildx", "build", f"--platform={platform}", "--load", NO_RECORD]
        words += label_words(self._commands, container, DOCKER_TIME)
        words += ["-f", dockerfile(container), "-t", tag, *arguments, "."]
        self._commands.run(words)

    def size(self, tag: str) -> int | None:
        """From `docker image inspect`."""
        said = self._commands.ask(["docker", "image", "inspect", "--format", "{{.Size}}", tag])
        return int(said) if said else None

    def log_in(self, registry: str, password: str) -> None:
        """`docker login`."""
        words = ["docker", "login", "--username", "AWS", "--password-stdin", registry]
        self._commands.run(words, secret=password)

    def push(self, tag: str, uri: str) -> None:
        """`docker tag`, `docker push`."""
        self._commands.run(["docker", "tag", tag, uri])
        self._commands.run(["docker", "push", uri])


class Buildah:
    """buildah, which needs no daemon; in chroot isolation not even user namespaces."""

    name = "buildah"

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def build(self, container: Container, tag: str, platform: str, arguments: list[str]) -> None:
        """`buildah build --isolation=chroot …`; docker's format keeps HEALTHCHECK."""
        words = ["buildah", "build", "--isolation=chroot", "--format=docker", "--layers"]
        words += label_words(self._commands, container, BUILDAH_TIME)
        words += [f"--platform={platform}", "-f", dockerfile(container), "-t", tag, *arguments, "."]
        self._commands.run(words)

    def size(self, tag: str) -> int | None:
        """From `buildah images`, which tells it in words: "199 MB"."""
        said = self._commands.ask(["buildah", "images", "--json", "--filter", f"reference={tag}"])
        found = json.loads(said) if said else None
        return _bytes(found[0]["size"]) if found else None

    def log_in(self, registry: str, password: str) -> None:
        """`buildah login`."""
        words = ["buildah", "login", "--username", "AWS", "--password-stdin", registry]
        self._commands.run(words, secret=password)

    def push(self, tag: str, uri: str) -> None:
        """`buildah tag`, `buildah push`."""
        self._commands.run(["buildah", "tag", tag, uri])
        self._commands.run(["buildah", "push", uri])


def dockerfile(container: Container) -> str:
    """Its Dockerfile, from the root of the checkout, where images are built."""
    return f"containers/{container.name}/Dockerfile"


def find_engine(commands: Commands) -> Engine:
    """Docker where its daemon answers, else buildah.

    Raises:
        DeployError: there is neither.
    """
    docker = (["docker", "buildx", "version"], ["docker", "info"])
    if all(commands.ask(words) is not None for words in docker):
        return Docker(commands)
    if commands.ask(["buildah", "--version"]) is not None:
        return Buildah(commands)
    raise DeployError(
        "nothing here can build images: no Docker daemon answers, and there is no buildah",
        "Install Docker with buildx, or: apt-get install buildah",
    )


def _bytes(words: str) -> int:
    found = re.fullmatch(r"([\d.]+) ?([KMGT]?B)", words.strip(), re.IGNORECASE)
    if found is None:
        raise DeployError(f"buildah tells a size that can't be read: {words!r}")
    return round(float(found[1]) * _UNITS[found[2].lower()])


def check_size(container: Container, size: int) -> str | None:
    """What is wrong with an image of `size` bytes, if anything."""
    if size <= container.image_limit_mib * MIB:
        return None
    return (
        f"the image of {container.name} has {size / MIB:,.0f} MiB, and its limit is "
        f"{container.image_limit_mib:,}: make it smaller, or raise image_limit_mib in dockers.json"
    )
