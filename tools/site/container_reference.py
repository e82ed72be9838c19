"""The reference page of the containers and their parameters, from containers/dockers.json."""

from __future__ import annotations

import json
from typing import Any

from locaria.install import read_dockers


def render() -> str:
    """Return the page in Markdown."""
    sections = [_container(name, entry) for name, entry in read_dockers().items()]
    return "# Containers and their parameters\n\n" + "\n".join(sections)


def _container(name: str, entry: dict[str, Any]) -> str:
    lines = [f"## {name}", "", f"{entry['description']}.", ""]
    parameters: dict[str, Any] = entry.get("parameters", {})
    schema = entry.get("parameter_schema", {})
    if not parameters:
        return "\n".join([*lines, "No parameters.", ""])
    lines += ["| parameter | type | default | meaning |", "|---|---|---|---|"]
    for parameter, default in parameters.items():
        rule = schema.get("properties", {}).get(parameter, {})
        # A list is a choice, of which the first is the default.
        value = rule.get(
            "default", default[0] if isinstance(default, list) and default else default
        )
        cells = (f"`{parameter}`", _type(rule, default), _code(value), rule.get("description", ""))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    required = schema.get("required", [])
    if required:
        lines += ["", "Required: " + ", ".join(f"`{each}`" for each in required) + "."]
    return "\n".join([*lines, ""])


def _type(rule: dict[str, Any], default: object) -> str:
    if isinstance(default, list) and default and "type" not in rule:
        return "one of " + ", ".join(f"`{each}`" for each in default)
    types = rule.get("type")
    if types is None:
        names = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}
        types = names.get(type(default), "any")
    return types if isinstance(types, str) else " or ".join(types)


def _code(value: object) -> str:
    return "" if value in ("", None) else f"`{json.dumps(value, ensure_ascii=False)}`"
