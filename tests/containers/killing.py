"""Ways to break a running load off, and to see how far it had come."""

import signal
import time
from typing import Any

from tests.containers.conftest import Loader

BLOCK = "16384"


def reached(loader: Loader, file: int, table: str = "things") -> dict[str, Any]:
    """The checkpoint of the table that the living run fills; {} before the first."""
    row = loader.owner.execute(
        "select s.checkpoint from locaria.staging_tables s"
        " join locaria.files f on f.claimed_by = s.run_id"
        " where f.id = %s and s.target_table = %s",
        [file, table],
    ).fetchone()
    return dict(row["checkpoint"] or {}) if row else {}


def await_checkpoint(loader: Loader, file: int, table: str = "things", beyond: int = 0) -> None:
    """Until a running load has committed a block of this table, and more than `beyond` rows."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = reached(loader, file, table)
        if found.get("line", found.get("row", 0)) > beyond:
            return
    raise AssertionError("no checkpoint within 60 s")


def expire(loader: Loader) -> None:
    """Move the clock past the lease and let tick() heal."""
    loader.owner.execute("select set_config('locaria.fake_now', (now() + '1 hour')::text, false)")
    loader.owner.execute("select locaria.tick()")
    loader.owner.execute("select set_config('locaria.fake_now', '', false)")
    loader.owner.execute("update locaria.files set run_after = now()")


def kill_at_half_way(
    loader: Loader, file: int, table: str = "things", beyond: int = 0
) -> dict[str, Any]:
    """SIGKILL for a load that waits with a block in its hands; what it had reached."""
    process = loader.start(LOCARIA_BLOCK_BYTES=BLOCK)
    await_checkpoint(loader, file, table, beyond)
    with loader.db.connect(autocommit=False) as holder:
        # Its next checkpoint waits for this lock: it can neither go on nor finish.
        holder.execute("select from locaria.files where id = %s for update", [file])
        assert process.poll() is None, process.communicate()[0]
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
