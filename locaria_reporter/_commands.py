"""The commands of a listener: what it can do, checking what is asked for, doing it."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locaria_reporter._channel import Json
from locaria_reporter._errors import Fatal

if TYPE_CHECKING:
    from locaria_reporter._run import Run


@dataclass(frozen=True, slots=True)
class Command:
    """What is asked of a listener.

    Attributes:
        name: of the command.
        parameters: of this command.
        run: where it reports: the run of its own row, or, of a command that came over HTTP, that of
            the listening file.
    """

    name: str
    parameters: Json = field(default_factory=dict)
    run: Run | None = None


Handler = Mapping[str, Callable[..., Any]] | Callable[[Command], Any]


class BadCommand(Fatal):
    """The command, or a parameter of it, is not what the listener takes; nothing was done.

    Args:
        message: what is wrong.
        errors: path → reason, one for each.
    """

    default = "there is no such command"

    def __init__(self, message: str = "", *, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(message, kind="data")
        self.errors = dict(errors or {})


class Commands:
    """A handler, whichever of the two forms it has.

    Args:
        handler: name → function, called with the parameters as keyword arguments; or one function
            that takes a Command.
    """

    def __init__(self, handler: Handler) -> None:
        self._one = handler if callable(handler) else None
        self._functions: dict[str, Callable[..., Any]] = {}
        if not callable(handler):
            self._functions = dict(handler)
        self._signatures = {
            name: _signature(function) for name, function in self._functions.items()
        }

    def check(self, command: Command) -> None:
        """Raise BadCommand where the name or the parameters don't fit; nothing is done yet."""
        if self._one is not None:
            return
        if command.name not in self._functions:
            known = ", ".join(self._functions) or "none"
            raise BadCommand(
                f"there is no command {command.name!r}; there are: {known}",
                errors={"command": f"one of: {known}"},
            )
        errors = _misfits(self._signatures[command.name], command.parameters)
        if errors:
            words = "; ".join(f"{path}: {reason}" for path, reason in errors.items())
            raise BadCommand(f"{command.name}: {words}", errors=errors)

    def do(self, command: Command) -> Any:
        """Do it; what the handler returns, or raises."""
        self.check(command)
        if self._one is not None:
            return self._one(command)
        return self._functions[command.name](**command.parameters)

    def describe(self) -> Json:
        """Name → description and parameters, for people: parameter → 'required' or its default."""
        return {
            name: {
                "description": (inspect.getdoc(function) or "").partition("\n")[0],
                "parameters": {
                    each.name: "required" if each.default is each.empty else each.default
                    for each in self._signatures[name].parameters.values()
                    if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
                },
            }
            for name, function in self._functions.items()
        }


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except NameError:  # an annotation that is only there for type checkers
        return inspect.signature(function)


def _misfits(signature: inspect.Signature, given: Json) -> dict[str, str]:
    wanted = signature.parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in wanted.values())
    named = {
        name: each
        for name, each in wanted.items()
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }
    errors = {
        f"parameters.{name}": "is required"
        for name, each in named.items()
        if each.default is each.empty and name not in given
    }
    if not takes_all:
        known = ", ".join(named) or "it takes none"
        errors |= {
            f"parameters.{name}": f"is unknown; known: {known}"
            for name in given
            if name not in named
        }
    for name in named.keys() & given.keys():
        kinds = _kinds(named[name].annotation)
        if kinds and not _is_one_of(given[name], kinds):
            errors[f"parameters.{name}"] = "must be " + " or ".join(
                _JSON_NAMES[kind] for kind in kinds
            )
    return errors


_JSON_NAMES: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def _kinds(annotation: Any) -> list[Any]:
    """The JSON types that an annotation allows; none where it says nothing that can be checked."""
    origin = typing.get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        kinds = [_kinds(each) for each in typing.get_args(annotation)]
        return [kind for each in kinds for kind in each] if all(kinds) else []
    kind = type(None) if annotation is None else origin or annotation
    return [kind] if isinstance(kind, type) and kind in _JSON_NAMES else []


def _is_one_of(value: Any, kinds: list[Any]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, tuple(kinds)) or (isinstance(value, int) and float in kinds)
