"""Whatever is sent is answered: nothing raises, nothing is executed, nothing waits for ever."""

import json
import threading
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.asking import ask, register
from tests.sql.scenario import Scenario, Threads, one
from tests.sql.test_api_roles import FIELDS, LEAST

CODES = {300, 301, 302, 303, 304, 399, 400, 403, 404, 409, 422}
INJECTIONS = [
    "'; drop table locaria.files; --",
    "$$; select 1/0; $$",
    '"); delete from locaria.files; --',
    "%s %L %I \\",
    "1; select pg_sleep(60)",
    "<script>alert(1)</script>",
    "\u202e\ufffd\ud7ff\U0001f4a5",
]
NONSENSE: list[Any] = [
    *(None, True, 0, -1, 1.5, 1e300, 10**40, "", "12", "x" * 5000, [], [1], {}, {"a": {"b": []}}),
    *(2**63 - 1, 2**63, [[]], {"$ref": "#"}),
    *INJECTIONS,
]


def fields_of(scene: Scenario) -> dict[str, list[str]]:
    rows = scene.owner.execute(
        "select method, request -> 'properties' as p from locaria.api_methods"
    )
    return {row["method"]: sorted(row["p"]) for row in rows}


def check_reply(reply: Any) -> None:
    """Check that a reply is an object or a list, and that a code comes with a message."""
    assert isinstance(reply, dict | list)
    if isinstance(reply, dict) and "code" in reply:
        assert reply["code"] in CODES, reply
        assert reply["message"]
        for error in reply.get("errors", []):
            assert set(error) == {"path", "reason"}


@pytest.mark.parametrize("method", sorted(LEAST))
def test_nonsense_in_every_field_of_every_method(shared_scene: Scenario, method: str) -> None:
    register(shared_scene, "free", parameters={})
    for field in [*fields_of(shared_scene)[method], "nix"]:
        for value in NONSENSE:
            request = {"method": method, **FIELDS.get(method, {}), field: value}
            reply = ask(shared_scene.operator, request)
            check_reply(reply)
            if field == "nix":
                assert reply["code"] == 400
    assert one(shared_scene.owner, "select count(*) > 0 as there from locaria.containers")["there"]


@pytest.mark.parametrize(
    "request_", [None, [], [1], "get_containers", 1, True, {}, {"method": {}}], ids=str
)
def test_a_value_that_is_not_a_request_is_refused(shared_scene: Scenario, request_: Any) -> None:
    row = one(shared_scene.app, "select locaria.api(%s::jsonb) as reply", [json.dumps(request_)])
    assert row["reply"]["code"] == 400
    assert one(shared_scene.app, "select locaria.api(null) as reply")["reply"]["code"] == 400


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_hostile_text_is_stored_as_it_is(shared_scene: Scenario, value: str) -> None:
    reply = ask(shared_scene.app, method="add_file", attributes={value: value, "path": value})
    file = reply["file"]
    assert file["attributes"] == {value: value, "path": value}
    found = ask(shared_scene.app, method="get_files", attributes={"path": value})["files"]
    assert file["container_id"] in [f["container_id"] for f in found]
    for fields in ({"status": value}, {"container": value}):
        assert ask(shared_scene.app, method="get_files", **fields)["files"] == []
    ask(shared_scene.app, method="cancel_file", container_id=file["container_id"], reason=value)
    shown = ask(shared_scene.app, method="get_file", container_id=file["container_id"])
    assert value in shown["file"]["last_error"]


def test_a_huge_request_and_a_deep_one_are_refused(shared_scene: Scenario) -> None:
    reply = ask(shared_scene.app, method="add_file", attributes={"path": "x" * 10_000_000})
    assert (reply["code"], "too large" in reply["message"]) == (400, True)
    deep: Any = "bottom"
    for _ in range(60):
        deep = {"a": [deep]}
    reply = ask(shared_scene.app, method="add_file", attributes=deep)
    assert (reply["code"], "too deeply" in reply["message"]) == (400, True)
    reply = ask(shared_scene.app, method="get_files", request_id="x" * 5000)
    assert "files" in reply
    assert "request_id" not in reply, "an echo that long is none"
    for number in ("1e400", "-1e400", "1e100000", "0." + "0" * 1000 + "1"):
        row = one(
            shared_scene.app,
            "select locaria.api(%s::jsonb) as reply",
            [f'{{"method": "get_container_status", "container_id": {number}}}'],
        )
        assert row["reply"]["code"] == 400
    whole = '{"method": "get_container_status", "container_id": 1000000000000.0}'
    row = one(shared_scene.app, "select locaria.api(%s::jsonb) as reply", [whole])
    assert row["reply"]["code"] == 399


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        st.sampled_from(NONSENSE),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
names = sorted(
    {
        "method",
        "request_id",
        "name",
        "parameters",
        "debug",
        "container_id",
        "attributes",
        "limit",
        "after",
        "before",
        "status",
        "phase",
        "container",
        "priority",
        "run_after",
        "reason",
        "parameter_name",
        "parameter",
    }
)
plausible = st.fixed_dictionaries(
    {"method": st.sampled_from(sorted(LEAST))},
    optional={
        "container_id": st.one_of(st.integers(1, 50), anything),
        "name": st.one_of(st.sampled_from(["free", "file_loader"]), anything),
        "limit": st.one_of(st.integers(1, 500), anything),
        "phase": st.one_of(st.sampled_from(["queued", "done", "held"]), anything),
        "run_after": st.one_of(
            st.sampled_from(["infinity", "2030-01-01", "2030-13-01", "2030-01-01T25:00"]), anything
        ),
        **{
            name: anything
            for name in names
            if name not in ("method", "container_id", "name", "limit", "phase", "run_after")
        },
    },
)


@given(request=st.one_of(plausible, st.dictionaries(st.sampled_from(names), anything), anything))
@settings(
    max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_any_json_gets_a_reply(shared_scene: Scenario, request: Any) -> None:
    text = json.dumps(request)
    # Configuration of nonsense would keep the others from dispatching.
    if isinstance(request, dict) and request.get("method") == "set_parameters":
        text = json.dumps(request | {"parameter_name": "site"})
    row = one(
        shared_scene.operator,
        'select locaria.api(%s::jsonb, \'{"role": "operator"}\') as reply',
        [text],
    )
    check_reply(row["reply"])


def test_a_timeout_is_raised_to_the_transport_and_leaves_nothing_behind(scene: Scenario) -> None:
    file = scene.insert_file()
    holder = scene.session(autocommit=False)
    holder.execute("select from locaria.files where id = %s for update", [file])
    scene.operator.execute("set statement_timeout = 200")
    with pytest.raises(psycopg.errors.QueryCanceled):
        ask(scene.operator, method="cancel_file", container_id=file)
    scene.operator.execute("set lock_timeout = 100")
    reply = ask(scene.operator, method="cancel_file", container_id=file)
    assert (reply["code"], "again" in reply["message"]) == (409, True)
    holder.rollback()
    assert "file" in ask(scene.operator, method="cancel_file", container_id=file)


def test_concurrent_cancel_and_retry_end_as_one_of_the_two(scene: Scenario) -> None:
    files = scene.insert_files(5, run_after="infinity")
    codes: list[int | None] = []
    barrier = threading.Barrier(4)

    def steer(method: str) -> None:
        session = scene.session("operator")
        barrier.wait(30)
        for file in files * 4:
            codes.append(ask(session, method=method, container_id=file).get("code"))

    threads = Threads()
    for method in ("cancel_file", "retry_file", "cancel_file", "retry_file"):
        threads.start(steer, method)
    threads.join()
    assert set(codes) <= {None, 409}
    assert {scene.status_of(file) for file in files} <= {"CANCELLED", "REGISTERED"}
    for file in files:
        for before, after in pairwise(scene.history(file)):
            assert before[1] == after[0]


def test_a_concurrent_claim_and_cancel_lose_nothing(scene: Scenario) -> None:
    files = scene.insert_files(30)
    task = scene.start_task()
    claimed: list[int] = []
    replies: list[Any] = []

    def claim() -> None:
        session = scene.session("loader")
        while rows := session.execute(
            "select * from locaria.claim_files(%s, 3)", [task]
        ).fetchall():
            claimed.extend(row["run_id"] for row in rows)

    def cancel() -> None:
        session = scene.session("operator")
        replies.extend(ask(session, method="cancel_file", container_id=file) for file in files)

    threads = Threads()
    threads.start(claim)
    threads.start(cancel)
    threads.join()
    assert all("file" in reply for reply in replies)
    told = [scene.progress(run, rows_done=1) for run in claimed]
    assert set(told) <= {"cancel"}
    for run in claimed:
        scene.fail(run, "cancelled")
    assert {scene.status_of(file) for file in files} == {"CANCELLED"}
