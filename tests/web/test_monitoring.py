"""`/healthz`, `/metrics`, the headers, and what happens without a database."""

import re
from typing import Any

import httpx
import psycopg
import pytest

from locaria.web.settings import Settings
from tests.conftest import Connection, Database
from tests.web.conftest import Task, Web, insert, served


def samples(text: str) -> dict[str, float]:
    """Each line of a scrape that is no comment."""
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_health_is_good_while_tick_runs_and_bad_when_it_does_not(web: Web, site: Database) -> None:
    owner = site.connect()
    owner.execute("select locaria.tick()")
    answer = httpx.get(f"{web.http}/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    owner.execute("update locaria.ticks set last_tick = now() - interval '1 hour'")
    answer = httpx.get(f"{web.http}/healthz")
    assert answer.status_code == 503
    assert "60 min" in answer.json()["tick"]
    owner.execute("select locaria.tick()")


def test_metrics_tell_queue_tasks_outcomes_and_durations(
    web: Web, site: Database, app: Connection, task: Task
) -> None:
    files = insert(app, 4)
    for file in files[:2]:
        task.finish(task.run(file))
    owner = site.connect()
    owner.execute("select set_config('locaria.fake_now', (now() + '1 minute')::text, false)")
    owner.execute("select locaria.count_outcomes()")
    with web.connect():
        answer = httpx.get(f"{web.http}/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = samples(answer.text)
        assert found["locaria_web_connections"] == 1
    assert found['locaria_files_running{container="file_loader"}'] == 2
    assert found['locaria_tasks{state="living",container="file_loader"}'] == 1
    assert found['locaria_runs_total{outcome="succeeded",container="file_loader"}'] == 2
    assert found['locaria_run_seconds_bucket{le="+Inf",container="file_loader"}'] == 2
    assert found['locaria_run_seconds_count{container="file_loader"}'] == 2
    for file in files[2:]:
        task.finish(task.run(file))
    owner.execute("select locaria.count_outcomes()")
    found = samples(httpx.get(f"{web.http}/metrics").text)
    assert found['locaria_runs_total{outcome="succeeded",container="file_loader"}'] == 4
    owner.execute("select locaria.count_outcomes()")
    again = samples(httpx.get(f"{web.http}/metrics").text)
    assert again['locaria_runs_total{outcome="succeeded",container="file_loader"}'] == 4


def test_the_text_is_as_prometheus_reads_it(web: Web) -> None:
    text = httpx.get(f"{web.http}/metrics").text
    families: list[str] = []
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            families.append(line.split()[2])
        elif not line.startswith("#"):
            assert re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+', line), line
            assert line.startswith(families[-1])
    assert len(families) == len(set(families))


def test_browsers_are_told_to_be_careful(web: Web) -> None:
    for path in ("/", "/healthz", "/nothing"):
        headers = httpx.get(f"{web.http}{path}").headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


@pytest.fixture
def restricted(site: Database) -> str:
    """A DSN whose database is not there."""
    return site.server.dsn_for("no_such_database", "test_web", "for tests only")


def test_without_a_database_clients_are_told_so_and_the_connection_stays_open(
    settings: Settings, restricted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locaria.web.push.hub.READY_S", 0.5)
    with served(settings, dsn=restricted) as web, web.connect() as client:
        web.server.database._pool.timeout = 0.5
        for request in ({"method": "get_containers"}, {"method": "subscribe", "container_id": 1}):
            reply: Any = client.ask(request, request_id=1)
            assert (reply["code"], reply["request_id"]) == (503, 1)
        answer = httpx.get(f"{web.http}/healthz")
        assert (answer.status_code, answer.json()["status"]) == (503, "fail")
        assert httpx.get(f"{web.http}/live").status_code == 200


def test_a_connection_that_was_cut_is_not_given_to_a_client(web: Web, site: Database) -> None:
    with web.connect() as client:
        for number in range(3):
            assert "code" not in client.ask({"method": "get_overview"})
            with psycopg.connect(site.superuser_dsn, autocommit=True) as root:
                root.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                    " where datname = current_database() and application_name = 'locaria web'"
                )
            reply = client.ask({"method": "get_overview", "request_id": number})
            assert "phases" in reply, reply
