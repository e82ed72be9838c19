"""`make bench`: every measurement, as ratios against named peers of the same run."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.database import bench_database
from bench.measure import Result

PARTS = (
    "enqueue",
    "claim",
    "start",
    "lookups",
    "csv_load",
    "formats_load",
    "track",
    "api",
    "push",
    "ingest",
)


def main() -> None:
    """Measure the parts named on the command line, or all. A missed goal is no error."""
    options = _options()
    console = Console(width=120)
    report = Report(quick=options.quick)
    try:
        with bench_database() as database:
            report.machine = _machine(database.server.version)
            for part in options.parts or PARTS:
                module = importlib.import_module(f"bench.{part}")
                for result in module.measure(database, options.quick):
                    report.results.append((part, result))
                    console.print(f"[dim]{result.name}: {_line(result)}[/]")
    finally:
        # What was measured before something broke is worth showing.
        console.print(report.table())
        if options.json:
            options.json.write_text(json.dumps(report.facts(), indent=2) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--quick", action="store_true", help="a smoke test: small, no goals judged")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    return parser.parse_args()


class Report:
    """What was measured, for people and for programs.

    Args:
        quick: the sizes are too small to judge goals by.
    """

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.machine: dict[str, Any] = {}
        self.results: list[tuple[str, Result]] = []

    def table(self) -> Table:
        """One row per measurement."""
        title = "ours / peer" + (" (quick: no goal is judged)" if self.quick else "")
        table = Table("measured", "ours", "peer", "ratio", "goal", "", title=title)
        for _, result in self.results:
            sign = ">=" if result.invert else "<="
            judged = {None: "", True: "[green]reached[/]", False: "[red]missed[/]"}
            peer = "" if result.peer is None else f"{_value(result.peer, result)}"
            table.add_row(
                result.name,
                _value(result.ours, result),
                f"{peer} ({result.peer_name})" if peer else "",
                "" if result.ratio is None else f"{result.ratio:.2f}",
                "" if result.goal is None else f"{sign} {result.goal:g}",
                judged[self._reached(result)],
            )
        return table

    def facts(self) -> dict[str, Any]:
        """The same as JSON; `ratio` is ours / peer, or the other way round for `at_least`."""
        return {
            "machine": self.machine,
            "quick": self.quick,
            "results": [
                {
                    "part": part,
                    "name": result.name,
                    "ours": result.ours,
                    "peer": result.peer,
                    "peer_name": result.peer_name,
                    "unit": result.unit,
                    "ratio": result.ratio,
                    "goal": result.goal,
                    "at_least": result.invert,
                    "reached": self._reached(result),
                }
                for part, result in self.results
            ],
        }

    def _reached(self, result: Result) -> bool | None:
        return None if self.quick else result.reached


def _machine(postgres: str) -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "python": platform.python_version(),
        "postgres": postgres,
        "load_at_begin": os.getloadavg()[0],
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _value(value: float, result: Result) -> str:
    return f"{value:.4g} {result.unit}"


def _line(result: Result) -> str:
    ratio = "" if result.ratio is None else f" = {result.ratio:.2f} x {result.peer_name}"
    return f"{_value(result.ours, result)}{ratio}"


if __name__ == "__main__":
    main()
