"""Loads files of every usual format into Postgres: tables, sheets, layers, with their geometries.

Each file of the queue is found (or downloaded), recognised by its content, copied batch by batch
into staging tables, and published in the transaction that also says that it is done. Attributes:
containers/README.md. All of it is in modules/loading, for other containers to use.
"""

from __future__ import annotations

from loading import load

import locaria_reporter as lr


def main() -> None:
    """Load the files that wait, then leave."""
    for run in lr.claims():
        with run:
            load(run)


if __name__ == "__main__":
    main()
