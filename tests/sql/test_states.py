"""Changes of files.status by hand: which are allowed, how they are recorded, and what they cause."""

from tests.sql.scenario import Scenario, one, refused


def test_a_change_of_status_by_hand_takes_the_file_from_its_run_and_is_recorded(
    scene: Scenario,
) -> None:
    for change, status in [
        ("status = 'ERROR'", "ERROR"),
        ("status = 'REGISTERED'", "REGISTERED"),
        ("status = 'CANCELLED', claimed_by = null", "CANCELLED"),
    ]:
        run = scene.running(priority=5)
        scene.owner.execute(f"update locaria.files set {change} where id = %s", [run["file_id"]])
        file = scene.file(run["file_id"])
        assert (file["status"], file["claimed_by"]) == (status, None)
        with refused("LC001", f"status set to {status} by locaria_owner"):
            scene.finish(run["run_id"])
        (row,) = scene.owner.execute(
            "select * from locaria.transitions where file_id = %s", [run["file_id"]]
        )
        assert (row["from_status"], row["to_status"], row["by_user"]) == (
            "FARGATE_PROCESSING",
            status,
            "locaria_owner",
        )
        assert scene.history(run["file_id"]) == [
            ("REGISTERED", "FARGATE_PROCESSING"),
            ("FARGATE_PROCESSING", status),
        ]
        scene.control("cancel", run["file_id"])


def test_a_session_setting_cannot_hide_a_change_from_the_history(scene: Scenario) -> None:
    file = scene.insert_file()
    scene.operator.execute("set locaria.hot_path = 'on'")
    scene.control("cancel", file)
    assert scene.history(file) == [("REGISTERED", "CANCELLED")]


def test_transitions_are_append_only_even_for_their_owner(scene: Scenario) -> None:
    scene.control("cancel", scene.insert_file())
    for statement in (
        "update locaria.transitions set by_user = 'x'",
        "delete from locaria.transitions",
        "truncate locaria.transitions",
    ):
        with refused("LC009", "append-only"):
            scene.owner.execute(statement)


ARROWS = {
    "requested": {"failed", "cancelled", "deleted"},
    "processing": {"done", "failed", "cancelled", "requested"},
    "done": {"requested", "deleted"},
    "failed": {"requested", "deleted"},
    "cancelled": {"requested", "deleted"},
    "deleted": set(),
}


def test_the_state_machine_allows_exactly_its_transitions(scene: Scenario) -> None:
    """Try all pairs of statuses by hand; only a claim may set a processing status."""
    rows = scene.owner.execute("select status, kind from locaria.statuses").fetchall()
    kinds = {row["status"]: row["kind"] for row in rows}
    owner = scene.session()
    for start, kind in kinds.items():
        scene.root.execute("set session_replication_role = replica")
        (row,) = scene.root.execute(
            """
            insert into locaria.files (status, claimed_by, finished)
            values (%(s)s, case when %(k)s = 'processing' then 1 end, case when %(k)s not in ('processing', 'requested') then now() end)
            returning id
            """,
            {"s": start, "k": kind},
        ).fetchall()
        for end, to_kind in kinds.items():
            if start == end:
                continue
            change = owner.execute
            with owner.transaction(force_rollback=True):
                if to_kind in ARROWS[kind]:
                    change("update locaria.files set status = %s where id = %s", [end, row["id"]])
                else:
                    with refused("LC003", start, end):
                        change(
                            "update locaria.files set status = %s where id = %s", [end, row["id"]]
                        )
        with refused("LC005", "NOWHERE"):
            owner.execute("update locaria.files set status = 'NOWHERE' where id = %s", [row["id"]])
    assert one(scene.owner, "select count(*) as n from locaria.status_transitions")["n"] == 14


def test_a_change_by_hand_sets_the_dependent_columns(scene: Scenario) -> None:
    run = scene.running()
    scene.fail(run["run_id"], "data", "bad")
    file = scene.file(run["file_id"])
    assert file["finished"] is not None and file["last_error"] == "bad"
    scene.owner.execute(
        "update locaria.files set status = 'REGISTERED' where id = %s", [file["id"]]
    )
    file = scene.file(run["file_id"])
    assert (file["finished"], file["last_error"], file["attempts"]) == (None, None, 0)
    assert file["created"] < file["run_after"] <= file["last_update"]
    scene.owner.execute("update locaria.files set status = 'DELETED' where id = %s", [file["id"]])
    assert scene.file(run["file_id"])["finished"] is not None
    assert scene.claim(scene.start_task()) == []
