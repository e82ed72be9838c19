"""Requests to the API, shared by its tests."""

import json
from typing import Any

from tests.conftest import Connection
from tests.sql.scenario import Scenario, one

OPENDATA = {
    "description": "Load Ordnance Survey Open Data",
    "type": "listener",
    "port": 1234,
    "parameters": {
        "data_set": ["OpenNames", "BoundaryLine", "OpenUPRN", "OpenUSRN"],
        "category": "",
        "tags": [],
        "preSQL": "pre_load.sql",
        "postSQL": "post_load.sql",
        "credentials": {},
    },
}
"""The container of the source document's example."""


def ask(connection: Connection, request: Any = None, /, **fields: Any) -> Any:
    """Return the reply to a request, given whole or by its fields."""
    text = json.dumps(fields if request is None else request)
    return one(connection, "select locaria.api(%s::jsonb) as reply", [text])["reply"]


def ask_as(connection: Connection, identity: Any, **fields: Any) -> Any:
    """Return the reply to a request that a transport forwards for a subject."""
    row = one(
        connection,
        "select locaria.api(%s::jsonb, %s::jsonb) as reply",
        [json.dumps(fields), json.dumps(identity)],
    )
    return row["reply"]


def register(scene: Scenario, name: str = "load_os_opendata", **entry: Any) -> None:
    """Register a container, by default that of the source document."""
    scene.owner.execute(
        "select locaria.register_container(%s, %s::jsonb)", [name, json.dumps(entry or OPENDATA)]
    )


def shape(value: Any) -> Any:
    """Return the keys and types of a JSON value, to compare the structure of replies."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else type(value).__name__
