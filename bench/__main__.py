"""`make bench`: every measurement, as ratios against named peers of the same run."""

from __future__ import annotations

import argparse
import importlib

from rich.console import Console
from rich.table import Table

from bench.database import bench_database
from bench.measure import Result

PARTS = ("enqueue", "claim", "lookups")


def main() -> None:
    """Measure the parts named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parts = parser.parse_args().parts or PARTS
    console = Console(width=120)
    table = Table("measured", "ours", "peer", "ratio", "goal", "", title="ours / peer")
    with bench_database() as database:
        for part in parts:
            module = importlib.import_module(f"bench.{part}")
            for result in module.measure(database):
                _add(table, result)
                console.print(f"[dim]{result.name}: {_line(result)}[/]")
    console.print(table)


def _line(result: Result) -> str:
    ratio = "" if result.ratio is None else f" = {result.ratio:.2f} x {result.peer_name}"
    return f"{result.ours:.4g} {result.unit}{ratio}"


def _add(table: Table, result: Result) -> None:
    sign = ">=" if result.invert else "<="
    table.add_row(
        result.name,
        f"{result.ours:.4g} {result.unit}",
        "" if result.peer is None else f"{result.peer:.4g} {result.unit} ({result.peer_name})",
        "" if result.ratio is None else f"{result.ratio:.2f}",
        "" if result.goal is None else f"{sign} {result.goal}",
        {None: "", True: "[green]reached[/]", False: "[red]missed[/]"}[result.reached],
    )


if __name__ == "__main__":
    main()
