"""The machine-readable descriptions, made from the database's list of methods.

LOCARIA_DSN=… python -m locaria.web.describe      # writes openapi.json and asyncapi.json here
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from locaria.web.messages import MAX_MESSAGE

HERE = Path(__file__).parent
OPENAPI, ASYNCAPI = HERE / "openapi.json", HERE / "asyncapi.json"
REPLIES: dict[str, Any] = json.loads((HERE / "replies.json").read_text())
METHODS = "select method, least_role, description, request from locaria.api_methods order by method"
Method = tuple[str, str, str, dict[str, Any]]

REPLY_OF = {
    "get_containers": "containers",
    "instantiate_container": "instantiated",
    "get_container_status": "container_status",
    "get_files": "files",
    "get_file": "file_details",
    "add_file": "file_reply",
    "update_file": "file_reply",
    "delete_file": "file_reply",
    "cancel_file": "file_reply",
    "retry_file": "file_reply",
    "get_parameters": "parameters",
    "set_parameters": "parameters",
    "get_overview": "overview",
    "subscribe": "subscribed",
    "unsubscribe": "unsubscribed",
}
ONLY_SOCKET = ("subscribe", "unsubscribe")
INFO = {
    "title": "Locaria",
    "version": "1",
    "description": "Runs containers that load data, and tells what becomes of them.",
}
AFTER_LOG = {
    "type": "integer",
    "minimum": 0,
    "description": "the id of the last log message that is known: the log goes on after it",
}


def openapi(methods: Sequence[Method]) -> dict[str, Any]:
    """The description of HTTP, OpenAPI 3.1."""
    served = [each for each in methods if each[0] not in ONLY_SOCKET]
    schemas = REPLIES | {f"{each[0]}_request": request_schema(each) for each in served}
    replies = sorted({REPLY_OF[each[0]] for each in served})
    asked = {"oneOf": [_ref(f"{each[0]}_request") for each in served]}
    problem = _answer("An error, the status is its code.", _ref("error"))
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "security": [{}, {"bearer": []}],
        "paths": {
            "/api": {
                "post": {
                    "summary": "One request, one reply; the same JSON as over the WebSocket",
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": asked}},
                    },
                    "responses": {
                        "200": _answer(
                            "The reply of the method.", {"anyOf": [_ref(each) for each in replies]}
                        ),
                        "default": problem,
                    },
                }
            },
            "/ticket": {
                "post": {
                    "summary": "A ticket with which a browser opens one WebSocket: /ws?ticket=…",
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    "responses": {
                        "200": _answer("Valid once, for seconds.", _ref("ticket")),
                        "default": problem,
                    },
                }
            },
            "/healthz": _get("200 when the database answers and tick() runs, else 503", "health"),
            "/live": _get("200 when the server itself answers", "health"),
            "/metrics": {
                "get": {
                    "summary": "Numbers in the text format of Prometheus",
                    "responses": {
                        "200": {
                            "description": "0.0.4",
                            "content": {"text/plain": {"schema": {"type": "string"}}},
                        }
                    },
                }
            },
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    }


def asyncapi(methods: Sequence[Method]) -> dict[str, Any]:
    """The description of the WebSocket, AsyncAPI 3.0."""
    schemas = REPLIES | {f"{each[0]}_request": request_schema(each) for each in methods}
    replies = sorted({*REPLY_OF.values(), "error"})
    events = ["container_status_event", "resync_event"]
    requests = [f"{each[0]}_request" for each in methods]
    messages = {
        name: {"contentType": "application/json", "payload": _ref(name)}
        for name in (*requests, *replies, *events)
    }
    operations = {
        each[0]: {
            "action": "receive",
            "summary": each[2],
            "description": f"Takes the role {each[1]}.",
            "channel": {"$ref": "#/channels/socket"},
            "messages": [_message(f"{each[0]}_request")],
            "reply": {
                "channel": {"$ref": "#/channels/socket"},
                "messages": [_message(REPLY_OF[each[0]]), _message("error")],
            },
        }
        for each in methods
    }
    return {
        "asyncapi": "3.0.0",
        "info": INFO
        | {"description": f"{INFO['description']} A message has {MAX_MESSAGE:,} bytes at most."},
        "servers": {"local": {"host": "127.0.0.1:8787", "protocol": "ws", "pathname": "/ws"}},
        "channels": {
            "socket": {
                "address": "/",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": operations
        | {
            "push": {
                "action": "send",
                "summary": "What subscribe asked for, as it happens.",
                "channel": {"$ref": "#/channels/socket"},
                "messages": [_message(name) for name in events],
            }
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def request_schema(method: Method) -> dict[str, Any]:
    """The JSON Schema of a whole request, without references into itself."""
    name, role, description, request = method
    given = _inlined(request, request.get("$defs", {}))
    properties = {"method": {"const": name}, **given["properties"], "request_id": True}
    if name == "subscribe":
        properties["after_log"] = AFTER_LOG
    return {
        "description": f"{description} Takes the role {role}.",
        "type": "object",
        "additionalProperties": False,
        "required": ["method", *given["required"]],
        "properties": properties,
    }


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(each, definitions) for name, each in schema.items() if name != "$defs"}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _message(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/socket/messages/{name}"}


def _answer(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _get(summary: str, schema: str) -> dict[str, Any]:
    return {
        "get": {"summary": summary, "responses": {"default": _answer(summary, _ref(schema))}},
    }


def read_methods(dsn: str) -> list[Method]:
    """The methods of `locaria.api`, as the database lists them."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(METHODS).fetchall()
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def as_text(description: dict[str, Any]) -> str:
    """As the files hold it."""
    return json.dumps(description, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write both files anew."""
    methods = read_methods(os.environ["LOCARIA_DSN"])
    OPENAPI.write_text(as_text(openapi(methods)))
    ASYNCAPI.write_text(as_text(asyncapi(methods)))


if __name__ == "__main__":
    main()
