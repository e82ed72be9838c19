"""Numbers for Prometheus: the database's, and this server's own, in its text format (0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

HELP = {
    "locaria_files_waiting": ("gauge", "Files that wait: due, scheduled for later, or held."),
    "locaria_files_running": ("gauge", "Files that are being worked on."),
    "locaria_oldest_due_seconds": ("gauge", "How long the oldest due file has waited."),
    "locaria_tasks": ("gauge", "Tasks that live, of which some are idle, and tasks that start."),
    "locaria_tasks_max": ("gauge", "How many tasks may live at once."),
    "locaria_container_paused": ("gauge", "1: nothing of this container is started."),
    "locaria_dispatch_failing": ("gauge", "1: tasks can't be started just now."),
    "locaria_dispatch_failures": ("gauge", "Failed tries of the dispatches that are open."),
    "locaria_circuits_open": ("gauge", "Lambda functions that fail just now."),
    "locaria_runs_total": ("counter", "Runs that have ended, by outcome."),
    "locaria_run_seconds": ("histogram", "How long runs took."),
    "locaria_tick_age_seconds": ("gauge", "Since tick() last ran."),
    "locaria_web_connections": ("gauge", "WebSocket connections of this server."),
    "locaria_web_subscriptions": ("gauge", "Subscriptions of this server."),
    "locaria_web_requests_total": ("counter", "Requests answered by this server, by code."),
    "locaria_web_request_seconds_total": ("counter", "Time that this server spent on them."),
}
_SUFFIXES = ("_bucket", "_sum", "_count")
Sample = tuple[str, Mapping[str, str], float]


def render(samples: Iterable[Sample]) -> str:
    """The samples as text, the lines of one metric together, as the format wants them."""
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
