"""Running PostgreSQL when we are root, which it refuses to run as.

The server then runs as a system user of its own. That user must be able to reach the programs and
the data. Where it can't (a home folder is often 0700), nobody's folders are opened up: programs are
copied to, and data is kept under, `/var/lib/locaria`.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from locaria.local.postgres.binaries import Binaries

USER = "locaria_postgres"
SYSTEM_DIR = Path("/var/lib/locaria")


class SystemUserError(Exception):
    """Root wants to run Postgres, and there is no ordinary user to run it as."""


def server_user() -> pwd.struct_passwd | None:
    """The user to run the server as, or None when we are an ordinary user and run it ourselves.

    Makes the system user `locaria_postgres` when it isn't there yet.
    """
    if os.geteuid() != 0:
        return None
    known = _look_up(USER)
    return known if known is not None else _make_user()


def _look_up(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _make_user() -> pwd.struct_passwd:
    commands = (
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_DIR)],
        ["adduser", "-S", "-D", "-H", "-h", str(SYSTEM_DIR)],  # busybox
    )
    said = "neither useradd nor adduser is installed"
    for command in commands:
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run([*command, USER], capture_output=True, text=True, check=False)
        made = _look_up(USER)  # also when another process was faster
        if made is not None:
            return made
        said = done.stderr.strip() or f"{command[0]} exited with {done.returncode}"
    raise SystemUserError(
        f"Postgres refuses to run as root, and the user {USER} could not be made ({said}). "
        f"Make it, or run as an ordinary user, or give a database by --dsn."
    )


def can_reach(user: pwd.struct_passwd, path: Path) -> bool:
    """Whether `user` may pass through every folder down to `path` (which may not exist yet)."""
    groups = set(os.getgrouplist(user.pw_name, user.pw_gid))
    resolved = path.resolve()
    return all(_may_pass(user, groups, folder) for folder in (*resolved.parents, resolved))


def _may_pass(user: pwd.struct_passwd, groups: set[int], path: Path) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    if found.st_uid == user.pw_uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid in groups:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def system_place(purpose: str, of: Path) -> Path:
    """A folder under /var/lib/locaria for `of`, always the same for the same path."""
    SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
    digest = hashlib.sha256(os.fsencode(of.absolute())).hexdigest()[:16]
    return SYSTEM_DIR / f"{purpose}-{digest}"


def reachable_binaries(binaries: Binaries, user: pwd.struct_passwd) -> Binaries:
    """`binaries`, or a copy of them where `user` can't reach the originals."""
    if can_reach(user, binaries.program("postgres")):
        return binaries
    program = binaries.program("postgres").stat()
    source = binaries.base / f"{program.st_size}-{program.st_mtime_ns}"
    copy = system_place("programs", source)
    if not copy.exists():
        _copy(binaries, copy)
    bin_dir = copy / binaries.bin_dir.relative_to(binaries.base)
    roots = tuple(copy / root.relative_to(binaries.base) for root in binaries.roots)
    return Binaries(bin_dir, base=copy, roots=roots)


def _copy(binaries: Binaries, copy: Path) -> None:
    """Copy, readable by all, in one step as others see it."""
    growing = copy.with_name(f"{copy.name}.{os.getpid()}")
    growing.mkdir(mode=0o755)
    for root in binaries.roots:
        target = growing / root.relative_to(binaries.base)
        shutil.copytree(root, target, dirs_exist_ok=True, symlinks=True)
    for path in (growing, *growing.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o555 if path.is_dir() or mode & stat.S_IXUSR else mode | 0o444)
    try:
        growing.rename(copy)
    except OSError:
        if not copy.exists():
            raise
        shutil.rmtree(growing)  # another process was faster
