"""How the local ECS runs a container: its entry point as a process, or its image."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from locaria.local.aws.ecs.model import TaskDefinition
from locaria.local.postgres.binaries import find_psql

log = logging.getLogger(__name__)
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH", "SSL_CERT_FILE")
_NOT_FOR_IMAGES = ("PYTHONPATH",)  # of this machine: an image has its own
_OF_DOCKER = (125, 126, 127)  # exit codes of `docker run` for a container that did not start
_NEVER = "0001-01-01"
_OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
OBJECT_STORE = "LOCARIA_OBJECT_STORE"


@dataclass(frozen=True)
class Volume:
    """A volume of Docker's and the object store that is in it."""

    mount: str
    store: str


# The images own /objects, and a new volume takes that over.
OBJECTS_VOLUME = Volume("locaria-objects:/objects", "file:///objects")


@dataclass(frozen=True)
class Launch:
    """A process to start."""

    command: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Ending:
    """What a launcher knows of the end of a container, beyond the exit code of its process.

    Attributes:
        reason   why, in ECS's words; None: nothing special.
        started  False when the container never ran: the exit code is not its own.
    """

    reason: str | None = None
    started: bool = True


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

    def end(self, task_id: str, exit_code: int | None = None) -> Ending:
        """Make sure that nothing of a task is left when its process is gone. Never raises.

        Parameters
            exit_code  of the process; None: unknown, as after a crash of ours.
        """


class ProcessLauncher:
    """Runs the entry point of dockers.json in the container's folder."""

    def launch(
        self,
        task_id: str,
        definition: TaskDefinition,
        arguments: Sequence[str],
        variables: Mapping[str, str],
    ) -> Launch:
        """The command, with this interpreter's folder first on PATH, and with a psql on it."""
        del task_id
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        programs = str(Path(sys.executable).parent)
        path = os.pathsep.join([programs, environment.get("PATH", os.defpath)])
        # An image of a loader in shell has psql; a host may have the embedded server's alone.
        psql = find_psql(path)
        if psql is not None and shutil.which("psql", path=path) is None:
            path = os.pathsep.join([path, str(psql.parent)])
        environment["PATH"] = path
        return Launch([*definition.command, *arguments], environment | dict(variables))

    def end(self, task_id: str, exit_code: int | None = None) -> Ending:
        """Nothing: the process group is ended by who started it."""
        del task_id, exit_code
        return Ending()


class DockerLauncher:
    """Runs a container's image with Docker, on the host's network.

    It may have the memory that dockers.json says. Where the environment names no object store, its
    objects are in the volume `locaria-objects`, which all containers of this host share.

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
        words = [
            "docker",
            "run",
            "--init",
            "--log-driver=none",
            "--network=host",
            f"--name={_name(task_id)}",
        ]
        words += ["--label=locaria", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
        if definition.memory is not None:
            words.append(f"--memory={definition.memory}m")
        taken = any(mount.split(":")[1:2] == ["/objects"] for mount in self._mounts)
        if given.get(OBJECT_STORE) == OBJECTS_VOLUME.store and not taken:
            words.append(f"--volume={OBJECTS_VOLUME.mount}")
        words += [f"--env={name}" for name in given]
        image = self._image.format(container=definition.container_name)
        return Launch([*words, *self._mounts, image, *arguments], dict(os.environ) | given)

    def end(self, task_id: str, exit_code: int | None = None) -> Ending:
        """Remove the container, also one that outlived a killed `docker run`; how it ended."""
        state = _docker("inspect", "--format={{json .State}}", _name(task_id))
        _docker("rm", "--force", "--volumes", _name(task_id))
        found: dict[str, Any] = json.loads(state) if state else {}
        if exit_code in _OF_DOCKER and found.get("StartedAt", _NEVER).startswith(_NEVER):
            return Ending(found.get("Error") or None, started=False)
        return Ending(_OUT_OF_MEMORY if found.get("OOMKilled") else None)


def _docker(*words: str) -> str | None:
    """What docker printed; None when it failed, which is told."""
    try:
        done = subprocess.run(
            ["docker", *words], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("docker %s: %s", words[0], error)
        return None
    if done.returncode and "No such" not in done.stderr:
        log.warning("docker %s: %s", words[0], done.stderr.strip())
    return done.stdout if done.returncode == 0 else None


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

    def end(self, task_id: str, exit_code: int | None = None) -> Ending:
        """Remove the working container."""
        del exit_code
        (self._folder / task_id).unlink(missing_ok=True)
        subprocess.run(
            ["buildah", "rm", _name(task_id)], capture_output=True, check=False, timeout=120
        )
        return Ending()


def _name(task_id: str) -> str:
    return f"locaria-{task_id}"
