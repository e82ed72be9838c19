"""What a child process says: `::locaria …` lines, and the same words over the socket."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Any

from locaria_reporter._run import Run

PREFIX = "::locaria"
_OPTION = re.compile(r"(\w+)=(\S+)(?:\s+|$)")
_REST = {"error": "msg", "log": "message", "reject": "reason", "message": "message"}
_VERBS = ("stage", "progress", "message", "log", "check", "reject", "mask", "error")
_KINDS = ("transient", "data", "config", "fatal", "internal")
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


@dataclass
class Said:
    """What the child said about its end."""

    checks: dict[str, bool] = field(default_factory=dict)
    error: str | None = None
    kind: str | None = None

    def note_check(self, name: str, passed: bool) -> None:
        """Remember a check; ValueError without a name."""
        if not name:
            raise ValueError("check takes a name and true or false")
        self.checks[name] = passed


def parse_line(line: str) -> dict[str, Any] | None:
    """The request in a `::locaria verb …` line; None for any other line.

    Options (`name=value`) come first, free text last: `::locaria error kind=data msg=bad CRS`.
    """
    if not line.startswith(PREFIX + " "):
        return None
    verb, _, rest = line[len(PREFIX) :].strip().partition(" ")
    request: dict[str, Any] = {"verb": verb}
    rest = rest.strip()
    if verb == "mask":
        return request | {"secret": rest}
    free = _REST.get(verb)
    while free is None or not rest.startswith(f"{free}="):
        match = _OPTION.match(rest)
        if match is None:
            break
        request[match[1]] = match[2]
        rest = rest[match.end() :]
    if free is not None:
        request[free] = rest.removeprefix(f"{free}=")
    elif verb == "stage":
        request["name"] = rest or request.get("name", "")
    elif verb == "progress":
        request["done"] = rest
    elif verb == "check":
        name, _, passed = rest.partition(" ")
        if not name:
            return request
        request |= {"name": name, "passed": passed.strip().lower() in ("true", "t", "1", "yes")}
    return request


def apply(request: dict[str, Any], run: Run, said: Said) -> None:
    """Do what is asked for.

    Raises:
        ValueError: the request makes no sense; its text says why.
        Outcome: Cancelled, LeaseLost, TooManyRejects.
    """
    verb = request.get("verb")
    if verb == "stage":
        weight = request.get("weight")
        run.stage(
            str(request["name"]),
            weight=None if weight is None else float(weight),
            total=_whole(request.get("total")),
            unit=request.get("unit"),
        )
    elif verb == "progress":
        done, total = parse_progress(str(request["done"]))
        run.progress(done, total, request.get("message"))
    elif verb == "bytes":
        run.count_bytes(int(request["done"]), _whole(request.get("total")))
    elif verb == "percent":
        run.count_percent(float(request["done"]))
    elif verb == "log":
        run.log.log(_LEVELS.get(request.get("level", "info"), logging.INFO), request["message"])
    elif verb == "message":
        run.say(str(request["message"]))
    elif verb == "check":
        said.note_check(str(request.get("name", "")), bool(request.get("passed")))
    elif verb == "reject":
        run.reject(request.get("row", ""), str(request["reason"]), _whole(request.get("line")))
    elif verb == "mask":
        if not str(request["secret"]).strip():
            raise ValueError("mask takes the secret: ::locaria mask SECRET")
        run.mask(str(request["secret"]))
    elif verb == "error":
        kind = request.get("kind", "fatal")
        said.error, said.kind = str(request["msg"]), kind if kind in _KINDS else "fatal"
        run.log.error(said.error)
    else:
        raise ValueError(f"{verb!r} is none of {', '.join(_VERBS)}")


def parse_progress(text: str) -> tuple[int, int | None]:
    """'300/1200' → (300, 1200); '300' → (300, None)."""
    done, slash, total = text.partition("/")
    try:
        return int(done), int(total) if slash and total.strip() else None
    except ValueError as error:
        raise ValueError(f"progress is DONE/TOTAL, like 300/1200, not {text!r}") from error


def _whole(value: Any) -> int | None:
    return None if value in (None, "") else int(value)
