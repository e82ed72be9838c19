"""Counts are the source, the percentage is derived.

Written by the loader's thread without a lock (each attribute is one atomic assignment), read by the
reporting thread, which takes a snapshot when it wants to write one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

_TENTHS = 10.0
_STAGES_KEPT = 100
_LARGEST = 2.0**63


class Progress:
    """How far a run is: stages with weights, rows, bytes, a message."""

    def __init__(self) -> None:
        self.done: int | None = None
        self.total: int | None = None
        self.unit: str | None = None
        self.bytes_done: int | None = None
        self.bytes_total: int | None = None
        self.message: str | None = None
        self.measure: Callable[[], float] | None = None
        self.stage: str | None = None
        self.entered: list[tuple[str, float]] = []
        self._stage_n = 0
        self._plan: dict[str, float] = {}
        self._weights: list[float | None] = []
        self._highest = 0.0
        self._finished = False

    def plan(self, weights: Mapping[str, float]) -> None:
        """Announce stages with their weights, so that the percentage is exact throughout."""
        self._plan = {**self._plan, **{name: float(weight) for name, weight in weights.items()}}

    def begin_stage(
        self, name: str, weight: float | None, total: int | None, unit: str | None
    ) -> None:
        """Enter a stage; counts start anew."""
        self.stage = name
        if len(self.entered) < _STAGES_KEPT:
            self.entered.append((name, time.monotonic()))
        # Counts first: those of the stage before, with this one's weight, would be a jump ahead.
        self.done = self.bytes_done = self.measure = None
        self.total, self.unit, self.bytes_total = total, unit, None
        self._stage_n += 1
        self._weights.append(self._plan.get(name, weight))
        self.done = 0 if total is not None else None

    def count(self, total: int | None, unit: str | None) -> None:
        """Start counting from 0; a total given by the stage stays, unless there is a new one."""
        self.done = 0
        self.total = self.total if total is None else total
        self.unit = unit or self.unit

    def finish(self) -> None:
        """The run has succeeded: 100 %."""
        self._finished = True

    @property
    def reported(self) -> bool:
        """Whether there is anything to say at all."""
        return (
            self.stage is not None
            or self.done is not None
            or self.bytes_done is not None
            or self.message is not None
        )

    def percent(self) -> float | None:
        """0 to 100; None when no total is known. Never less than before, if stages have weights.

        Weights count as tenths of the work until they sum to more than ten; a plan makes them
        exact. Stages without weights show the percentage of the stage itself.
        """
        if self._finished:
            return 100.0
        fraction = self._fraction()
        given = [weight for weight in self._weights if weight is not None]
        if not given:
            return None if fraction is None else round(fraction * 100, 2)
        behind = sum(weight or 0.0 for weight in self._weights[:-1])
        current = (self._weights[-1] or 0.0) * (fraction or 0.0)
        whole = sum(self._plan.values()) if self._plan else max(_TENTHS, sum(given))
        self._highest = max(self._highest, min(100.0, 100 * (behind + current) / (whole or 1.0)))
        return round(self._highest, 2)

    def _fraction(self) -> float | None:
        for done, total in ((self.done, self.total), (self.bytes_done, self.bytes_total)):
            if done is not None and total is not None and math.isfinite(done - total):
                return max(0.0, min(1.0, done / total)) if total > 0 else 1.0
        measure = self.measure
        return None if measure is None else max(0.0, min(1.0, measure()))

    def snapshot(self) -> dict[str, Any]:
        """What is known, in the words of report_progress (see the SQL function)."""
        rows_are_bytes = self.unit == "bytes"
        known = {
            "stage": self.stage,
            "stage_n": self._stage_n or None,
            "stage_of": len(self._plan) or None,
            "percent": self.percent(),
            "rows_done": None if rows_are_bytes else _whole(self.done),
            "rows_total": None if rows_are_bytes else _whole(self.total),
            "unit": self.unit,
            "bytes_done": _whole(self.done if rows_are_bytes else self.bytes_done),
            "bytes_total": _whole(self.total if rows_are_bytes else self.bytes_total),
            "message": self.message,
        }
        return {key: value for key, value in known.items() if value is not None}

    def headline(self) -> str:
        """'42% load', for application_name."""
        percent = self.percent()
        shown = "" if percent is None else f"{percent:.0f}%"
        return " ".join(word for word in (shown, self.stage or "") if word)


def _whole(count: float | None) -> int | None:
    """A count as the database has it; NaN, and what no bigint holds, is unknown."""
    if count is None or not abs(count) < _LARGEST:
        return None
    return int(count)
