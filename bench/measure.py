"""Measuring: best of several rounds, told as ratios against a named peer of the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One line of the report.

    ours, peer: seconds (smaller is better) unless `unit` says otherwise. goal: the greatest
    ratio ours / peer that is good enough; None: no goal, only told.
    """

    name: str
    ours: float
    peer: float | None
    peer_name: str
    goal: float | None = None
    unit: str = "s"
    invert: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours / peer; for `invert` (throughput goals) peer / ours."""
        if self.peer is None:
            return None
        return self.peer / self.ours if self.invert else self.ours / self.peer

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.goal is None:
            return None
        if self.ratio is None:
            return self.ours <= self.goal
        return self.ratio >= self.goal if self.invert else self.ratio <= self.goal


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def best_of_pairs(
    ours: Callable[[], object],
    peer: Callable[[], object],
    rounds: int,
    before: Callable[[], object] = lambda: None,
) -> tuple[float, float]:
    """Run both in turn, so that a slow moment of the machine hits both; the best of each."""
    best_ours = best_peer = float("inf")
    for _ in range(rounds):
        before()
        best_peer = min(best_peer, seconds(peer))
        before()
        best_ours = min(best_ours, seconds(ours))
    return best_ours, best_peer
