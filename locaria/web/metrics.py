"""Metrics in the text format of Prometheus (0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

HELP = {
    "locaria_files_waiting": ("gauge", "Files that wait: due, scheduled or held."),
    "locaria_files_running": ("gauge", "Files that a task is processing."),
    "locaria_oldest_due_seconds": ("gauge", "Waiting time of the oldest due file."),
    "locaria_tasks": ("gauge", "Tasks by state: living (idle ones included), idle, starting."),
    "locaria_tasks_max": ("gauge", "Maximum number of tasks at the same time."),
    "locaria_container_paused": ("gauge", "1 if the container is paused."),
    "locaria_dispatch_failing": ("gauge", "1 if tasks can't be started at the moment."),
    "locaria_dispatch_failures": ("gauge", "Failed attempts of pending dispatches."),
    "locaria_circuits_open": ("gauge", "Lambda functions whose circuit breaker is open."),
    "locaria_runs_total": ("counter", "Finished runs, by outcome."),
    "locaria_run_seconds": ("histogram", "Duration of runs."),
    "locaria_tick_age_seconds": ("gauge", "Time since the last tick()."),
    "locaria_web_connections": ("gauge", "Open WebSocket connections of this server."),
    "locaria_web_subscriptions": ("gauge", "Subscriptions of this server."),
    "locaria_web_requests_total": ("counter", "Requests that this server answered, by code."),
    "locaria_web_request_seconds_total": (
        "counter",
        "Total time spent on requests by this server.",
    ),
}
_SUFFIXES = ("_bucket", "_sum", "_count")
Sample = tuple[str, Mapping[str, str], float]


def render(samples: Iterable[Sample]) -> str:
    """Return the samples as text, grouped by metric as the format requires."""
    lines: dict[str, list[str]] = {}
    for name, labels, value in samples:
        family = name
        for suffix in _SUFFIXES:
            if name.endswith(suffix) and name.removesuffix(suffix) in HELP:
                family = name.removesuffix(suffix)
        lines.setdefault(family, []).append(f"{name}{_labels(labels)} {_number(value)}")
    text: list[str] = []
    for family, samples_of_it in lines.items():
        kind, words = HELP[family]
        text += [f"# HELP {family} {words}", f"# TYPE {family} {kind}", *samples_of_it]
    return "\n".join(text) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
