"""A phase means the same to the view, the API, the counts, SQL and the command line."""

import itertools
import re
from typing import Any

import pytest

from locaria.cli.files.list import PHASES
from locaria.resources import ROOT
from tests.sql.asking import ask
from tests.sql.scenario import ARN, Scenario, one, refused

KINDS = ("requested", "processing", "done", "failed", "cancelled", "deleted")
DUE_TIMES = ("-infinity", "past", "future", "infinity")
ATTEMPTS = (0, 1, 3)
CONTAINERS = (
    None,
    "idle",
    "paused",
    "retired",
    "dispatched",
    "starting",
    "launched_again",
    "failing",
    "not_registered",
)


@pytest.fixture(scope="module")
def crowd(shared_scene: Scenario) -> Scenario:
    """One file for every combination, in the statuses that ship and in a site's own."""
    owner = shared_scene.owner
    shared_scene.at(seconds=0)
    for container in filter(None, CONTAINERS[:-1]):
        owner.execute(
            "select locaria.register_container(%s, %s)", [container, '{"type": "loader"}']
        )
    owner.execute("update locaria.containers set paused = true where name = 'paused'")
    owner.execute(
        "update locaria.containers set retired = now(), paused = true where name = 'retired'"
    )
    # The trigger would take back a dispatch for which no file waits yet.
    owner.execute("alter table locaria.dispatches disable trigger user")
    for container, status in (
        *((name, "invoked") for name in ("dispatched", "starting", "launched_again")),
        ("failing", "pending"),
    ):
        owner.execute(
            "insert into locaria.dispatches (container, reason, asked, status, launch)"
            " values (%s, 'insert', 1, %s, 2)",
            [container, status],
        )
    owner.execute("alter table locaria.dispatches enable trigger user")
    for container, launch in (("starting", 2), ("launched_again", 1)):
        owner.execute(
            "insert into locaria.tasks (container, task_arn, dispatch_id, launch)"
            " select container, %s, id, %s from locaria.dispatches where container = %s",
            [ARN + container, launch, container],
        )
    owner.execute(
        "insert into locaria.statuses (status, kind, container, done_status, description)"
        " select 'MY_' || upper(kind), kind, case kind when 'requested' then 'dispatched' end,"
        "   case kind when 'requested' then 'FARGATE_PROCESSED' end, 'A status of the site.'"
        " from unnest(%s::text[]) as kind where kind <> 'processing'"
        " union all select 'MY_UNASKED', 'requested', null, 'FARGATE_PROCESSED', 'Asks for none.'",
        [list(KINDS)],
    )
    insert_files(shared_scene)
    owner.execute("analyze locaria.files")
    return shared_scene


def insert_files(scene: Scenario) -> None:
    """Insert the files as if their triggers had brought them where they are."""
    owner = scene.owner
    now = scene.at(seconds=0)
    times = [
        {"past": now.replace(year=now.year - 1), "future": now.replace(year=now.year + 1)}.get(t, t)
        for t in DUE_TIMES
    ]
    scene.root.execute("alter table locaria.files disable trigger user")
    statuses = owner.execute("select status, kind from locaria.statuses").fetchall()
    for status, run_after, attempts, container in itertools.product(
        statuses, times, ATTEMPTS, CONTAINERS
    ):
        kind = status["kind"]
        owner.execute(
            "insert into locaria.files (status, run_after, attempts, container, finished, claimed_by)"
            " values (%s, %s, %s, %s, %s, %s)",
            [
                status["status"],
                run_after,
                attempts,
                container,
                None if kind in ("requested", "processing") else now,
                1 if kind == "processing" else None,
            ],
        )
    scene.root.execute("alter table locaria.files enable trigger user")


def shown(scene: Scenario) -> dict[int, str]:
    """The phase of each file in the view."""
    rows = scene.app.execute("select file_id, phase from locaria.status")
    return {row["file_id"]: row["phase"] for row in rows}


def found_by_api(scene: Scenario, **filters: Any) -> set[int]:
    """The files that get_files finds, over all pages."""
    found: set[int] = set()
    key = None
    while True:
        reply = ask(scene.app, method="get_files", limit=500, after=key, **filters)
        found |= {file["container_id"] for file in reply["files"]}
        key = reply["next"]
        if key is None:
            return found


def found_by_sql(scene: Scenario, filters: str) -> set[int]:
    """The files that list_files finds."""
    row = one(scene.app, "select locaria.list_files(%s, 100000) as ids", [filters])
    return set(row["ids"])


def test_every_phase_occurs(crowd: Scenario) -> None:
    assert set(shown(crowd).values()) == set(PHASES)


@pytest.mark.parametrize("phase", PHASES)
def test_every_filter_finds_the_files_that_the_view_shows(crowd: Scenario, phase: str) -> None:
    expected = {file for file, of_file in shown(crowd).items() if of_file == phase}
    assert found_by_api(crowd, phase=phase) == expected
    assert found_by_sql(crowd, f'{{"phase": "{phase}"}}') == expected


def test_a_filter_by_several_phases_finds_the_files_of_each(crowd: Scenario) -> None:
    phases = ["queued", "starting", "retrying", "failed"]
    expected = {file for file, phase in shown(crowd).items() if phase in phases}
    assert found_by_api(crowd, phase=phases) == expected


def test_the_filters_phase_status_and_container_narrow_each_other(crowd: Scenario) -> None:
    rows = crowd.app.execute("select file_id, phase, state, container from locaria.status")
    by_cell: dict[tuple[str, str, str], set[int]] = {}
    for row in rows:
        if row["container"] is not None:
            cell = (row["phase"], row["state"], row["container"])
            by_cell.setdefault(cell, set()).add(row["file_id"])
    for phase, state, container in sorted(by_cell)[::7]:
        expected = by_cell[phase, state, container]
        found = found_by_api(crowd, phase=phase, status=state, container=container)
        assert found == expected, (phase, state, container)


def test_the_overview_counts_what_the_view_shows(crowd: Scenario) -> None:
    crowd.owner.execute("update locaria.file_counts set counted = 'epoch'")
    phases = ask(crowd.app, method="get_overview")["phases"]
    expected = dict.fromkeys(PHASES, 0)
    for phase in shown(crowd).values():
        expected[phase] += 1
    assert phases == expected


def test_list_files_refuses_an_unknown_phase(crowd: Scenario) -> None:
    with refused("LC007", "unknown phase sideways", "retrying"):
        found_by_sql(crowd, '{"phase": "sideways"}')


def test_sql_the_command_line_and_the_page_name_the_same_phases(crowd: Scenario) -> None:
    rows = crowd.owner.execute("select phase from locaria.list_phases()").fetchall()
    assert tuple(row["phase"] for row in rows) == PHASES
    text = (ROOT / "locaria" / "web" / "static" / "file_words.js").read_text(encoding="utf-8")
    block = re.search(r"export const PHASES = \{(.*?)\n\};", text, re.DOTALL)
    assert block is not None
    assert tuple(re.findall(r"^  (\w+):", block[1], re.MULTILINE)) == PHASES
