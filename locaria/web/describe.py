"""Generate openapi.json and asyncapi.json from the database's list of methods (`make describe`)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from locaria.install import install
from locaria.local.aws.standin import install_standin
from locaria.local.postgres.server import PostgresServer
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
    "description": "Run containers that load data, and follow their progress.",
}
AFTER_LOG = {
    "type": "integer",
    "minimum": 0,
    "description": "The id of the last log message that the client has; only later ones are sent.",
}


def openapi(methods: Sequence[Method]) -> dict[str, Any]:
    """Return the description of the HTTP API, OpenAPI 3.1."""
    served = [each for each in methods if each[0] not in ONLY_SOCKET]
    schemas = REPLIES | {f"{each[0]}_request": request_schema(each) for each in served}
    replies = sorted({REPLY_OF[each[0]] for each in served})
    asked = {"oneOf": [_ref(f"{each[0]}_request") for each in served]}
    problem = _answer("An error; the HTTP status equals its code.", _ref("error"))
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "security": [{}, {"bearer": []}],
        "paths": {
            "/api": {
                "post": {
                    "summary": "Send one request; the same JSON as over the WebSocket",
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
                    "summary": "Get a ticket to open one WebSocket from a browser: /ws?ticket=…",
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    "responses": {
                        "200": _answer(
                            "A ticket, valid once and for `expires_in` seconds.", _ref("ticket")
                        ),
                        "default": problem,
                    },
                }
            },
            "/healthz": _get("200 if the database answers and tick() runs, else 503", "health"),
            "/live": _get("200 while the server runs", "health"),
            "/metrics": {
                "get": {
                    "summary": "Metrics in the text format of Prometheus",
                    "responses": {
                        "200": {
                            "description": "Metrics, text format 0.0.4.",
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
    """Return the description of the WebSocket API, AsyncAPI 3.0."""
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
            "description": f"Requires the role {each[1]}.",
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
        | {"description": f"{INFO['description']} The message limit is {MAX_MESSAGE:,} bytes."},
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
                "summary": "Events of the files that the client has subscribed to.",
                "channel": {"$ref": "#/channels/socket"},
                "messages": [_message(name) for name in events],
            }
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def request_schema(method: Method) -> dict[str, Any]:
    """Return the JSON Schema of a whole request, with its internal references resolved."""
    name, role, description, request = method
    given = _inlined(request, request.get("$defs", {}))
    properties = {"method": {"const": name}, **given["properties"], "request_id": True}
    if name == "subscribe":
        properties["after_log"] = AFTER_LOG
    return {
        "description": f"{description} Requires the role {role}.",
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
    """Read the methods of `locaria.api` from a database."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(METHODS).fetchall()
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def as_text(description: dict[str, Any]) -> str:
    """Return a description as text, as the files contain it."""
    return json.dumps(description, indent=1, ensure_ascii=False) + "\n"


@contextmanager
def fresh_database() -> Iterator[str]:
    """Start a temporary embedded Postgres with Locaria installed, and yield its DSN."""
    with (
        tempfile.TemporaryDirectory(prefix="locaria-describe-") as folder,
        PostgresServer(Path(folder) / "postgres", durable=False) as server,
    ):
        Path(folder).chmod(0o755)  # as root, the server runs as another user
        install_standin(server.dsn)
        install(server.dsn)
        yield server.dsn


def main() -> None:
    """Rewrite both files."""
    with fresh_database() as dsn:
        methods = read_methods(dsn)
    OPENAPI.write_text(as_text(openapi(methods)))
    ASYNCAPI.write_text(as_text(asyncapi(methods)))


if __name__ == "__main__":
    main()
