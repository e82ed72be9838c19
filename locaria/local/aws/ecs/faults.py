"""Faults of ECS on demand, for tests: what the next calls and tasks run into.

Each step of the script is used up by what it applies to:

    {"operation": "RunTask", "error": "ThrottlingException"}       the call is refused
    {"operation": "RunTask", "error": "ServerException", "after": true}
                                                  the task is made, and the call fails all the same
    {"operation": "RunTask", "failures": [{"reason": "Capacity is unavailable at this time. …"}]}
                                                  answers 200 with these failures in place of tasks
    {"start": "fails", "reason": "CannotPullContainerError: …"}    PROVISIONING → STOPPED
    {"start": "never"}                                             stays in PROVISIONING

`"times": n` repeats a step; the default is once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from locaria.local.aws.ecs.model import EcsError


class Script:
    """The steps that are still to come. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: list[dict[str, Any]] = []

    def add(self, steps: Iterable[Mapping[str, Any]]) -> None:
        """Put steps at the end. Raises ValueError for a step of unknown shape."""
        new = [dict(step) for step in steps]
        for step in new:
            about_call = "operation" in step and ("error" in step or "failures" in step)
            if not about_call and step.get("start") not in ("fails", "never"):
                raise ValueError(f"a step names an operation with an error or failures: {step}")
        with self._lock:
            self._steps += new

    def clear(self) -> None:
        """Forget the steps that are still to come."""
        with self._lock:
            self._steps.clear()

    def for_call(self, operation: str) -> dict[str, Any]:
        """The fault that this call of `operation` runs into; empty for none."""
        return self._take("operation", (operation,))

    def for_start(self) -> dict[str, Any]:
        """The fault that the start of this task runs into; empty for none."""
        return self._take("start", ("fails", "never"))

    def _take(self, key: str, values: tuple[str, ...]) -> dict[str, Any]:
        with self._lock:
            for step in self._steps:
                if step.get(key) in values:
                    step["times"] = step.get("times", 1) - 1
                    if step["times"] <= 0:
                        self._steps.remove(step)
                    return step
        return {}


def scripted_error(fault: Mapping[str, Any]) -> EcsError:
    """The error that a call runs into by this fault."""
    return EcsError(fault["error"], fault.get("message", "Rate exceeded"))
