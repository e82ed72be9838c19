"""What can be wrong with dockers.json, and how it is said before anything is built."""

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locaria.deploy.containers import DockersError, load_containers
from locaria.deploy.database import containers_digest
from locaria.deploy.functions import list_functions
from locaria.deploy.template import build_template

Dockers = dict[str, dict[str, Any]]
GOOD: Dockers = {
    "one": {
        "description": "Loads one thing",
        "type": "loader",
        "entry_point": ["python", "one.py"],
        "cpu": 256,
        "memory": 512,
        "modules": ["shared"],
        "secrets": ["API_KEY"],
    }
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Dockers], Path]:
    """Writes a dockers.json beside the folder of container `one` and the module `shared`."""
    (tmp_path / "one").mkdir()
    (tmp_path / "modules" / "shared").mkdir(parents=True)
    (tmp_path / "one" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "one" / "one.py").write_text("")

    def write(dockers: Dockers) -> Path:
        path = tmp_path / "dockers.json"
        path.write_text(json.dumps(dockers))
        return path

    return write


def test_the_repository_s_own_list_is_good() -> None:
    names = [container.name for container in load_containers()]
    assert "file_loader" in names
    assert names == sorted(names)


def test_every_task_gets_the_database(write: Callable[[Dockers], Path]) -> None:
    [container] = load_containers(write(GOOD))
    assert container.secrets == ("API_KEY", "LOCARIA_DSN")
    assert container.stop_timeout == 120, "the most that Fargate allows"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cpu": 256, "memory": 4096}, "Fargate has no 4096 MiB with 256 CPU units: 512 to 2048"),
        ({"cpu": 300}, "300 is not one of"),
        ({"modules": ["absent"]}, "there is no"),
        ({"entry_point": ["python", "two.py"]}, "two.py is missing"),
        ({"type": "listener"}, "'port' is a required property"),
        ({"surprise": 1}, "'surprise' was unexpected"),
        ({"secrets": ["lower"]}, "'lower' does not match"),
        ({"stop_timeout": 121}, "greater than the maximum of 120"),
        ({"object_store": "everything"}, "is not one of ['read', 'write']"),
        ({"secrets": ["PGAPPNAME"]}, "one.secrets: every task has PGAPPNAME already"),
        ({"secrets": ["A_1", "A1"]}, "one.secrets: A1 and A_1 are too much alike"),
        ({"limits": {"max_tasks": 0}}, "one.limits.max_tasks: 0 is less than the minimum of 1"),
    ],
    ids=str,
)
def test_a_bad_entry_is_refused_by_name(
    write: Callable[[Dockers], Path], change: dict[str, Any], said: str
) -> None:
    dockers = copy.deepcopy(GOOD)
    dockers["one"] |= change
    with pytest.raises(DockersError, match="one") as caught:
        load_containers(write(dockers))
    assert said in str(caught.value)


def test_an_entry_without_a_dockerfile_and_a_dockerfile_without_an_entry(
    write: Callable[[Dockers], Path],
) -> None:
    path = write({**GOOD, "two": GOOD["one"] | {"modules": []}})
    (path.parent / "forgotten").mkdir()
    (path.parent / "forgotten" / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(DockersError) as caught:
        load_containers(path)
    assert f"two: there is no folder {path.parent / 'two'}" in str(caught.value)
    assert "forgotten: has a Dockerfile, but no entry" in str(caught.value)


def test_what_is_no_json_is_told_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "dockers.json"
    path.write_text("{")
    with pytest.raises(DockersError, match="not JSON"):
        load_containers(path)


@pytest.mark.parametrize("name", ["One", "1st", "one_", "one__two", "a-b", "x" * 42])
def test_a_name_that_ecr_does_not_take_is_refused(
    write: Callable[[Dockers], Path], name: str
) -> None:
    with pytest.raises(DockersError, match=f"  {name}: "):
        load_containers(write({**GOOD, name: GOOD["one"]}))


@pytest.mark.parametrize("name", ["ecs_run", "ecs_run_task", "task_events", "websocket_api"])
def test_a_name_that_the_template_uses_itself_is_refused(
    write: Callable[[Dockers], Path], name: str
) -> None:
    with pytest.raises(DockersError, match=f"{name}: in CloudFormation that is the deployment's"):
        load_containers(write({name: GOOD["one"]}))


def test_names_that_are_one_in_cloudformation_are_refused(write: Callable[[Dockers], Path]) -> None:
    path = write({"two_1": GOOD["one"], "two1": GOOD["one"]})
    with pytest.raises(DockersError, match="two_1: in CloudFormation that is the same as two1"):
        load_containers(path)


def test_every_other_name_has_its_place_in_the_template() -> None:
    """Names that are near to those of the template's own parts."""
    [pattern, *_] = load_containers()
    words = ["files", "tick", "key", "events", "database", "cluster", "websocket", "arm", "image"]
    containers = [
        dataclasses.replace(pattern, name=name, secrets=("EVENTS", "WEB", "LOCARIA_DSN"))
        for name in words
    ]
    template = build_template(containers, list_functions()).to_dict()
    definitions = [
        r for r in template["Resources"].values() if r["Type"].endswith("TaskDefinition")
    ]
    assert len(definitions) == len(words)
    assert {"SecretEvents", "LoginEvents"} <= template["Parameters"].keys()


def test_a_container_that_stands_there_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "dockers.json"
    path.write_text('{"one": {}, "one": {}}')
    with pytest.raises(DockersError, match="one stands there twice"):
        load_containers(path)


def test_a_changed_script_is_registered_again_by_the_next_deployment(
    write: Callable[[Dockers], Path],
) -> None:
    path = write(GOOD)
    before = containers_digest(path)
    (path.parent / "one" / "scripts").mkdir()
    (path.parent / "one" / "scripts" / "after.sql").write_text("select 1")
    between = containers_digest(path)
    (path.parent / "one" / "scripts" / "after.sql").write_text("select 2")
    assert len({before, between, containers_digest(path)}) == 3
