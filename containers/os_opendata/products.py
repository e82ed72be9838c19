"""The products of OS OpenData that are loaded, and how their archives are laid out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from loading.archive import extract, members
from loading.compression import Room

from locaria_reporter import Fatal, Run

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Product:
    """A product.

    Attributes:
        format: in the API's words.
        table: where it goes by default; BoundaryLine's layers each into `<table>_<layer>`.
        index: the column by which rows are looked up.
        prepare: makes of the archive what the loader reads; None: it reads the archive itself.
    """

    format: str
    table: str
    index: tuple[str, ...] = ()
    prepare: Callable[[Run, Path, str], Path] | None = None


def join_names(run: Run, archive: Path, name: str) -> Path:
    """OpenNames: hundreds of Data/*.csv without a header, which is Doc/OS_Open_Names_Header.csv.

    Args:
        run: whose folder is used.
        archive: the zip.
        name: of the archive, for messages.

    Returns:
        one CSV file with a header.
    """
    room = Room.for_file(archive)
    found = members(archive, name, room)
    headers = [m for m in found if m.filename.lower().endswith("_header.csv")]
    rows = [
        m
        for m in found
        if m.filename.lower().endswith(".csv")
        and "data" in [part.lower() for part in PurePosixPath(m.filename).parts[:-1]]
    ]
    if len(headers) != 1 or not rows:
        raise Fatal(
            f"{name} is not laid out as OS Open Names: Data/*.csv and Doc/OS_Open_Names_Header.csv",
            kind="data",
        )
    folder = run.temporary / "names"
    folder.mkdir()
    header, *parts = extract(archive, name, [*headers, *rows], folder, room)
    joined = run.temporary / "opname.csv"
    with joined.open("wb") as target:
        target.write(header.read_bytes().removeprefix(_BOM).strip() + b"\r\n")
        for part in parts:
            run.check()
            _append(part, target)
    shutil.rmtree(folder)
    return joined


def _append(part: Path, target: BinaryIO) -> None:
    with part.open("rb") as source:
        if source.read(len(_BOM)) != _BOM:
            source.seek(0)
        shutil.copyfileobj(source, target, 1 << 20)
        if source.tell():
            source.seek(-1, os.SEEK_END)
            if source.read(1) != b"\n":
                target.write(b"\r\n")
    part.unlink()


PRODUCTS = {
    "OpenNames": Product("CSV", "open_names", ("ID",), join_names),
    "BoundaryLine": Product("GeoPackage", "boundary_line"),
    "OpenUPRN": Product("CSV", "open_uprn", ("UPRN",)),
    "OpenUSRN": Product("GeoPackage", "open_usrn"),
}
