"""Locaria's reporter: all that a loader needs, in one `with`.

    import locaria_reporter as lr

    with lr.claim() as run:
        with run.open(run.parameters["path"]) as lines, run.staging(
            "places", {"id": "bigint", "name": "text"}, mode="replace"
        ) as table:
            for row in run.track(csv.reader(lines)):
                table.copy(row)
            run.finish(swap=table)

Names are loaded when they are first used: `locaria-report` starts without a database driver.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locaria_reporter._address import bind_port
    from locaria_reporter._channel import Channel
    from locaria_reporter._claim import claim, claims
    from locaria_reporter._commands import Command
    from locaria_reporter._errors import (
        Cancelled,
        CheckFailed,
        Fatal,
        LeaseLost,
        NotFinished,
        NothingToClaim,
        NotPublished,
        Outcome,
        OutsideLocaria,
        Refused,
        ReporterError,
        Retry,
        RunClosed,
        Terminated,
        TooManyRejects,
        Unavailable,
    )
    from locaria_reporter._http import Limits
    from locaria_reporter._listen import listen
    from locaria_reporter._masking import Link
    from locaria_reporter._postgres import PostgresChannel
    from locaria_reporter._recording import RecordingChannel
    from locaria_reporter._run import Run
    from locaria_reporter._staging import Staging
    from locaria_reporter._terminal import TerminalChannel

__all__ = [
    "Cancelled",
    "Channel",
    "CheckFailed",
    "Command",
    "Fatal",
    "LeaseLost",
    "Limits",
    "Link",
    "NotFinished",
    "NotPublished",
    "NothingToClaim",
    "Outcome",
    "OutsideLocaria",
    "PostgresChannel",
    "RecordingChannel",
    "Refused",
    "ReporterError",
    "Retry",
    "Run",
    "RunClosed",
    "Staging",
    "TerminalChannel",
    "Terminated",
    "TooManyRejects",
    "Unavailable",
    "bind_port",
    "claim",
    "claims",
    "listen",
]

_HOMES = {
    "Channel": "_channel",
    "Command": "_commands",
    "Limits": "_http",
    "Link": "_masking",
    "PostgresChannel": "_postgres",
    "RecordingChannel": "_recording",
    "Run": "_run",
    "Staging": "_staging",
    "TerminalChannel": "_terminal",
    "bind_port": "_address",
    "claim": "_claim",
    "claims": "_claim",
    "listen": "_listen",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_HOMES.get(name, '_errors')}", __name__)
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
