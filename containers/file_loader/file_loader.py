"""Loads files of every usual format into Postgres: tables, sheets, layers, with their geometries.

Each file of the queue is found (or downloaded), recognised by its content, copied batch by batch
into staging tables, and published in the transaction that also says that it is done. Attributes:
containers/README.md. All of it is in modules/loading, for other containers to use.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any

from loading import load

import locaria_reporter as lr


class NoDataFrames(MetaPathFinder):
    """pandas is not there, even where it is installed.

    pyarrow and pyogrio import it then, for data frames, of which there are none here: a third of a
    second and 60 MB of each task.
    """

    def find_spec(self, fullname: str, *_: Any, **__: Any) -> None:
        """Of all other modules nothing is known."""
        if fullname in ("pandas", "geopandas"):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def main() -> None:
    """Load the files that wait, then leave."""
    for run in lr.claims():
        with run:
            load(run)


if __name__ == "__main__":
    sys.meta_path.insert(0, NoDataFrames())
    main()
