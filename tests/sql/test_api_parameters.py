"""What a container publishes, and how the parameters of a request are checked against it."""

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.asking import OPENDATA, ask, register
from tests.sql.scenario import Scenario, one, refused

GOOD = {"data_set": "OpenNames", "category": "names"}


def check(scene: Scenario, published: dict[str, Any], given: Any, **entry: Any) -> dict[str, str]:
    """Return the errors in parameters for a container, by path."""
    register(scene, "checked", parameters=published, **entry)
    reply = ask(scene.app, method="instantiate_container", name="checked", parameters=given)
    if "container_id" in reply:
        return {}
    assert reply["code"] == 422, reply
    return {error["path"]: error["reason"] for error in reply["errors"]}


@pytest.mark.parametrize(
    ("published", "right", "wrong"),
    [
        (["a", "b"], ["a", "b"], ["c", "", None, 1, ["a"], {"a": 1}]),
        ([1, 2], [1, 2], [3, "1"]),
        ("", ["", "x", "ä" * 1000], [None, 1, True, [], {}]),
        ("x", ["", "y"], [None, 1, True, [], {}]),
        ([], [[], ["a", ""]], [[1], ["a", None], "a", {}, None, [["a"]]]),
        ({}, [{}, {"a": [1]}], [[], "a", None, 1]),
        (5, [0, -1.5, 1e300], ["5", None, True, []]),
        (False, [True, False], ["true", 0, None]),
        (None, [None, 1, "a", [], {}], []),
    ],
    ids=str,
)
def test_each_word_of_the_vocabulary(
    shared_scene: Scenario, published: Any, right: list[Any], wrong: list[Any]
) -> None:
    for value in right:
        assert check(shared_scene, {"p": published}, {"p": value}) == {}, value
    for value in wrong:
        found = check(shared_scene, {"p": published}, {"p": value})
        assert {path.partition("[")[0] for path in found} == {"parameters.p"}, value


def test_choices_and_text_without_default_are_required_and_all_errors_come_at_once(
    shared_scene: Scenario,
) -> None:
    published = OPENDATA["parameters"]
    assert isinstance(published, dict)
    assert check(shared_scene, published, GOOD) == {}
    assert check(shared_scene, published, {}) == {
        "parameters.data_set": "is missing",
        "parameters.category": "is missing",
    }
    found = check(shared_scene, published, {"data_set": "OpenNams", "tags": ["a", 1], "tgas": []})
    assert found == {
        "parameters.category": "is missing",
        "parameters.data_set": '"OpenNams" is not one of "OpenNames", "BoundaryLine", "OpenUPRN", "OpenUSRN"',
        "parameters.tags[1]": "must be a text, not 1",
        "parameters.tgas": "is unknown; known are: category, credentials, data_set, postSQL, preSQL, tags",
    }


def test_a_schema_restricts_further(shared_scene: Scenario) -> None:
    schema: dict[str, Any] = {
        "properties": {
            "mode": {"default": "a"},
            "size": {"type": ["integer", "null"], "minimum": 1, "description": "how large"},
            "mail": {"$ref": "#/$defs/mail"},
            "from": {},
            "to": {},
        },
        "required": ["size"],
        "anyOf": [{"required": ["from"]}, {"required": ["to"]}],
        "$defs": {"mail": {"type": "string", "pattern": "^[^@]+@[^@]+$"}},
    }
    published = {"mode": ["a", "b"], "size": 7, "mail": "a@b", "from": None, "to": None}

    def found(**given: Any) -> dict[str, str]:
        return check(shared_scene, published, given, parameter_schema=schema)

    assert found(size=None, to=1) == {}
    assert found(size=3, to=1, mail="x@y", mode="b") == {}
    assert found(to=1) == {"parameters.size": "is missing: how large"}
    assert found(size=0, mail="x", mode="c", nix=1) == {
        "parameters": "parameters.from is missing; or parameters.to is missing",
        "parameters.size": "must be at least 1, not 0",
        "parameters.mail": '"x" does not match the pattern ^[^@]+@[^@]+$',
        "parameters.mode": '"c" is not one of "a", "b"',
        "parameters.nix": "is unknown; known are: from, mail, mode, size, to",
    }
    row = one(shared_scene.owner, "select defaults from locaria.containers where name = 'checked'")
    assert row["defaults"] == {"mode": "a", "size": 7, "mail": "a@b"}
    schema["additionalProperties"] = True
    assert found(size=3, to=1, nix=1) == {}


@pytest.mark.parametrize(
    ("parameters", "schema", "words"),
    [
        ({"p": [["a"]]}, None, "parameters.p"),
        ({"p": [None]}, None, "parameters.p"),
        ({"a b": ""}, None, 'parameters["a b"]'),
        ({"parameters": {}}, None, "another name"),
        ([], None, "must be an object"),
        ({}, {"type": "array"}, "parameter_schema.type"),
        ({}, {"tpye": "object"}, "parameter_schema.tpye is not understood"),
        ({}, {"properties": {"a": {"type": "text"}}}, "parameter_schema.properties.a.type"),
        ({}, {"properties": {"a": 5}}, "parameter_schema.properties.a must be a schema"),
        ({}, {"required": "a"}, "parameter_schema.required"),
        ({}, {"properties": {"a": {"pattern": "["}}}, "regular expression"),
        ({}, {"properties": {"a": {"$ref": "#/$defs/nix"}}}, "$ref"),
        ({}, {"properties": {"a": {"$ref": "https://example.org"}}}, "$ref"),
        ({}, {"anyOf": []}, "anyOf"),
        ({}, {"properties": {"a": {"minimum": "1"}}}, "minimum"),
        ({}, {"properties": {"a": {"multipleOf": 0}}}, "multipleOf"),
        ({}, {"properties": {"a": {"maxLength": -1}}}, "maxLength"),
        ({}, {"patternProperties": {}}, "patternProperties"),
        ({"p": "x"}, {"properties": {"p": {"type": "string", "maxLength": 0}}}, "the default"),
        ({"p": ["a"]}, {"properties": {"p": {"default": "b"}}}, "the default"),
    ],
    ids=str,
)
def test_an_invalid_schema_is_refused_at_registration(
    shared_scene: Scenario, parameters: Any, schema: Any, words: str
) -> None:
    entry = json.dumps({"parameters": parameters, "parameter_schema": schema})
    with refused("LC007", words):
        shared_scene.owner.execute("select locaria.register_container('bad', %s::jsonb)", [entry])
    with refused("LC007", words):
        shared_scene.owner.execute(
            "insert into locaria.containers (name, parameters, parameter_schema) values ('bad', %s, %s)",
            [json.dumps(parameters), None if schema is None else json.dumps(schema)],
        )


def test_checking_a_schema_that_refers_to_itself_terminates(shared_scene: Scenario) -> None:
    loop = {"$defs": {"a": {"$ref": "#/$defs/a"}}, "properties": {"p": {"$ref": "#/$defs/a"}}}
    found = check(shared_scene, {"p": None}, {"p": 1}, parameter_schema=loop)
    assert found == {"parameters.p": "is nested too deeply"}
    tree = {
        "$defs": {"t": {"type": "object", "additionalProperties": {"$ref": "#/$defs/t"}}},
        "properties": {"p": {"$ref": "#/$defs/t"}},
    }
    assert check(shared_scene, {"p": None}, {"p": {"a": {"b": {}}}}, parameter_schema=tree) == {}
    found = check(shared_scene, {"p": None}, {"p": {"a": {"b": 1}}}, parameter_schema=tree)
    assert found == {"parameters.p.a.b": "must be an object, not 1"}


def test_thousands_of_wrong_items_give_about_a_hundred_errors(shared_scene: Scenario) -> None:
    given = {"p": list(range(20_000))}
    assert len(check(shared_scene, {"p": []}, given)) == 100


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -1.5, 1e20]),
    st.text("ab1 é", max_size=3),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
TYPES = ["string", "integer", "number", "boolean", "array", "object", "null"]
small = st.integers(0, 3)


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(st.sampled_from(TYPES), st.lists(st.sampled_from(TYPES), min_size=1)),
            "enum": st.lists(values, min_size=1, max_size=3),
            "const": values,
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
            "required": st.lists(st.sampled_from("abc"), max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "items": inner,
            "allOf": several,
            "anyOf": several,
            "oneOf": several,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "minimum": st.integers(-2, 2),
            "exclusiveMaximum": st.sampled_from([0, 1.5, 2]),
            "multipleOf": st.sampled_from([1, 0.5, 2]),
            "minLength": small,
            "maxLength": small,
            "pattern": st.sampled_from(["^a", "b$", "[0-9]", "^$"]),
            "minItems": small,
            "maxItems": small,
            "uniqueItems": st.booleans(),
            "minProperties": small,
            "maxProperties": small,
        },
    )


schemas: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.booleans(), st.just({})), _schemas, max_leaves=6
)


@given(value=values, schema=schemas)
@settings(
    max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_the_checker_agrees_with_the_reference_implementation(
    shared_scene: Scenario, value: Any, schema: Any
) -> None:
    row = one(
        shared_scene.owner,
        "select locaria.check_json(%s::jsonb, %s::jsonb) as found, locaria.check_schema(%s::jsonb) as wrong",
        [json.dumps(value), json.dumps(schema), json.dumps(schema)],
    )
    assert row["wrong"] == []
    valid = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (row["found"] == []) is valid, row["found"]
    for error in row["found"]:
        assert set(error) == {"path", "reason"}
        assert error["reason"]


@pytest.mark.parametrize("number", [0, 1, -1, 1.0, 1.5, 1e18, 1e300, -0.0])
def test_whole_numbers_are_distinguished_from_others(shared_scene: Scenario, number: float) -> None:
    row = one(
        shared_scene.owner,
        "select locaria.check_json(%s::jsonb, '{\"type\": \"integer\"}') = '[]' as whole",
        [json.dumps(number)],
    )
    assert row["whole"] is (math.modf(number)[0] == 0)


def test_add_file_checks_what_the_container_publishes(shared_scene: Scenario) -> None:
    register(shared_scene, "checked", parameters={"mode": ["a", "b"], "table": "x"})
    register(shared_scene, "unchecked")
    shared_scene.owner.execute(
        "update locaria.containers set parameters = '{}' where name = 'unchecked'"
    )

    def add(attributes: Any, container: str = "checked") -> Any:
        reply = ask(shared_scene.app, method="add_file", container=container, attributes=attributes)
        return reply.get("code"), reply.get("errors")

    assert add({"mode": "c"}) == (
        422,
        [{"path": "attributes.mode", "reason": '"c" is not one of "a", "b"'}],
    )
    assert add({"order": 17, "parameters": {"table": 1, "mode": "a"}}) == (
        422,
        [{"path": "attributes.parameters.table", "reason": "must be a text, not 1"}],
    )
    assert add({"mode": "a", "tabel": "x"})[0] == 422
    for fine in (
        {"mode": "a", "reject_limit": 5},
        {"order": 17, "parameters": {"mode": "b"}},
    ):
        assert add(fine)[1] is None
    assert add({"what": "ever"}, container="unchecked")[1] is None
    assert (
        one(
            shared_scene.owner, "select count(*) as n from locaria.files where attributes ? 'tabel'"
        )["n"]
        == 0
    )


def test_a_command_for_a_listener_is_for_the_listener_to_check(shared_scene: Scenario) -> None:
    register(shared_scene, "listening", type="listener", port=1, parameters={"table": ""})
    for attributes, fits in (({"command": "find", "name": "x"}, True), ({"name": "x"}, False)):
        reply = ask(
            shared_scene.app, method="add_file", container="listening", attributes=attributes
        )
        assert ("container_id" in reply) == fits


def test_new_attributes_are_checked_and_the_old_ones_stay(shared_scene: Scenario) -> None:
    register(shared_scene, "checked", parameters={"mode": ["a", "b"]})
    file = shared_scene.insert_file(container="checked", attributes={"mode": "a"})
    request = {"method": "update_file", "container_id": file, "attributes": {"mode": "c"}}
    reply = ask(shared_scene.operator, request)
    assert (reply["code"], reply["errors"][0]["path"]) == (422, "attributes.mode")
    assert shared_scene.file(file)["attributes"] == {"mode": "a"}


def test_an_insert_with_invalid_attributes_is_kept_and_explained(shared_scene: Scenario) -> None:
    register(shared_scene, "checked", parameters={"mode": ["a", "b"]})
    file = shared_scene.insert_file(container="checked", attributes={"mode": "c"})
    told = shared_scene.app.execute("select locaria.explain(%s) as line", [file]).fetchall()
    assert (
        'What it asks for is not what checked publishes: attributes.mode "c" is not one of "a", "b".'
        in [row["line"] for row in told]
    )
    fine = shared_scene.insert_file(container="checked", attributes={"mode": "a"})
    told = shared_scene.app.execute("select locaria.explain(%s) as line", [fine]).fetchall()
    assert not [row for row in told if "What it asks for" in row["line"]]
    asking = "select locaria.check_attributes('checked', '{\"mode\": \"c\"}') as errors"
    assert one(shared_scene.app, asking)["errors"][0]["path"] == "attributes.mode"
    with refused("LC004", "nobody"):
        shared_scene.app.execute("select locaria.check_attributes('nobody', '{}')")
