"""Who may call what: by the login, by the identity that a transport brings, by whose file it is."""

from typing import Any

import pytest

from tests.sql.asking import ask, ask_as, register
from tests.sql.scenario import Scenario, one

LEAST = {
    "get_containers": "reader",
    "instantiate_container": "submitter",
    "get_container_status": "reader",
    "get_files": "reader",
    "get_file": "reader",
    "add_file": "submitter",
    "update_file": "operator",
    "delete_file": "submitter",
    "cancel_file": "submitter",
    "retry_file": "submitter",
    "get_parameters": "operator",
    "set_parameters": "operator",
    "get_overview": "reader",
    "subscribe": "reader",
    "unsubscribe": "reader",
}
ROLES = ["reader", "submitter", "operator"]
GROUPS = {"reader": "locaria_reader", "submitter": "locaria_app", "operator": "locaria_operator"}
FIELDS: dict[str, dict[str, Any]] = {
    "instantiate_container": {"name": "free", "parameters": {}},
    "get_container_status": {"container_id": 1},
    "get_file": {"container_id": 1},
    "add_file": {"attributes": {}},
    "update_file": {"container_id": 1, "priority": 1},
    "delete_file": {"container_id": 1},
    "cancel_file": {"container_id": 1},
    "retry_file": {"container_id": 1},
    "set_parameters": {"parameter_name": "mine", "parameter": {}},
}


def test_every_method_names_the_least_role_that_it_needs(shared_scene: Scenario) -> None:
    rows = shared_scene.session("reader").execute(
        "select method, least_role from locaria.api_methods"
    )
    assert {row["method"]: row["least_role"] for row in rows} == LEAST


@pytest.mark.parametrize("how", ["login", "set role", "identity"])
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_call_its_methods_and_no_others(scene: Scenario, role: str, how: str) -> None:
    """Ask as a role in three ways: with its login, after SET ROLE, and named by a transport."""
    register(scene, "free", parameters={})
    identity: Any = None
    if how == "login":
        session = scene.session("app" if role == "submitter" else role)
    else:
        session = scene.session("web")
        session.execute("set role " + (GROUPS[role] if how == "set role" else "locaria_operator"))
        identity = {"role": role, "subject": "ann"} if how == "identity" else None
    ask_as(scene.operator, None, method="add_file", attributes={})
    for method, least in LEAST.items():
        reply = ask_as(session, identity, method=method, **FIELDS.get(method, {}))
        code = reply.get("code") if isinstance(reply, dict) else None
        allowed = ROLES.index(role) >= ROLES.index(least)
        if method in ("delete_file", "cancel_file", "retry_file") and role == "submitter":
            assert code == 403, "it is the operator's file"
            assert "not yours" in reply["message"]
        elif allowed:
            assert code not in (403, 500), (method, reply)
        else:
            assert code == 403, (method, reply)
            assert least in reply["message"]
            assert role in reply["message"]


def test_an_identity_never_exceeds_the_sql_role(scene: Scenario) -> None:
    for session in (scene.session("reader"), scene.app):
        reply = ask_as(session, {"role": "operator"}, method="get_parameters")
        assert reply["code"] == 403
    identity: Any
    for identity in ({"role": "root"}, {"role": None}, {"role": 3}, {"role": {}}):
        assert ask_as(scene.operator, identity, method="get_files")["code"] == 403, identity
    for identity in ({}, [], "operator", 1, {"subject": "ann"}):
        assert "files" in ask_as(scene.operator, identity, method="get_files"), identity
    web = scene.session("web")
    web.execute("set role locaria_reader")
    assert ask_as(web, {"role": "operator"}, method="get_parameters")["code"] == 403


def test_a_submitter_controls_only_its_own_files(scene: Scenario) -> None:
    web = scene.session("web")
    web.execute("set role locaria_app")

    def ask_of(subject: str, **request: Any) -> Any:
        return ask_as(web, {"role": "submitter", "subject": subject}, **request)

    file = ask_of("ann", method="add_file", attributes={})["container_id"]
    described = ask_of("bob", method="get_file", container_id=file)
    assert described["file"]["submitted_by"] == "ann"
    for method in ("cancel_file", "retry_file", "delete_file"):
        reply = ask_of("bob", method=method, container_id=file)
        assert (reply["code"], "not yours" in reply["message"]) == (403, True)
        assert ask(scene.app, method=method, container_id=file)["code"] == 403
    assert "file" in ask_of("ann", method="cancel_file", container_id=file)
    assert "file" in ask_of("ann", method="retry_file", container_id=file)
    assert (
        ask_as(scene.operator, {"role": "submitter"}, method="cancel_file", container_id=file)[
            "code"
        ]
        == 403
    )
    assert "file" in ask(scene.operator, method="cancel_file", container_id=file)
    assert "file" in ask_of("ann", method="delete_file", container_id=file)
    acts = scene.owner.execute("select by_user from locaria.transitions order by id").fetchall()
    assert [act["by_user"] for act in acts] == ["ann", "ann", "test_operator", "ann"]


def test_only_a_transport_may_name_the_subject(scene: Scenario) -> None:
    ann = {"role": "submitter", "subject": "ann"}
    web = scene.session("web")
    web.execute("set role locaria_app")
    file = ask_as(web, ann, method="add_file", attributes={})["container_id"]
    assert ask_as(scene.app, ann, method="cancel_file", container_id=file)["code"] == 403
    mine = ask_as(scene.app, ann, method="add_file", attributes={})["file"]
    assert mine["submitted_by"] == "test_app"
    scene.app.execute("select set_config('locaria.subject', 'ann', false)")
    scene.app.execute("select set_config('locaria.api_role', 'operator', false)")
    assert ask(scene.app, method="cancel_file", container_id=file)["code"] == 403
    assert ask(scene.app, method="get_parameters")["code"] == 403
    assert scene.file(scene.insert_file())["submitted_by"] == "test_app"


def test_refused_calls_are_counted_where_an_operator_can_read_them(scene: Scenario) -> None:
    web = scene.session("web")
    web.execute("set role locaria_reader")
    for _ in range(3):
        ask_as(
            web,
            {"role": "reader", "subject": "eve"},
            method="set_parameters",
            parameter_name="x",
            parameter={},
        )
    file = scene.insert_file(connection=scene.session("app"))
    ask_as(web, {"role": "reader", "subject": "eve"}, method="cancel_file", container_id=file)
    rows = scene.operator.execute("select * from locaria.refused_calls order by method").fetchall()
    assert [(r["actor"], r["login"], r["method"], r["role"], r["calls"]) for r in rows] == [
        ("eve", "test_web", "cancel_file", "reader", 1),
        ("eve", "test_web", "set_parameters", "reader", 3),
    ]
    # In a transaction that may not write, the reply is the same.
    web.execute("begin read only; set local role locaria_reader")
    assert ask_as(web, {"subject": "eve"}, method="get_parameters")["code"] == 403
    web.execute("commit")
    scene.tick(days=31)
    assert one(scene.owner, "select count(*) as n from locaria.refused_calls")["n"] == 0


def test_the_functions_of_methods_can_not_be_called_around_the_gate(scene: Scenario) -> None:
    register(scene, "free", parameters={})
    reader = scene.session("reader")
    for call in (
        "api_instantiate_container",
        "api_add_file",
        "api_cancel_file",
        "api_update_file",
        "api_set_parameters",
    ):
        with pytest.raises(Exception, match="permission denied"):
            reader.execute(f"select locaria.{call}('{{}}')".encode())
    other = scene.insert_file(connection=scene.session("app"))
    scene.owner.execute(
        "update locaria.files set submitted_by = 'somebody else' where id = %s", [other]
    )
    row = one(
        scene.app, f"select locaria.api_cancel_file('{{\"container_id\": {other}}}') as reply"
    )
    assert row["reply"]["code"] == 403
