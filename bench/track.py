"""What `run.track()` costs for each item, against a loop that counts nothing and known counters."""

from __future__ import annotations

import importlib
import importlib.util
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import rich.progress
from rich.console import Console

import locaria_reporter as lr
from bench.database import BenchDatabase
from bench.measure import Result, best_of_pairs

Counter = Callable[[Sequence[object]], Iterable[object]]
ITEMS, QUICK_ITEMS = 5_000_000, 200_000
ROUNDS = 5


def measure(database: BenchDatabase, quick: bool) -> Iterator[Result]:  # noqa: ARG001 - as all parts
    """Nanoseconds an item; a channel that remembers in place of a database."""
    items = range(QUICK_ITEMS if quick else ITEMS)
    per_item = 1e9 / len(items)
    with lr.claim("bench", channel=lr.RecordingChannel()) as run:
        for peer_name, peer in _peers():
            ours, other = best_of_pairs(
                partial(_loop, run.track, items), partial(_loop, peer, items), ROUNDS
            )
            name = "run.track(), an item"
            yield Result(name, ours * per_item, other * per_item, peer_name, unit="ns")


def _loop(counted: Counter, items: Sequence[object]) -> None:
    for _ in counted(items):
        pass


def _peers() -> Iterator[tuple[str, Counter]]:
    yield "bare for loop", lambda items: items
    console = Console(file=io.StringIO())
    yield "rich.progress.track", lambda items: rich.progress.track(items, console=console)
    if importlib.util.find_spec("tqdm"):
        tqdm = importlib.import_module("tqdm").tqdm
        yield "tqdm", lambda items: tqdm(items, file=io.StringIO())
