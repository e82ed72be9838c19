"""How the local ECS runs a container: its entry point as a process, or its image."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from locaria.local.ecs_model import TaskDefinition

_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH", "SSL_CERT_FILE")
_NOT_FOR_IMAGES = ("PYTHONPATH",)  # of this machine: an image has its own


@dataclass(frozen=True)
class Launch:
    """A process to start."""

    command: list[str]
    environment: dict[str, str]


class Launcher(Protocol):
    """Turns a container into a process of this machine, which lives as long as the container."""

    def launch(
        self,
        task_id: str,
        definition: TaskDefinition,
        arguments: Sequence[str],
        variables: Mapping[str, str],
    ) -> Launch:
        """The process of a task; `variables` may hold secrets, so none goes into argv."""

    def end(self, task_id: str) -> None:
        """Make sure that nothing of a task is left when its process is gone."""


class ProcessLauncher:
    """Runs the entry point of dockers.json in the container's folder."""

    def launch(
        self,
        task_id: str,
        definition: TaskDefinition,
        arguments: Sequence[str],
        variables: Mapping[str, str],
    ) -> Launch:
        """The command, with this interpreter's folder first on PATH."""
        del task_id
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        programs = str(Path(sys.executable).parent)
        environment["PATH"] = os.pathsep.join([programs, environment.get("PATH", os.defpath)])
        return Launch([*definition.command, *arguments], environment | dict(variables))

    def end(self, task_id: str) -> None:
        """Nothing: the process group is ended by who started it."""


class DockerLauncher:
    """Runs a container's image with Docker, on the host's network.

    Parameters
        image   name of an image, in which {container} stands for the container's name.
        mounts  volumes as docker writes them, /data:/data:ro.
    """

    def __init__(self, image: str, mounts: Sequence[str] = ()) -> None:
        self._image = image
        self._mounts = [f"--volume={mount}" for mount in mounts]

    def launch(
        self,
        task_id: str,
        definition: TaskDefinition,
        arguments: Sequence[str],
        variables: Mapping[str, str],
    ) -> Launch:
        """`docker run`: signals go through to the container; values of variables stay in ours."""
        given = {k: v for k, v in variables.items() if k not in _NOT_FOR_IMAGES}
        words = ["docker", "run", "--rm", "--init", "--network=host", f"--name={_name(task_id)}"]
        words += [f"--env={name}" for name in given]
        image = self._image.format(container=definition.container_name)
        return Launch([*words, *self._mounts, image, *arguments], dict(os.environ) | given)

    def end(self, task_id: str) -> None:
        """A killed `docker run` leaves its container running."""
        subprocess.run(
            ["docker", "kill", _name(task_id)], capture_output=True, check=False, timeout=60
        )


class BuildahLauncher:
    """Runs a container's image by buildah in chroot isolation: for tests without a daemon.

    Parameters
        image   as for `DockerLauncher`; its entry point must be that of dockers.json.
        folder  where the variables of a task are kept while it runs, for nobody else to read.
        mounts  volumes as buildah writes them.
    """

    def __init__(self, image: str, folder: Path, mounts: Sequence[str] = ()) -> None:
        self._image = image
        self._folder = folder
        self._mounts = [f"--volume={mount}" for mount in mounts]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def launch(
        self,
        task_id: str,
        definition: TaskDefinition,
        arguments: Sequence[str],
        variables: Mapping[str, str],
    ) -> Launch:
        """`buildah run`, with the variables from a file: it would take them from argv alone."""
        image = self._image.format(container=definition.container_name)
        made = ["buildah", "from", "--pull-never", f"--name={_name(task_id)}", image]
        subprocess.run(made, capture_output=True, check=True, timeout=120)
        given = {k: v for k, v in variables.items() if k not in _NOT_FOR_IMAGES}
        file = self._folder / task_id
        file.write_text("".join(f"{k}={shlex.quote(v)}\n" for k, v in given.items()))
        words = ["buildah", "run", "--isolation=chroot", f"--volume={file}:/run/variables:ro"]
        read = ["sh", "-c", 'set -a; . /run/variables; set +a; exec "$@"', "sh"]
        program, *words_of_it = definition.command
        program = "python" if program == sys.executable else program
        entry = [program, *words_of_it, *arguments]
        return Launch(
            [*words, *self._mounts, _name(task_id), "--", *read, *entry], dict(os.environ)
        )

    def end(self, task_id: str) -> None:
        """Remove the working container."""
        (self._folder / task_id).unlink(missing_ok=True)
        subprocess.run(
            ["buildah", "rm", _name(task_id)], capture_output=True, check=False, timeout=120
        )


def _name(task_id: str) -> str:
    return f"locaria-{task_id}"
