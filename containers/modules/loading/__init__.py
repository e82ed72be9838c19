"""Loading files of every format into tables, for the containers that do so.

A container that has a file loads it, publishes its tables and ends its run by

    from loading import Options, load_file

    load_file(run, path, "roads.gpkg", Options.of(run.parameters))

and one that reads a format of its own makes `Layer`s (Arrow batches, see layers.py) and gives them
to `load_layers()`. The attributes are those of file_loader: containers/README.md.
"""

from __future__ import annotations

from loading.job import check_scripts, load, load_file, load_layers
from loading.layers import BadRow, Geometry, Layer
from loading.options import Options

__all__ = [
    "BadRow",
    "Geometry",
    "Layer",
    "Options",
    "check_scripts",
    "load",
    "load_file",
    "load_layers",
]
