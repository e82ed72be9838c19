"""The examples of docs/websocket_api.md: each request is sent unchanged, and its reply is compared."""

import json
import re
from pathlib import Path
from typing import Any

from tests.sql.asking import OPENDATA, ask, register
from tests.sql.scenario import Scenario

DOCUMENT = Path(__file__).parents[2] / "docs" / "websocket_api.md"
BLOCK = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[Any, Any]]:
    """Return the requests and replies of the section about methods, in order."""
    part = DOCUMENT.read_text(encoding="utf-8").partition("\n## The methods\n")[2]
    blocks = [json.loads(text) for text in BLOCK.findall(part)]
    assert len(blocks) % 2 == 0
    return list(zip(blocks[::2], blocks[1::2], strict=True))


def kind(value: Any) -> str:
    return (
        "number"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else type(value).__name__
    )


def compare(reply: Any, example: Any, where: str) -> None:
    """Check that keys and types are equal; "…" in the example allows more."""
    assert kind(reply) == kind(example), f"{where}: {reply!r}, the document says {example!r}"
    if isinstance(example, dict):
        more = example.get("…") is not None
        missing = {key for key in example if key != "…"} - reply.keys()
        assert not missing, f"{where} lacks {missing}"
        assert more or reply.keys() == example.keys(), f"{where}: {reply.keys() ^ example.keys()}"
        for key in reply.keys() & example.keys():
            compare(reply[key], example[key], f"{where}.{key}")
    elif isinstance(example, list) and example:
        assert reply, f"{where} is empty"
        compare(reply[0], example[0], f"{where}[0]")


def test_every_example_of_the_methods_is_true(scene: Scenario) -> None:
    scene.owner.execute("update locaria.statuses set container = null")
    scene.owner.execute("delete from locaria.containers")
    scene.owner.execute("alter sequence locaria.files_id_seq restart 12345")
    entry: dict[str, Any] = {**OPENDATA, "type": "loader", "port": None}
    register(scene, **entry)
    scene.at()
    asked = []
    for request, example in examples():
        reply = ask(scene.operator, request)
        compare(reply, example, f"{request['method']}: reply")
        if "code" in example:
            assert reply["code"] == example["code"], reply
        asked.append(request["method"])
        if request["method"] == "instantiate_container" and "container_id" in reply:
            assert reply["container_id"] == 12345
            run = scene.claim_one(scene.start_task("load_os_opendata"))["run_id"]
            scene.at(seconds=2)
            scene.progress(
                run, stage="copy", rows_done=20, rows_total=100, percent=20, message="copying"
            )
            messages = [{"message": "2 files found"}]
            scene.call("log_run", run, json.dumps(messages))
    rows = scene.owner.execute(
        "select method from locaria.api_methods where method not like '%subscribe'"
    )
    assert set(asked) == {row["method"] for row in rows}
