"""Ways to break a running load off, and to see how far it had come."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.containers.conftest import Loader

BLOCK = "16384"
_HOLD = 4_711


def reached(loader: Loader, file: int, table: str = "things") -> dict[str, Any]:
    """The checkpoint of the table that the living run fills; {} before the first."""
    row = loader.owner.execute(
        "select s.checkpoint from locaria.staging_tables s"
        " join locaria.files f on f.claimed_by = s.run_id"
        " where f.id = %s and s.target_table = %s",
        [file, table],
    ).fetchone()
    return dict(row["checkpoint"] or {}) if row else {}


def await_checkpoint(loader: Loader, file: int, table: str = "things") -> None:
    """Until a running load has committed a block of this table."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if reached(loader, file, table):
            return
    raise AssertionError("no checkpoint within 60 s")


def expire(loader: Loader) -> None:
    """Move the clock past the lease and let tick() heal."""
    loader.owner.execute("select set_config('locaria.fake_now', (now() + '1 hour')::text, false)")
    loader.owner.execute("select locaria.tick()")
    loader.owner.execute("select set_config('locaria.fake_now', '', false)")
    loader.owner.execute("update locaria.files set run_after = now()")


@contextmanager
def held(loader: Loader, table: str, beyond: int) -> Iterator[None]:
    """A load of this table stops before the block behind its first checkpoint after `beyond`."""
    loader.owner.execute(f"""
        create or replace function public.hold_load() returns trigger language plpgsql as $$
        begin
          perform pg_advisory_xact_lock({_HOLD}) where {beyond} < coalesce(
            old.checkpoint ->> 'line', old.checkpoint ->> 'row', '0')::bigint;
          return new;
        end
        $$
    """)
    loader.owner.execute(
        "create trigger hold_load before update of checkpoint on locaria.staging_tables"
        f" for each row when (old.target_table = '{table}') execute function public.hold_load()"
    )
    with loader.db.connect(autocommit=False) as holder:
        holder.execute("select pg_advisory_xact_lock(%s)", [_HOLD])
        yield
    loader.owner.execute("drop function public.hold_load cascade")


def await_held(loader: Loader) -> None:
    """Until a load is held."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        waiting = loader.owner.execute(
            "select count(*) as n from pg_catalog.pg_locks"
            " where locktype = 'advisory' and objid = %s and not granted",
            [_HOLD],
        ).fetchone()
        if waiting == {"n": 1}:
            return
    raise AssertionError("no checkpoint within 60 s")


def kill_at_half_way(
    loader: Loader, file: int, table: str = "things", beyond: int = 0
) -> dict[str, Any]:
    """SIGKILL for a load that waits with a block in its hands; what it had reached."""
    with held(loader, table, beyond):
        process = loader.start(LOCARIA_BLOCK_BYTES=BLOCK)
        await_held(loader)
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = reached(loader, file, table)
    expire(loader)
    return found


def messages(loader: Loader, file: int) -> str:
    rows = loader.owner.execute(
        "select message from locaria.log_messages where file_id = %s", [file]
    ).fetchall()
    return "\n".join(row["message"] for row in rows)
