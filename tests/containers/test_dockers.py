"""dockers.json and the folders that it lists."""

import ast
import json
import re
import sys
from pathlib import Path
from string import Template

import jsonschema
import pytest

from locaria.cli.containers import templates as container_templates
from tests.conftest import Database
from tests.containers.conftest import DOCKERS, ROOT

SCHEMA = json.loads((ROOT / "containers" / "dockers.schema.json").read_text(encoding="utf-8"))


def test_dockers_json_follows_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(DOCKERS, SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "daemon"},
        {"type": "listener"},
        {"limits": {"max_tasks": 0}},
        {"limits": {"tasks": 1}},
        {"entry_point": []},
        {"cpu": 300},
        {"surprise": 1},
    ],
    ids=str,
)
def test_the_schema_refuses(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"file_loader": {**DOCKERS["file_loader"], **change}}, SCHEMA)


@pytest.mark.parametrize("name", DOCKERS)
def test_every_container_has_its_entry_point_and_a_safe_dockerfile(name: str) -> None:
    folder = ROOT / "containers" / name
    entry_point = DOCKERS[name]["entry_point"]
    assert (folder / entry_point[-1]).is_file()
    dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG BASE=\S+:\d+\.\d+\.\d+\S*$", dockerfile, re.MULTILINE), "pinned"
    assert re.search(r"^USER [1-9]\d*$", dockerfile, re.MULTILINE), "not root"
    assert f"ENTRYPOINT {json.dumps(entry_point)}" in dockerfile, "exec form: signals arrive"
    probe = 'HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["healthcheck"]'
    listens = DOCKERS[name]["type"] == "listener"
    assert (probe in dockerfile) == listens, "a listener says that it listens"
    if listens:
        assert f"\nENV LOCARIA_PORT={DOCKERS[name]['port']}\n" in dockerfile


def test_dockerfiles_share_their_heads() -> None:
    """What all images have in common is one text, but for the container's name and packages."""
    heads = set()
    for name in DOCKERS:
        text = (ROOT / "containers" / name / "Dockerfile").read_text(encoding="utf-8")
        head, _, rest = text.partition("WORKDIR /app\n")
        assert rest, name
        head = re.sub(r"RUN apt-get .*?\n(?=RUN useradd)", "", head, flags=re.DOTALL)
        head = head.replace(f"COPY containers/{name}/requirements.txt /build/\n", "")
        heads.add(head.replace(" -r /build/requirements.txt", "").replace(name, "NAME"))
    assert len(heads) == 1
    [head] = heads
    template = Template(container_templates.DOCKERFILE).safe_substitute(name="NAME", programs="")
    assert template.startswith(head), "a new container begins with it, too"
    versions = re.findall(r"^ARG \w+=.*$", head, re.MULTILINE)
    agents = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^ARG \w+=.*$", agents, re.MULTILINE) == versions


def imported(files: list[Path]) -> set[str]:
    """The packages that these files import, as a registry names them."""
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module)
    tops = {name.partition(".")[0] for name in found}
    return {name.replace("_", "-") for name in tops - sys.stdlib_module_names}


@pytest.mark.parametrize("name", DOCKERS)
def test_an_image_installs_and_copies_what_its_code_imports(name: str) -> None:
    folder = ROOT / "containers" / name
    modules = DOCKERS[name].get("modules", [])
    shared = ROOT / "containers" / "modules"
    own = [file for file in folder.glob("*.py") if not file.name.startswith("test_")]
    files = [*own, *(shared / f"{module}.py" for module in modules)]
    files = [file for file in files if file.is_file()]
    files += [file for module in modules for file in (shared / module).glob("*.py")]
    dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
    for module in modules:
        copied = rf"containers/modules/(\*\.py|{module}(\.py)?)\s"
        assert re.search(copied, dockerfile), f"the Dockerfile copies {module}"
    here = {file.stem for file in own} | set(modules) | {"locaria_reporter", "psycopg"}
    requirements = folder / "requirements.txt"
    wanted = imported(files) - {each.replace("_", "-") for each in here}
    lines = requirements.read_text(encoding="utf-8").split() if requirements.is_file() else []
    listed = {re.split(r"[<>=\[]", line)[0] for line in lines}
    assert wanted - {"botocore"} <= listed


def test_the_database_takes_every_entry(db: Database) -> None:
    owner = db.connect()
    for name, entry in DOCKERS.items():
        row = owner.execute(
            "select (locaria.register_container(%s, %s::jsonb)).*", [name, json.dumps(entry)]
        ).fetchone()
        assert row is not None
        assert row["max_tasks"] == entry["limits"]["max_tasks"]
        assert row["parameters"] == entry["parameters"]
