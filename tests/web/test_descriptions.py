"""The machine-readable descriptions say what the server does."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from locaria.web import describe
from tests.conftest import Connection, Database
from tests.web.conftest import CONTAINER, Client, Task, Web, insert

DOCUMENT = Path(__file__).parents[2] / "docs" / "websocket_api.md"
# Those of the transport; those of the methods are run by tests/sql/test_api_document.py.
TRANSPORT = DOCUMENT.read_text().partition("\n## The methods\n")[0]
EXAMPLES = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", TRANSPORT, re.S)]


def valid(schema: str, value: Any, kind: str = "asyncapi") -> Any:
    """A value that has this shape of a description."""
    described = json.loads((describe.HERE / f"{kind}.json").read_text())
    whole = {"$ref": f"#/components/schemas/{schema}", "components": described["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)
    return value


def test_the_committed_descriptions_equal_the_generated_ones(site: Database) -> None:
    methods = describe.read_methods(site.dsn)
    how = "the file is out of date: run make describe"
    assert describe.OPENAPI.read_text() == describe.as_text(describe.openapi(methods)), how
    assert describe.ASYNCAPI.read_text() == describe.as_text(describe.asyncapi(methods)), how


@pytest.mark.parametrize("kind", ["openapi", "asyncapi"])
def test_they_are_served_and_all_references_and_schemas_are_good(web: Web, kind: str) -> None:
    served = httpx.get(f"{web.http}/{kind}.json").json()
    assert served == json.loads((describe.HERE / f"{kind}.json").read_text())
    for schema in served["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(served)):
        found = served
        for part in reference.split("/"):
            found = found[part]


@pytest.fixture
def client(web: Web) -> Iterator[Client]:
    with web.connect() as client:
        yield client


def ask(client: Client, method: str, **more: Any) -> Any:
    """Send a request of the described form; its reply, of the described form."""
    request = valid(f"{method}_request", {"method": method, **more})
    return valid(describe.REPLY_OF[method], client.ask(request))


def test_every_method_takes_and_gives_what_is_described(
    client: Client, app: Connection, task: Task
) -> None:
    asked = set()

    def call(method: str, **more: Any) -> Any:
        asked.add(method)
        return ask(client, method, **more)

    call("get_containers")
    call("get_containers", request_id="x")
    made = call("instantiate_container", name=CONTAINER, parameters={}, debug=True)
    file = made["container_id"]
    call("get_container_status", container_id=file)
    task.log(task.run(file), "half way")
    task.progress(task.run(file), percent=20, stage="load")
    running = call("get_container_status", container_id=file)
    assert running["attributes"]["progress"] == "20%"
    task.finish(task.run(file))
    assert call("get_container_status", container_id=file)["code"] == 301
    assert call("get_files", limit=2)["files"]
    assert call("get_file", container_id=file)["log_messages"]
    other = call("add_file", container=CONTAINER, attributes={"a": 1})["container_id"]
    call("update_file", container_id=other, priority=7)
    call("cancel_file", container_id=other, reason="no")
    call("retry_file", container_id=other)
    call("delete_file", container_id=other)
    call("get_parameters")
    call("set_parameters", parameter_name="of_a_test", parameter={"a": 1})
    call("get_overview")
    call("subscribe", container_id=file, request_id=1)
    valid("container_status_event", client.receive())
    call("unsubscribe")
    valid("error", client.ask({"method": "get_file", "container_id": 10**15}))
    assert asked == set(describe.REPLY_OF)


def test_every_example_of_the_document_is_answered(
    client: Client, app: Connection, site: Database
) -> None:
    assert EXAMPLES
    [file] = insert(app)
    for example in EXAMPLES:
        if "method" not in example:
            continue
        valid(f"{example['method']}_request", example)
        if "container_id" in example:
            example = example | {"container_id": file}  # noqa: PLW2901 - a number that is there
        client.send(example)
        reply = client.until(lambda message: "event" not in message)[-1]
        assert reply.get("code", 300) < 400, (example, reply)


def test_http_errors_and_tickets_are_as_described(web: Web) -> None:
    answer = httpx.post(f"{web.http}/api", json={"method": "no_such_method"})
    assert answer.status_code == valid("error", answer.json(), "openapi")["code"] == 400
    valid("ticket", httpx.post(f"{web.http}/ticket", json={}).json(), "openapi")
    valid("health", httpx.get(f"{web.http}/healthz").json(), "openapi")
    assert httpx.post(f"{web.http}/api", json={"method": "subscribe"}).status_code == 501


def test_the_client_of_the_document_follows_a_file_to_its_end(
    site: Database, web: Web, app: Connection, task: Task
) -> None:
    (client,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert "ws://127.0.0.1:8787/ws" in client
    site.connect().execute(
        "update locaria.containers set parameters = %s where name = %s",
        ['{"path": "", "table": ""}', CONTAINER],
    )
    program = subprocess.Popen(
        [sys.executable, "-c", client.replace("ws://127.0.0.1:8787/ws", web.ws)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert program.stdout is not None
    try:
        assert program.stdout.readline().startswith("300 ")  # the first state, from then on all
        file = app.execute("select max(id) as id from locaria.files").fetchone()
        assert file is not None
        task.finish(task.run(file["id"]))
        told, _ = program.communicate(timeout=30)
        assert program.returncode == 0 and told.splitlines()[-1].startswith("301 "), told
    finally:
        program.kill()
