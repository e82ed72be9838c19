"""A PostgreSQL server of our own: found, initialised, started, adopted, stopped."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from locaria.local import processes
from locaria.local.postgres import cluster, system_user
from locaria.local.postgres.binaries import find_binaries
from locaria.local.private_file import PrivateFile

StopMode = Literal["fast", "immediate"]
SUPERUSER = "postgres"
_SIGNALS: dict[str, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PostgresError(Exception):
    """The server could not be started or stopped; the message ends with what its log said."""


class PostgresServer:
    """One PostgreSQL server whose files live under `data_dir`.

    Runs as us, or, when we are root, as the system user `locaria_postgres`. It has a session of
    its own and outlives us when we are killed: the next `start()` on the same folder adopts it.
    Its port (on 127.0.0.1) and its superuser password (file `server.json`, 0600) are kept.

    Parameters
        data_dir  folder of everything of this server; made when absent.
        bin_dir   folder of `postgres` and `initdb`; default as `find_binaries` says.
        port      TCP port; default: a free one, kept across restarts.
        durable   False trades safety at a crash of the machine for speed: for tests only.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        bin_dir: Path | str | None = None,
        port: int | None = None,
        durable: bool = True,
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.log_path = self.data_dir / "postgres.log"
        self._wanted_port = port
        self._durable = durable
        self._binaries = find_binaries(bin_dir)
        self._user: cluster.User | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = PrivateFile(self.data_dir / "server.json")

    # -- what a client needs ---------------------------------------------------------------------

    @property
    def dsn(self) -> str:
        """The superuser's DSN of database `postgres`."""
        return self.dsn_for("postgres")

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return int(self._settings.get("port") or 0)

    def dsn_for(self, database: str, user: str | None = None, password: str | None = None) -> str:
        """A DSN of `database`, as the superuser unless `user` and `password` say otherwise."""
        if user is None:
            user, password = SUPERUSER, self._settings.get("password")
        secret = f":{quote(password, safe='')}" if password else ""
        name = quote(database, safe="")
        return f"postgresql://{quote(user, safe='')}{secret}@127.0.0.1:{self.port}/{name}"

    @property
    def version(self) -> str:
        """The version of the server programs, for instance `18.6`."""
        return self._binaries.version()

    @property
    def pid(self) -> int | None:
        """The process id of the running server; None when it does not run."""
        found = cluster.read_pid_file(self._cluster_dir)
        return found.pid if found and cluster.is_server(found.pid, self._cluster_dir) else None

    # -- life ------------------------------------------------------------------------------------

    def start(self, timeout_s: float = 60) -> Self:
        """Initialise when needed, start or adopt the server, return when it takes connections.

        Raises PostgresError with the last lines of the log when it does not come up.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._prepare()
            if self.pid is None:
                self._remove_stale_pid_file()
                self._launch()
            self._await_ready(timeout_s)
        return self

    def stop(self, mode: StopMode = "fast", timeout_s: float = 60) -> None:
        """Stop the server: `fast` rolls open transactions back, `immediate` is a crash.

        Does nothing when it does not run. Raises PostgresError when it does not end in time.
        """
        pid = self.pid
        if pid is not None:
            os.kill(pid, _SIGNALS[mode])
            if not self._await_end(pid, timeout_s):
                raise PostgresError(
                    f"Postgres (process {pid}) did not stop within {timeout_s:g} s{self._log_end()}"
                )
        if self._process is not None:
            self._process.wait(timeout_s)
            self._process = None
        with suppress(OSError):  # gone, or in use again
            cluster.socket_dir(self.data_dir).rmdir()

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start again, on the same port."""
        self.stop(mode)
        self.start()

    def destroy(self) -> None:
        """Stop the server and delete its data, also where it is kept outside `data_dir`."""
        self.stop("immediate")
        cluster.remove(self._cluster_dir.resolve())
        shutil.rmtree(cluster.socket_dir(self.data_dir), ignore_errors=True)
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # -- steps of start() ------------------------------------------------------------------------

    @property
    def _cluster_dir(self) -> Path:
        return self.data_dir / "cluster"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two starts on one folder follow each other; the second adopts what the first started."""
        with (self.data_dir / "start.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _prepare(self) -> None:
        account = system_user.server_user()
        if account is not None:
            self._user = cluster.User(account.pw_uid, account.pw_gid)
            self._binaries = system_user.reachable_binaries(self._binaries, account)
            outside = not system_user.can_reach(account, self.data_dir)
            if outside and not self._cluster_dir.is_symlink():
                self._keep_data_outside()
        if not (self._cluster_dir / "PG_VERSION").exists():
            password = secrets.token_urlsafe(24)
            self._settings.save(password=password)
            self._initialise(password)
        else:
            self._check_version()

    def _keep_data_outside(self) -> None:
        """Keep the cluster where the server's user can reach it, with a link at its usual place."""
        if self._cluster_dir.exists():
            raise PostgresError(f"the server's user can't reach {self._cluster_dir}")
        cluster.forget_abandoned(system_user.SYSTEM_DIR)
        place = system_user.system_place("data", self.data_dir)
        self._cluster_dir.symlink_to(place)
        place.with_suffix(".json").write_text(
            json.dumps({"data_dir": str(self.data_dir), "durable": self._durable})
        )

    def _initialise(self, password: str) -> None:
        place = self._cluster_dir
        target = place.readlink() if place.is_symlink() else place
        if target.exists():  # what an unfinished initdb of an earlier version left
            shutil.rmtree(target)
        try:
            cluster.initialise(self._binaries, target, SUPERUSER, password, self._user)
        except cluster.InitdbError as error:
            raise PostgresError(str(error)) from error

    def _check_version(self) -> None:
        made_by = (self._cluster_dir / "PG_VERSION").read_text().strip()
        if made_by != self.version.split(".", maxsplit=1)[0]:
            raise PostgresError(
                f"{self.data_dir} was made by PostgreSQL {made_by}, the programs in "
                f"{self._binaries.bin_dir} are {self.version}: dump and reload, or delete it"
            )

    def _remove_stale_pid_file(self) -> None:
        """Postgres refuses to start when the id in the file of a dead server was given out anew."""
        (self._cluster_dir / "postmaster.pid").unlink(missing_ok=True)

    def _launch(self) -> None:
        self._settings.save(port=self._choose_port())
        sockets = cluster.make_socket_dir(self.data_dir, self._user)
        cluster.configure(self._cluster_dir, self.port, sockets, durable=self._durable)
        with self.log_path.open("ab") as log:
            self.log_path.chmod(0o600)
            self._process = cluster.launch(self._binaries, self._cluster_dir, log, self._user)

    def _choose_port(self) -> int:
        if self._wanted_port is not None:
            return self._wanted_port
        kept = int(self._settings.get("port") or 0)
        return kept if kept and _is_free(kept) else _free_port()

    def _await_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            found = cluster.read_pid_file(self._cluster_dir)
            if found is not None and found.ready:
                self._settings.save(port=found.port)
                return
            if self._process is not None and self._process.poll() is not None:
                status = self._process.returncode
                raise PostgresError(f"Postgres ended with status {status}{self._log_end()}")
            if time.monotonic() > deadline:
                raise PostgresError(f"Postgres is not ready after {timeout_s:g} s{self._log_end()}")
            time.sleep(0.02)

    def _await_end(self, pid: int, timeout_s: float) -> bool:
        if self._process is not None and self._process.pid == pid:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                return False
            return True
        return processes.wait_gone(pid, timeout_s)

    def _log_end(self) -> str:
        if not self.log_path.exists():
            return ""
        lines = self.log_path.read_text(errors="replace").splitlines()[-12:]
        return "; the end of {}:\n  {}".format(self.log_path, "\n  ".join(lines))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
