"""A running Locaria with bundle ingest, and a client that speaks exactly the source's protocol."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.rows import dict_row

from locaria.install import read_dockers
from locaria.local.aws.lambda_service.queue import DeliveryRules
from locaria.local.runtime import Runtime
from locaria.local.status import read_status
from locaria.resources import DOCKERS_JSON

HERE = Path(__file__).parent
State = dict[str, Any]


def read_answer(client: socket.socket) -> bytes:
    """An answer to its end, whatever pieces it comes in; each of ours is one JSON object."""
    answer = b""
    while b"}" not in answer and (piece := client.recv(65536)):
        answer += piece
    return answer


class Site:
    """Bundle ingest under test.

    Attributes:
        inbox: the folder that /move may take files from.
        die_at, hold_at: name a place of faulty.py where a process dies, or waits.
    """

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self.runtime = runtime
        self.objects = runtime.state_dir / "objects"
        self.inbox = folder / "inbox"
        self.die_at, self.hold_at = folder / "die_at", folder / "hold_at"
        self.db = psycopg.connect(runtime.dsn, autocommit=True, row_factory=dict_row)
        self.configure(move_roots=[str(self.inbox)], clean_seconds=0.5)

    def configure(self, **values: Any) -> None:
        """Change ingest_config."""
        self.db.execute(
            "update locaria.parameters set parameter = parameter || %s::jsonb"
            " where parameter_name = 'ingest_config'",
            [json.dumps(values)],
        )

    @property
    def url(self) -> str:
        """Where the listener listens, as `locaria status --json` says."""
        deadline = time.monotonic() + 60
        while not (url := read_status(self.runtime.state_dir)["ingest"]):
            assert time.monotonic() < deadline, "no listener"
            time.sleep(0.05)
        return str(url)

    def connection(self) -> http.client.HTTPConnection:
        """A connection to the listener."""
        parts = urlsplit(self.url)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """One request: status and JSON of the answer."""
        connection = self.connection()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def post(self, body: bytes, path: str = "/upload", **headers: str) -> int:
        """Send a bundle: the job's number."""
        status, answer = self.request("POST", path, body, **headers)
        assert status == 200, answer
        return int(answer["job_id"])

    def state(self, job: int) -> State:
        """GET /get_state."""
        status, answer = self.request("GET", f"/get_state?job_id={job}")
        assert status == 200, answer
        return answer

    def await_state(self, job: int, wanted: Callable[[State], bool], seconds: float = 60) -> State:
        """Poll, as clients do, until the state is as wanted."""
        deadline = time.monotonic() + seconds
        while not wanted(state := self.state(job)):
            assert time.monotonic() < deadline, (state, self.story(job))
            time.sleep(0.02)
        return state

    def wait(self, job: int, seconds: float = 60) -> State:
        """Poll until the job is complete."""
        return self.await_state(job, lambda state: bool(state["complete"]), seconds)

    def ingest(self, body: bytes, **headers: str) -> State:
        """Send a bundle and wait for its end."""
        return self.wait(self.post(body, **headers))

    def story(self, job: int) -> list[str]:
        """What happened, for a failing test to show."""
        rows = self.db.execute("select * from locaria.timeline(%s)", [job]).fetchall()
        return [f"{row['at']} {row['what']}: {row['detail']}" for row in rows]

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a statement."""
        return self.db.execute(statement.encode(), values).fetchall()

    def files(self, job: int) -> dict[str, bytes]:
        """What was archived of a job: path and bytes."""
        rows = self.rows(
            "select path, archive_key from locaria.archived_files where transaction_id = %s", job
        )
        archive = self.objects / "archive"
        return {row["path"]: (archive / row["archive_key"]).read_bytes() for row in rows}

    def stored(self, part: str = "") -> set[str]:
        """All objects, by key."""
        folder = self.objects / part
        return {p.relative_to(self.objects).as_posix() for p in folder.rglob("*") if p.is_file()}

    def settled(self, job: int, seconds: float = 30) -> set[str]:
        """What is left of a job in the store when all cleaning is done."""
        deadline = time.monotonic() + seconds
        marks = (f"uploads/{job}.", f"archive/incoming/{job}/", f"archive/0000/{job}/")
        while True:
            left = self.rows(
                "select job_id from locaria.list_ingest_leftovers(100, %s) union all select job_id"
                " from locaria.ingest_jobs where job_id = %s and phase = 'uploading'",
                job,
                job,
            )
            if not left or time.monotonic() > deadline:
                return {key for key in self.stored() if key.startswith(marks)}
            time.sleep(0.05)

    def pid(self, container: str = "bundle_ingest") -> int:
        """The process of a living task."""
        rows = self.rows(
            "select info ->> 'pid' as pid from locaria.tasks"
            " where container = %s and stopped is null and info ? 'pid' order by id desc limit 1",
            container,
        )
        return int(rows[0]["pid"])

    def pid_at_work(self, job: int) -> int:
        """The process that works on a job."""
        rows = self.rows(
            "select t.info ->> 'pid' as pid from locaria.runs r join locaria.tasks t"
            " on t.id = r.task_id where r.file_id = %s order by r.id desc limit 1",
            job,
        )
        return int(rows[0]["pid"])


def write_containers(folder: Path) -> Path:
    """The real containers, with short limits, and wrapped so that they can be made to die."""
    folder.mkdir()
    dockers = {}
    for name in ("bundle_ingest", "bundle_processor"):
        entry = read_dockers()[name]
        entry["limits"] |= {"lease": "3 seconds", "backoff": "0 seconds"}
        entry["entry_point"] = ["python", str(HERE / "faulty.py"), f"{name}.py"]
        entry["stop_timeout"] = 5
        (folder / name).symlink_to(DOCKERS_JSON.parent / name)
        dockers[name] = entry
    dockers["bundle_ingest"]["limits"]["max_attempts"] = 1000
    (folder / "modules").symlink_to(DOCKERS_JSON.parent / "modules")
    (folder / "dockers.json").write_text(json.dumps(dockers))
    return folder


def faulty_environment(folder: Path) -> dict[str, str]:
    """What tells the wrapped containers where to look for places to die or to wait at."""
    return {f"TEST_{what}_AT": str(folder / f"{what.lower()}_at") for what in ("DIE", "HOLD")}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests: they use jobs and folders of their own."""
    folder = tmp_path_factory.mktemp("ingest")
    (folder / "inbox").mkdir()
    runtime = Runtime(
        folder / "state",
        bin_dir=os.environ.get("LOCARIA_TEST_PG_BIN"),
        durable=False,
        containers_dir=write_containers(folder / "containers"),
        task_environment=faulty_environment(folder),
        rules=DeliveryRules(retry_delays_s=(0.2, 0.4), failure_destination="taskEvents"),
        tick_every_s=0.2,
    )
    with runtime:
        site = Site(runtime, folder)
        yield site
        site.db.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    """The running ingest, as it was configured at first."""
    before = running.rows(
        "select parameter from locaria.parameters where parameter_name = 'ingest_config'"
    )[0]["parameter"]
    yield running
    running.die_at.unlink(missing_ok=True)
    running.hold_at.unlink(missing_ok=True)
    running.configure(**before)
    running.db.execute("truncate locaria.ingest_policy")
