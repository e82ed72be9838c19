"""Build the images of dockers.json on this machine.

    python -m locaria.deploy.build_images [--base IMAGE] [--platform P[,P]] [CONTAINER...]

Without names: all of them, and the agent's own (localhost/locaria-agent), which is called `agent`.
With one platform each image is there afterwards, as localhost/locaria/<container>:latest. With
several, docker buildx keeps them in its cache, and buildah makes a manifest of them.
"""

from __future__ import annotations

import argparse
import sys

from locaria.deploy.commands import Commands
from locaria.deploy.containers import Container, DockersError, load_containers
from locaria.deploy.errors import DeployError
from locaria.deploy.images import (
    BUILDAH_TIME,
    DOCKER_TIME,
    MIB,
    NO_RECORD,
    Docker,
    Engine,
    check_size,
    dockerfile,
    find_engine,
    label_words,
)
from locaria.resources import ROOT

AGENT = "agent"
AGENT_IMAGE = "localhost/locaria-agent:latest"


def local_name(container: Container) -> str:
    """The name of an image that was built here."""
    return f"localhost/locaria/{container.name}:latest"


def build(commands: Commands, container: Container, platforms: list[str], more: list[str]) -> None:
    """Build one image. Raises DeployError."""
    engine, name = find_engine(commands), local_name(container)
    if len(platforms) == 1:
        engine.build(container, name, platforms[0], more)
        _tell_size(engine, container, name)
        return
    wanted = f"--platform={','.join(platforms)}"
    if isinstance(engine, Docker):
        words = ["docker", "buildx", "build", wanted, NO_RECORD]
        words += label_words(commands, container, DOCKER_TIME)
        words += ["-f", dockerfile(container), *more, "."]
    else:
        words = ["buildah", "build", "--isolation=chroot", "--format=docker", wanted]
        words += label_words(commands, container, BUILDAH_TIME)
        words += [f"--manifest={name}", "-f", dockerfile(container), *more, "."]
    commands.run(words)


def build_agent(commands: Commands, platform: str, more: list[str]) -> None:
    """Build the image of `locaria agent`, by the Dockerfile of the checkout. Raises DeployError."""
    words = ["docker", "buildx", "build", "--load", NO_RECORD]
    if not isinstance(find_engine(commands), Docker):
        words = ["buildah", "build", "--isolation=chroot", "--format=docker", "--layers"]
    commands.run([*words, f"--platform={platform}", "-t", AGENT_IMAGE, *more, "."])


def _tell_size(engine: Engine, container: Container, name: str) -> None:
    size = engine.size(name)
    if size is None:
        raise DeployError(f"{engine.name} built {name}, but does not have it")
    complaint = check_size(container, size)
    if complaint:
        raise DeployError(complaint)
    print(f"{name}: {size / MIB:,.0f} MiB", flush=True)


def main() -> None:
    """Build the images that are named, or all."""
    parser = argparse.ArgumentParser(description="Build the images of containers/dockers.json.")
    parser.add_argument("--base", help="base image, in place of the Dockerfiles' own")
    parser.add_argument("--platform", default="linux/amd64", help="linux/amd64,linux/arm64")
    parser.add_argument("--argument", action="append", default=[], help="passed on to the builder")
    parser.add_argument("containers", nargs="*")
    given = parser.parse_args()
    commands = Commands(ROOT, dry_run=False, show=lambda line: print(line, flush=True))
    try:
        known = {each.name: each for each in load_containers()}
        wanted = given.containers or [*known, AGENT]
        unknown = [name for name in wanted if name not in (*known, AGENT)]
        if unknown:
            raise DeployError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
        more = [*given.argument, *([f"--build-arg=BASE={given.base}"] if given.base else [])]
        platforms = given.platform.split(",")
        for name in wanted:
            if name == AGENT:
                build_agent(commands, platforms[0], more)
            else:
                build(commands, known[name], platforms, more)
    except (DeployError, DockersError) as error:
        sys.exit(f"images: {error}")


if __name__ == "__main__":
    main()
