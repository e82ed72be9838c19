"""From a file to its parts: what it is, what it holds, what is taken of that."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from loading import archive
from loading.compression import Room, beginning, compression_of, unpack
from loading.csv_part import CsvPart
from loading.formats import ARCHIVE, CSV, JSON, PARQUET, SHEETS, format_of, what_is_in
from loading.layers import Layer
from loading.names import without_ending
from loading.options import Options
from loading.parts import Context, NoRows, Part
from loading.postgis import knows_srid
from loading.source import look_at, recognise
from locaria_reporter import Fatal, Run

_HEAD = 64 << 10
# Archives within archives: a shapefile's zip inside of a zip of many.
_DEEPEST = 2
_GEODATABASE = "OpenFileGDB"
_ONE_TABLE = (CSV, JSON, PARQUET)
# What belongs to another file of the same name, or only describes one.
_COMPANIONS = {
    ".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".fix", ".qmd", ".qpj", ".lyr", ".sld",
    ".dat", ".map", ".id", ".ind", ".mid", ".gfs", ".xsd", ".xml", ".pdf", ".html", ".htm", ".md",
    ".png", ".jpg", ".jpeg", ".gif", ".doc", ".docx", ".rtf", ".qgz", ".qgs", ".css", ".js",
}  # fmt: skip
_DOCUMENTS = (".txt",)


@dataclass(frozen=True)
class Piece:
    """A file to be read, found in another perhaps.

    Attributes:
        path: where it lies.
        name: for messages: 'all.zip, member roads.csv'.
        member: its own name in the archive; '' when it is the file itself.
    """

    path: Path
    name: str
    member: str = ""


def open_parts(context: Context, path: Path, name: str) -> list[Part]:
    """Everything that a file holds, ready to be loaded.

    Args:
        context: of the load.
        path: of the file.
        name: as its user knows it.

    Raises:
        Fatal: it can't be read, or holds nothing that is loaded.
    """
    pieces = _unpacked(context.run, Piece(path, name), Room.for_file(path), 0)
    if not pieces:
        raise Fatal(f"{name} holds no file that is loaded", kind="data")
    parts: list[Part] = []
    nothing: NoRows | None = None
    several = len(pieces) > 1
    missing = set(context.options.layers or ()) if several else set()
    for piece in pieces:
        try:
            parts += _parts_of(context, piece, missing, several=several)
        except NoRows as error:
            nothing = error
            context.run.log.info("%s holds no row and is left out", piece.name)
    if missing:
        there = ", ".join(repr(piece.member) for piece in pieces[:50])
        raise Fatal(f"{name} has no layer or member {min(missing)!r}; it has {there}", kind="data")
    if not parts and nothing is not None:
        raise nothing
    return parts


def _unpacked(run: Run, piece: Piece, room: Room, depth: int) -> list[Piece]:
    if piece.path.is_dir():
        return [piece]
    _, _, head = look_at(piece.path, piece.name)
    compression = compression_of(head)
    inner = piece.member or piece.name
    if compression is not None:
        stem = str(PurePosixPath(inner).with_suffix(""))
        first = beginning(piece.path, piece.name, compression, _HEAD)
        text = compression_of(first) is None and format_of(first, stem) == CSV
        if text and not depth:
            return [piece]
        _refuse_depth(piece, depth - 1)
        target = _folder(run) / (PurePosixPath(stem).name or "unpacked")
        unpack(piece.path, piece.name, compression, target, room)
        return _unpacked(run, Piece(target, piece.name, piece.member), room, depth + 1)
    if format_of(head, inner) != ARCHIVE:
        return [piece]
    return _members(run, piece, room, depth)


def _refuse_depth(piece: Piece, depth: int) -> None:
    if depth >= _DEEPEST:
        raise Fatal(f"{piece.name}: archives within archives within archives", kind="data")


def _members(run: Run, piece: Piece, room: Room, depth: int) -> list[Piece]:
    found = archive.members(piece.path, piece.name, room)
    document = what_is_in([each.filename for each in found])
    if document == SHEETS:
        archive.refuse_bomb(piece.name, found, room)
        return [piece]
    if document is not None:
        raise Fatal(f"{piece.name} is no table but an Office document of another kind", kind="data")
    _refuse_depth(piece, depth)
    written = archive.extract(piece.path, piece.name, found, _folder(run), room)
    names = [each.filename for each in found]
    pieces: list[Piece] = []
    for member, path in _data(names, written):
        inner = Piece(path, f"{piece.name}, member {member}", member)
        pieces += _unpacked(run, inner, room, depth + 1)
    return pieces


def _data(names: Sequence[str], paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """The members that are data: not what only belongs to another one, or explains it."""
    chosen: dict[str, Path] = {}
    for name, path in zip(names, paths, strict=True):
        parts = PurePosixPath(name).parts
        bases = [n for n, part in enumerate(parts[:-1]) if part.lower().endswith(".gdb")]
        if bases:
            # A File Geodatabase is a folder.
            depth = len(parts) - 1 - bases[0]
            chosen["/".join(parts[: bases[0] + 1])] = path.parents[depth - 1]
        elif path.stat().st_size:
            chosen[name] = path
    suffixes = {PurePosixPath(name).suffix.lower() for name in chosen}
    ignored = set(_COMPANIONS)
    if not suffixes <= ignored | set(_DOCUMENTS):
        # A text beside data of another kind explains them.
        ignored |= set(_DOCUMENTS)
    if ".tab" in suffixes and ".map" not in suffixes:
        ignored.discard(".dat")
    kept = [(n, p) for n, p in chosen.items() if PurePosixPath(n).suffix.lower() not in ignored]
    return kept or [(n, p) for n, p in chosen.items() if n.lower().endswith((".dbf", ".txt"))]


def _folder(run: Run) -> Path:
    """A new folder below the run's own."""
    number = 1
    while (folder := run.temporary / f"unpacked_{number}").exists():
        number += 1
    folder.mkdir(parents=True)
    return folder


def _parts_of(context: Context, piece: Piece, missing: set[str], *, several: bool) -> list[Part]:
    """What is to be loaded of a piece; what attribute layers names and was found is not `missing`.

    Among several, members are chosen by their names, too, with all that is in them.
    """
    options, path, name = context.options, piece.path, piece.name
    base = PurePosixPath(piece.member).name
    own_name = without_ending(base) if several else ""
    if path.is_dir():
        kind = _GEODATABASE
    else:
        kind = format_of(look_at(path, name)[2], piece.member or name)
    wanted = set(options.layers or ())
    chosen: set[str] = set()
    if several or kind in _ONE_TABLE:
        chosen = wanted & {piece.member, base, without_ending(base)}
    missing -= chosen
    if wanted and not chosen and kind in _ONE_TABLE:
        if not several:
            raise Fatal(f"{name} is one table and has no layer {min(wanted)!r}", kind="data")
        return []
    if kind == CSV:
        source = recognise(path, name, options.encoding)
        return [CsvPart(source, options, own_name, context.learned.get(own_name, {}))]
    found = _layers(context.run, kind, piece, replace(options, layers=None) if several else options)
    if several and wanted and not chosen:
        found = [layer for layer in found if layer.name in wanted]
        missing -= {layer.name for layer in found}
    return parts_of_layers(context, found, path, name, own_name)


def parts_of_layers(
    context: Context, layers: Sequence[Layer], path: Path, name: str, own_name: str = ""
) -> list[Part]:
    """What is to be loaded of the layers of one file."""
    from loading.arrow_part import ArrowPart  # noqa: PLC0415 - as below

    if path.is_dir():
        size = _size_of(path)
        fingerprint = f"{size}"
    else:
        size, fingerprint, _ = look_at(path, name)
    made: list[Part] = []
    for layer in layers:
        if layer.rows == 0 and len(layers) > 1 and not context.options.allow_empty:
            context.run.log.info("%s, %r holds no row and is left out", name, layer.name)
            continue
        label = f"{name}, {layer.name!r}" if layer.name and len(layers) > 1 else name
        called = _called(own_name, layer.name if len(layers) > 1 else "")
        part = ArrowPart(
            layer,
            label,
            context.options,
            name=called,
            size=_share(size, layer, layers),
            fingerprint=fingerprint,
            postgis=context.postgis,
            known=functools.partial(knows_srid, context.run, context.postgis),
            learned=context.learned.get(called, {}),
        )
        made.append(part)
    if layers and not made:
        raise NoRows(name, f"has no {layers[0].row_word} in any of its {len(layers)} layers")
    return made


def _share(size: int, layer: Layer, layers: Sequence[Layer]) -> int:
    """How many bytes of a file are a layer's: as many as it has rows, as far as these are known."""
    if any(each.rows is None for each in layers):
        return max(1, size // len(layers))
    return max(1, size * (layer.rows or 0) // max(1, sum(each.rows or 0 for each in layers)))


def _called(member: str, layer: str) -> str:
    return "_".join(filter(None, (member, layer)))


def _layers(run: Run, kind: str, piece: Piece, options: Options) -> list[Layer]:
    """By a reader that is imported only now: each costs time, and a task needs one of them."""
    path, name = piece.path, piece.name
    if kind in (SHEETS, ARCHIVE):
        from loading import sheets  # noqa: PLC0415

        return sheets.layers(path, name, options)
    if kind == PARQUET:
        from loading import parquet  # noqa: PLC0415

        return parquet.layers(path, name)
    if kind == JSON:
        from loading import documents  # noqa: PLC0415

        return documents.layers(path, name, options.encoding)
    wanted = list(options.layers) if options.layers else None
    if kind == "SQLite":
        from loading import sqlite  # noqa: PLC0415

        if (tables := sqlite.layers(path, name, wanted)) is not None:
            return tables
    from loading import ogr  # noqa: PLC0415

    beside = _folder(run) if kind == "GML" else None
    return ogr.layers(path, name, kind, wanted, encoding=options.encoding, folder=beside)


def _size_of(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
