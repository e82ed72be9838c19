"""Who serves a database outside AWS: any number of agents, or one `locaria up`, alone.

Said by an advisory lock of a session, shared for agents and exclusive for `locaria up`. It ends
with its connection, so a process that was killed holds nobody off; and the server is told to notice
within half a minute when a host has vanished. Who lives is seen in the view `locaria.agents`.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

import psycopg

from locaria.local.database import STOP_S, Database, StoppedError, join
from locaria.local.site import SiteError

log = logging.getLogger(__name__)
_SESSION_BYTES = 63  # of an application_name
_HOST_BYTES = 32
_BEAT_S = 2.0
_TELL_S = 10.0
_GRACE_S = 2.0  # for the server to notice that a process has just died

_TRY = """
    select case when %(alone)s then pg_try_advisory_lock(4242007, 0)
           else pg_try_advisory_lock_shared(4242007, 0) end
           and (%(mark)s = '' or pg_try_advisory_lock(4242008, hashtext(%(mark)s))) as mine
"""
_HOLDERS = """
    select distinct a.application_name as session, a.backend_start as since,
           nullif(d.datname, current_database()) as elsewhere
      from pg_locks l
      join pg_stat_activity a on a.pid = l.pid
      join pg_database d on d.oid = l.database
     where l.locktype = 'advisory' and l.granted and l.objsubid = 2 and a.pid <> pg_backend_pid()
       and case
             when d.datname <> current_database() then
               %(alone)s and l.classid = 4242007 and l.mode = 'ExclusiveLock'
             when l.classid = 4242007 then %(alone)s or l.mode = 'ExclusiveLock'
             else l.classid = 4242008 and l.objid = hashtext(%(mark)s)::oid
           end
     order by 3, 2
"""


_JUST_LEFT: dict[str, Any] = {"session": "somebody", "since": None, "elsewhere": None}


class OccupiedError(Exception):
    """Somebody lives on the database with whom we can't share it; the message says who."""


@dataclass(frozen=True)
class Inhabitant:
    """Who wants to live on a database.

    Attributes:
        kind        "agent", or "up", which lives alone.
        runs_by     "process", "docker" or "ecs".
        mark        of an agent: how the ids of its tasks begin.
    """

    kind: str
    runs_by: str = "process"
    mark: str = ""
    host: str = field(default_factory=socket.gethostname)
    process: int = field(default_factory=os.getpid)

    @property
    def name(self) -> str:
        """How it is called in the database."""
        host = self.host.encode()[:_HOST_BYTES].decode(errors="ignore")
        return f"{host}-{self.mark or self.process}"

    @property
    def session(self) -> str:
        """`application_name` of the connection that holds the lock."""
        told = f"locaria {self.kind} {self.name} process {self.process}"
        return told.encode()[:_SESSION_BYTES].decode(errors="ignore")

    def facts(self, containers: list[str]) -> str:
        """What `locaria.report_runtime` takes."""
        told = {"version": version("locaria"), "containers": containers}
        return json.dumps(asdict(self) | told)


class Living:
    """Lives on a database from `with` to the end of the block.

    Parameters
        dsn      of somebody who may connect.
        who      we.
        on_lost  called when somebody else took our place while the database was out of reach.
    """

    def __init__(self, dsn: str, who: Inhabitant, on_lost: Callable[[str], None]) -> None:
        self._dsn = dsn
        self._who = who
        self._on_lost = on_lost
        self._stopping = threading.Event()
        self._values = {"alone": who.kind == "up", "mark": who.mark}
        self._database = Database(dsn, "", self._stopping, session=who.session)
        self._thread = threading.Thread(target=self._run, name="living")
        self._teller: Database | None = None
        self._facts = ""
        self._told_at = 0.0

    def __enter__(self) -> Self:
        """Claim the place. Raises OccupiedError, or SiteError without a connection."""
        try:
            psycopg.connect(self._dsn, connect_timeout=10).close()
        except psycopg.OperationalError as error:
            raise SiteError(f"can't connect to the given database: {error}") from error
        give_up = time.monotonic() + _GRACE_S
        while (others := self._others()) and time.monotonic() < give_up:
            time.sleep(0.1)
        if others:
            self._database.close()
            raise OccupiedError(_refusal(self._who, others))
        return self

    def tell(self, owner_dsn: str, containers: list[str]) -> None:
        """Say in `locaria.runtimes` that we live and what we run, from now on again and again."""
        self._teller = Database(owner_dsn, "living", self._stopping)
        self._facts = self._who.facts(containers)
        self._tell(self._teller)
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the place, and say so where the database can be reached."""
        self._stopping.set()
        if self._teller is not None:
            with self._teller.at_most(STOP_S):  # which the thread uses, too
                join({self._thread: self._database})
                self._say_goodbye(self._teller)
        self._database.close()

    def _others(self) -> list[dict[str, Any]]:
        """Those who keep us out; none: the place is ours. Our own ghost counts, too."""
        mine = self._database.run(_TRY, self._values)[0]["mine"]
        holders = self._database.run(_HOLDERS, self._values)
        if mine:
            return [each for each in holders if each["elsewhere"]]
        return [each for each in holders if not each["elsewhere"]] or [_JUST_LEFT]

    def _tell(self, teller: Database) -> None:
        query = "select locaria.report_runtime(%s, %s, %s)"
        teller.run(query, [self._who.name, self._who.session, self._facts])
        self._told_at = time.monotonic()

    def _say_goodbye(self, teller: Database) -> None:
        try:
            teller.run("select locaria.end_runtime(%s)", [self._who.name])
        except (psycopg.Error, StoppedError) as problem:
            log.warning("can't tell the database that we stop: %s", problem)
        teller.close()

    def _run(self) -> None:
        while not self._stopping.wait(_BEAT_S):
            try:
                others = self._others()  # on a new connection, if the last one broke
                # Who comes to live elsewhere on this server has to give way to us.
                ours = (self._who.session, _JUST_LEFT["session"])
                here = [e for e in others if not e["elsewhere"] and e["session"] not in ours]
                if here:
                    self._on_lost(_refusal(self._who, here))
                    return
                if self._teller is not None and time.monotonic() - self._told_at >= _TELL_S:
                    self._tell(self._teller)
            except StoppedError:
                return
            except psycopg.Error as error:
                log.warning("can't say that we live, and go on: %s", error)


def _refusal(who: Inhabitant, others: list[dict[str, Any]]) -> str:
    """Why we can't live there, in words."""
    told = ", ".join(each["session"] + _since(each["since"]) for each in others)
    if others[0]["elsewhere"]:
        return (
            f"{told} serves the database {others[0]['elsewhere']} of this server: the logins of "
            "two locaria up on one server are the same. Stop it (locaria down), or use an agent"
        )
    if who.kind == "up":
        return (
            f"this database is served by {told}; locaria up serves a database alone. "
            "Stop them, or give another database"
        )
    if others[0]["session"].startswith("locaria up"):
        return (
            f"this database is served by {told}, alone. Stop it there (locaria down), or give "
            "another database"
        )
    return (
        f"{told} has this agent's mark: its state directory was copied. Give each agent one of "
        "its own, or delete secrets.json in the copy"
    )


def _since(moment: Any) -> str:
    return f" (since {moment:%Y-%m-%d %H:%M:%S %Z})" if moment is not None else ""
