"""The cost of a request grows with the reply, not with the table."""

import json
from typing import Any

import pytest

from tests.sql.asking import ask
from tests.sql.scenario import Scenario, one

FILES = 60_000


@pytest.fixture(scope="module")
def crowd(shared_scene: Scenario) -> Scenario:
    """Many files, of which a few in the middle have ended or are special."""
    owner = shared_scene.owner
    owner.execute("alter table locaria.files disable trigger _900_dispatch_insert")
    owner.execute(
        """
        insert into locaria.files (container, status, finished, run_after, attributes)
        select case when n = 30000 then 'file_download' end,
          case when n between 29990 and 29999 then 'FARGATE_PROCESSED' when n between 29980 and 29989 then 'ERROR' else 'REGISTERED' end,
          case when n between 29980 and 29999 then now() end,
          case when n = 29970 then 'infinity'::timestamptz else now() end,
          jsonb_build_object('path', n)
        from generate_series(1, %s) as n
        """,
        [FILES],
    )
    owner.execute("alter table locaria.files enable trigger _900_dispatch_insert")
    owner.execute("vacuum analyze locaria.files")
    return shared_scene


def reads(scene: Scenario, request: dict[str, Any]) -> int:
    """Return how many pages a warmed-up request reads."""
    session = scene.session("reader")
    ask(session, request)
    query = "explain (analyze, buffers, format json) select locaria.api(%s::jsonb)"
    plan = one(session, query, [json.dumps(request)])["QUERY PLAN"][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def whole(scene: Scenario) -> int:
    """Return the number of pages of the table."""
    query = "select pg_relation_size('locaria.files') / 8192 as pages"
    return int(one(scene.owner, query)["pages"])


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "get_container_status", "container_id": 30_000},
        {"method": "get_container_status", "container_id": 10**12},
        {"method": "get_file", "container_id": 30_000},
        {"method": "get_files", "limit": 10},
        {"method": "get_files", "limit": 10, "after": 30_000},
        {"method": "get_files", "limit": 10, "before": 30_000},
        {"method": "get_files", "limit": 10, "status": "REGISTERED"},
        {"method": "get_files", "limit": 5, "status": "FARGATE_PROCESSED"},
        {"method": "get_files", "limit": 5, "status": ["ERROR", "CANCELLED"]},
        {"method": "get_files", "limit": 5, "status": "FARGATE_PROCESSING"},
        {"method": "get_files", "limit": 5, "phase": "running"},
        {"method": "get_files", "limit": 5, "phase": "done"},
        {"method": "get_files", "limit": 5, "container": "nix"},
        {"method": "get_files", "limit": 5, "container": "file_loader"},
        {"method": "get_files", "limit": 5, "attributes": {"path": 59_990}},
    ],
    ids=json.dumps,
)
def test_a_request_reads_a_fraction_of_the_table(crowd: Scenario, request_: dict[str, Any]) -> None:
    pages = whole(crowd)
    assert pages > 900
    bound = 500 if "attributes" not in request_ else pages
    assert reads(crowd, request_) < bound


def test_no_request_scans_the_files_from_one_end_to_the_other(crowd: Scenario) -> None:
    def scans() -> int:
        crowd.owner.execute("select pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
        query = "select seq_scan from pg_stat_user_tables where relid = 'locaria.files'::regclass"
        return int(one(crowd.owner, query)["seq_scan"])

    session = crowd.session("reader")
    ask(session, method="get_overview")
    session.execute("select pg_stat_force_next_flush()")
    before = scans()
    for request in (
        {"method": "get_overview"},
        {"method": "get_container_status", "container_id": 1},
        {"method": "get_files"},
        {"method": "get_files", "status": "ERROR"},
        {"method": "get_files", "status": "FARGATE_PROCESSED"},
        {"method": "get_files", "phase": "held"},
        {"method": "get_files", "container": "file_loader", "phase": "done"},
        {"method": "get_files", "attributes": {"path": "nix"}},
    ):
        ask(session, request)
    session.execute("select pg_stat_force_next_flush()")
    assert scans() == before


def test_a_search_that_no_index_serves_comes_in_bounded_steps(crowd: Scenario) -> None:
    pages = 0
    found: list[int] = []
    key = None
    while True:
        reply = ask(crowd.app, method="get_files", attributes={"path": 7}, after=key)
        found += [file["container_id"] for file in reply["files"]]
        pages += 1
        key = reply["next"]
        if key is None:
            break
    assert len(found) == 1
    assert pages in (3, 4)


def test_the_overview_counts_a_large_table_rarely_but_exactly(crowd: Scenario) -> None:
    crowd.owner.execute("update locaria.file_counts set counted = 'epoch'")
    counted = ask(crowd.app, method="get_overview")
    assert sum(counted["phases"].values()) == FILES
    assert (counted["phases"]["done"], counted["phases"]["failed"], counted["phases"]["held"]) == (
        10,
        10,
        1,
    )
    # As if the count had taken a minute: it is good for fifty times as long, ten minutes at most.
    crowd.owner.execute("update locaria.file_counts set took = '1 minute'")
    assert ask(crowd.app, method="get_overview")["counted"] == counted["counted"]
    crowd.owner.execute("update locaria.file_counts set counted = counted - interval '11 minutes'")
    assert ask(crowd.app, method="get_overview")["counted"] > counted["counted"]
