"""The files and the process of one PostgreSQL cluster: initdb, settings, launch, pid file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from locaria.local import processes
from locaria.local.postgres.binaries import Binaries

_LAPTOP = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "jit": "off",  # our queries are short
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# For tests. Survives a crash of Postgres, though not of the machine: commits still reach the system
# before they are acknowledged (synchronous_commit stays on), so that a crash test tells the truth.
_NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "30min",
    "shared_buffers": "32MB",
}


class InitdbError(Exception):
    """initdb failed; the message ends with what it said."""


@dataclass(frozen=True)
class User:
    """Who runs the server when we are root."""

    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give `path` to this user."""
        os.chown(path, self.uid, self.gid)


@dataclass(frozen=True)
class PidFile:
    """What postmaster.pid says."""

    pid: int
    port: int
    ready: bool


def run(
    command: list[str | Path], user: User | None, output: IO[bytes] | int, cwd: Path
) -> subprocess.Popen[bytes]:
    """Start a server program in its own session, without our PG* settings, as `user`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    environment |= {"LC_ALL": "C"}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=environment,
        cwd=cwd,
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
        umask=0o077,
    )


def initialise(
    binaries: Binaries, target: Path, superuser: str, password: str, user: User | None
) -> None:
    """Make the cluster `target`; it appears complete or not at all."""
    growing = target.with_name(f"{target.name}.new")
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir(mode=0o700)
    if user is not None:
        user.own(growing)
    with tempfile.NamedTemporaryFile("w", prefix="locaria-") as secret:
        secret.write(password)
        secret.flush()
        if user is not None:
            user.own(Path(secret.name))
        command: list[str | Path] = [binaries.program("initdb"), f"--pgdata={growing}"]
        command += [
            f"--username={superuser}",
            f"--pwfile={secret.name}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]
        said = "no initdb was tried"
        for locale in _locales(binaries):
            process = run([*command, *locale], user, subprocess.PIPE, Path("/"))
            said = process.communicate()[0].decode(errors="replace")
            if process.returncode == 0:
                growing.rename(target)
                return
    shutil.rmtree(growing, ignore_errors=True)
    last = "\n  ".join(said.strip().splitlines()[-12:])
    raise InitdbError(f"initdb of {target} failed:\n  {last}")


def _locales(binaries: Binaries) -> list[list[str]]:
    """Unicode character classes and a sort order that no operating system's upgrade changes."""
    plain = ["--no-locale"]
    if int(binaries.version().split(".", maxsplit=1)[0]) >= 17:
        return [["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"], plain]
    return [["--locale=C.UTF-8"], plain] if sys.platform == "linux" else [plain]


def configure(cluster_dir: Path, port: int, sockets: Path, *, durable: bool) -> None:
    """Write our settings to `locaria.conf`, which postgresql.conf includes."""
    settings = _LAPTOP | {"port": str(port), "unix_socket_directories": str(sockets)}
    if not durable:
        settings |= _NOT_DURABLE
    lines = [f"{name} = '{value}'" for name, value in settings.items()]
    own = cluster_dir / "locaria.conf"
    own.write_text("# Written anew at every start.\n" + "\n".join(lines) + "\n")
    main = cluster_dir / "postgresql.conf"
    owner = main.stat()
    os.chown(own, owner.st_uid, owner.st_gid)
    own.chmod(0o600)
    include = "include 'locaria.conf'"
    if include not in main.read_text():
        with main.open("a") as file:
            file.write(f"\n{include}\n")


def launch(
    binaries: Binaries, cluster_dir: Path, log: IO[bytes], user: User | None
) -> subprocess.Popen[bytes]:
    """Start the server; its output goes to `log`."""
    real = cluster_dir.resolve()
    return run([binaries.program("postgres"), "-D", real], user, log, real)


def read_pid_file(cluster_dir: Path) -> PidFile | None:
    """What the running, or crashed, server wrote; None when there is nothing complete.

    The lines are those of PostgreSQL's pidfile.h: pid, data folder, start, port, socket folder,
    address, shared memory, status.
    """
    try:
        lines = (cluster_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 4 or not lines[0].strip().isdigit():
        return None
    ready = len(lines) >= 8 and lines[7].strip() == "ready"
    return PidFile(pid=int(lines[0]), port=int(lines[3]), ready=ready)


def is_server(pid: int, cluster_dir: Path) -> bool:
    """Whether the living process `pid` is the server of this cluster, not a later one's id."""
    if not processes.is_alive(pid):
        return False
    folder = processes.working_directory(pid)
    if folder is not None:
        return folder == cluster_dir.resolve()
    return str(cluster_dir.resolve()) in processes.command_line(pid)


def socket_dir(data_dir: Path) -> Path:
    """A short path, always the same: a socket's path may have 107 bytes at most."""
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"locaria-{digest}"


def make_socket_dir(data_dir: Path, user: User | None) -> Path:
    """Make the socket's folder; another one when somebody else holds its name."""
    path = socket_dir(data_dir)
    owner = os.geteuid() if user is None else user.uid
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == owner:
            return path
        path = Path(tempfile.mkdtemp(prefix="locaria-"))
    if user is not None:
        user.own(path)
    return path


def forget_abandoned(system_dir: Path) -> None:
    """Delete clusters of tests (not durable) whose folder is gone; never anybody's data."""
    for note in system_dir.glob("data-*.json"):
        try:
            said = json.loads(note.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            continue
        place = note.with_suffix("")
        if said["durable"] or Path(said["data_dir"]).exists() or _is_running(place):
            continue
        remove(place)


def remove(cluster_dir: Path) -> None:
    """Delete a cluster, what a failed initdb left of it, and the note of whose it is."""
    shutil.rmtree(cluster_dir, ignore_errors=True)
    shutil.rmtree(cluster_dir.with_name(f"{cluster_dir.name}.new"), ignore_errors=True)
    if cluster_dir.name.startswith("data-"):
        cluster_dir.with_suffix(".json").unlink(missing_ok=True)


def _is_running(cluster_dir: Path) -> bool:
    found = read_pid_file(cluster_dir)
    return found is not None and is_server(found.pid, cluster_dir)
