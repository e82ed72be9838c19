"""The value of `credentials` reaches the container and nothing else."""

import json
from typing import Any

import psycopg
import pytest

from tests.sql.asking import ask, register
from tests.sql.scenario import Scenario, one

SECRET = 'hunter2-"quoted"\\-geheim'
CREDENTIALS = {"user": "ann", "login": {"password": SECRET, "tokens": ["tok-4711"]}}
PUBLISHED = {"description": "x", "parameters": {"path": "", "credentials": {}}}


def instantiate(scene: Scenario) -> int:
    register(scene, "secretive", **PUBLISHED)
    reply = ask(
        scene.app,
        method="instantiate_container",
        name="secretive",
        parameters={"path": "a", "credentials": CREDENTIALS},
    )
    return int(reply["container_id"])


def add(scene: Scenario) -> int:
    attributes = {"path": "a", "parameters": {"path": "a", "credentials": CREDENTIALS}}
    register(scene, "secretive", **PUBLISHED)
    reply = ask(scene.app, method="add_file", container="secretive", attributes=attributes)
    return int(reply["container_id"])


def insert(scene: Scenario) -> int:
    register(scene, "secretive", **PUBLISHED)
    return scene.insert_file(
        container="secretive", attributes={"path": "a", "credentials": CREDENTIALS}
    )


def update(scene: Scenario) -> int:
    register(scene, "secretive", **PUBLISHED)
    file = scene.insert_file(container="secretive")
    ask(
        scene.operator,
        method="update_file",
        container_id=file,
        attributes={"path": "a", "credentials": CREDENTIALS},
    )
    return file


def everything_readable(scene: Scenario, role: str) -> str:
    """Return everything that a role can read, as text."""
    session = scene.session(role)
    names = session.execute(
        """
        select c.oid::regclass::text as name from pg_class c
        where c.relnamespace in ('locaria'::regnamespace, 'locaria_staging'::regnamespace) and c.relkind in ('r', 'p', 'v')
          and has_table_privilege(c.oid, 'select')
        """
    ).fetchall()
    assert len(names) > 10
    found = [
        str(session.execute(f"select t::text from {row['name']} t".encode()).fetchall())
        for row in names
    ]
    for request in (
        {"method": "get_containers"},
        {"method": "get_files"},
        {"method": "get_overview"},
        {"method": "get_parameters"},
        *({"method": m, "container_id": 1} for m in ("get_file", "get_container_status")),
    ):
        found.append(json.dumps(ask(session, request), ensure_ascii=False))
    for function in ("timeline(1)", "explain(1)", "get_changes(array[1::bigint])"):
        found.append(str(session.execute(f"select locaria.{function}::text".encode()).fetchall()))
    return "\n".join(found)


@pytest.mark.parametrize("arrive", [instantiate, add, insert, update])
def test_credentials_reach_the_run_and_are_readable_nowhere(scene: Scenario, arrive: Any) -> None:
    file = arrive(scene)
    run = scene.claim_one(scene.start_task("secretive"))
    assert run["file_id"] == file
    assert run["parameters"]["credentials"] == CREDENTIALS
    assert SECRET not in json.dumps(run["attributes"])
    told = f"can't log in as ann with {SECRET} or {json.dumps(SECRET)} or tok-4711"
    number = run["run_id"]
    scene.progress(number, message=told)
    scene.call(
        "log_run", number, json.dumps([{"message": told}, {"level": "error", "message": told}])
    )
    scene.call("report_result", number, json.dumps({"url": told, "list": [SECRET]}))
    scene.call("fail_run", number, "transient", told, f"Traceback\n{told}")
    scene.tick(minutes=5)
    run = scene.claim_one(scene.start_task("secretive"))
    assert run["parameters"]["credentials"] == CREDENTIALS, "the next attempt needs them, too"
    result = json.dumps({"url": told})
    scene.call("finish_run", run["run_id"], told, result)
    scene.control("retry", file)
    for role in ("reader", "app", "operator"):
        text = everything_readable(scene, role)
        for secret in (SECRET, json.dumps(SECRET)[1:-1], "tok-4711", "hunter2"):
            assert secret not in text, role
    assert "can't log in as ann with *** or" in everything_readable(scene, "reader")


@pytest.mark.parametrize("kind", ["secret", "environment"])
def test_the_name_of_a_secret_is_shown_but_not_its_value(scene: Scenario, kind: str) -> None:
    register(scene, "secretive", **PUBLISHED)
    said = {}
    for credentials in (
        {kind: "maps/token"},
        {kind: "maps/token", "user": "u"},
        [{kind: "maps/token"}],
    ):
        scene.insert_file(container="secretive", attributes={"credentials": credentials})
        run = scene.claim_one(scene.start_task("secretive"))
        scene.call("fail_run", run["run_id"], "data", "no secret maps/token")
        file = scene.owner.execute(
            "select last_error from locaria.files where id = %s", [run["file_id"]]
        ).fetchone()
        said[json.dumps(credentials)] = file and file["last_error"]
    assert list(said.values()) == ["no secret maps/token", "no secret ***", "no secret ***"]


@pytest.mark.parametrize("role", ["app", "reader", "operator", "loader"])
def test_no_role_reads_the_table(scene: Scenario, role: str) -> None:
    instantiate(scene)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        scene.session(role).execute("select * from locaria.file_credentials")


def test_an_error_about_credentials_does_not_quote_them(shared_scene: Scenario) -> None:
    register(
        shared_scene,
        "secretive",
        parameters={"credentials": {}},
        parameter_schema={
            "properties": {
                "credentials": {
                    "type": "object",
                    "properties": {
                        "password": {
                            "type": "string",
                            "pattern": "^x",
                            "enum": ["x"],
                            "maxLength": 3,
                        },
                        "pin": {"type": "integer", "maximum": 5, "multipleOf": 7, "const": 1},
                    },
                    "anyOf": [{"required": ["nix"]}, {"properties": {"password": {"const": "y"}}}],
                    "additionalProperties": False,
                }
            }
        },
    )
    for credentials in (
        SECRET,
        [SECRET],
        {"password": SECRET},
        {"password": {"a": SECRET}},
        {"pin": 987654},
        {"pin": SECRET, "password": 987654},
        {"other": SECRET},
    ):
        reply = ask(
            shared_scene.app,
            method="instantiate_container",
            name="secretive",
            parameters={"credentials": credentials},
        )
        assert reply["code"] == 422
        for secret in ("hunter2", "987654"):
            assert secret not in json.dumps(reply)


@pytest.mark.parametrize("credentials", ["text", 4711, ["a"], {"a": 1}, True])
def test_credentials_of_any_shape_are_moved(shared_scene: Scenario, credentials: object) -> None:
    file = shared_scene.insert_file(attributes={"path": "a", "credentials": credentials})
    assert shared_scene.file(file)["attributes"] == {"path": "a"}
    kept = one(
        shared_scene.owner,
        "select credentials from locaria.file_credentials where file_id = %s",
        [file],
    )
    assert kept["credentials"] == credentials


def test_credentials_are_replaced_taken_back_and_go_with_their_file(scene: Scenario) -> None:
    def kept() -> list[Any]:
        rows = scene.owner.execute("select credentials from locaria.file_credentials")
        return [row["credentials"] for row in rows]

    def set_to(file: int, attributes: dict[str, Any]) -> None:
        ask(scene.operator, method="update_file", container_id=file, attributes=attributes)

    file = scene.insert_file(attributes={"credentials": {"a": "1234"}})
    set_to(file, {"path": "b"})
    assert kept() == [{"a": "1234"}], "nothing was said of them"
    set_to(file, {"path": "b", "credentials": {"a": "5678"}})
    assert kept() == [{"a": "5678"}]
    set_to(file, {"credentials": None})
    assert kept() == []
    set_to(file, {"credentials": {"a": "1234"}})
    ask(scene.operator, method="delete_file", container_id=file)
    assert kept() == []
    other = scene.insert_file(attributes={"credentials": {"a": "1234"}})
    scene.owner.execute("delete from locaria.files where id = %s", [other])
    assert kept() == []


def test_an_array_as_attributes_is_refused_as_before(scene: Scenario) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        scene.app.execute("insert into locaria.files (attributes) values ('[\"credentials\"]')")


def test_many_files_with_credentials_in_one_statement(scene: Scenario) -> None:
    files = scene.insert_files(500, attributes={"credentials": {"a": "1234"}})
    assert one(scene.owner, "select count(*) as n from locaria.file_credentials")["n"] == 500
    runs = scene.claim(scene.start_task(), 500)
    assert len(runs) == len(files)
    assert {run["parameters"]["credentials"]["a"] for run in runs} == {"1234"}
