"""GeoJSON, GeoPackage and Shapefile, written by GDAL from Arrow batches as they are read."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyogrio
from as_arrow import Layout, plan_layout
from measure import FLOATS, TIMES, Measures
from relation import Column, Relation
from snapshot import Snapshot

from locaria_reporter import Fatal, Retry

# What dBase has room for.
_LONGEST_DBF_TEXT = 254
_LONGEST_DBF_NAME = 10
_DBF_BEHIND = 15
_DBF_DIGITS = 22  # 24 characters, without sign and point
_DBF_WHOLE = 17  # 18 characters, without sign
_EXACT_IN_A_DOUBLE = 15
_EXACT_IN_A_BIGINT = 18
# More than GDAL writes of one batch. When a disk is full it leaves the end of a file out, and says
# nothing.
_LEAST_ROOM = 64 << 20
_SHAPES = ("Point", "MultiPoint", "LineString", "Polygon")


def write_geopackage(snapshot: Snapshot, relation: Relation, path: Path) -> dict[str, str]:
    """Add a table as a layer to a GeoPackage.

    Returns:
        the columns that got another name: to SQLite, upper and lower case are the same.
    """
    layout = plan_layout(snapshot, relation, _in_geopackage, exactly=True)
    layout, renamed = _other_names(layout)
    # Of a column of that name GDAL would make the layer's own key.
    key, number, names = "fid", 1, {name.lower() for name in layout.schema.names}
    while key in names:
        number += 1
        key = f"fid_{number}"
    _write(
        snapshot,
        layout,
        path,
        "GPKG",
        layer=relation.label,
        append=path.exists(),
        layer_options={"FID": key},
    )
    return renamed


def write_geojson(snapshot: Snapshot, relation: Relation, path: Path) -> None:
    """Write a table as GeoJSON (RFC 7946): longitude and latitude, whatever the table has."""
    layout = _marked(_bytes_as_text(plan_layout(snapshot, relation, _in_geojson, exactly=True)))
    shape = layout.shape
    options = {
        # Of unknown coordinates nothing can be transformed.
        "RFC7946": "YES" if shape and shape.crs else "NO",
        "COORDINATE_PRECISION": "15",
        # A text that looks like JSON stays a text.
        "AUTODETECT_JSON_STRINGS": "NO",
    }
    _write(snapshot, layout, path, "GeoJSON", layer=relation.label, layer_options=options)


def write_shapefile(snapshot: Snapshot, relation: Relation, path: Path) -> dict[str, str]:
    """Write a table as a Shapefile, zipped.

    Returns:
        the columns that got a shorter name: dBase has room for ten characters.
    """
    layout = _bytes_as_text(plan_layout(snapshot, relation, _in_dbase, exactly=True, texts=True))
    _check_fits(layout)
    folder = path.with_suffix(".folder")
    folder.mkdir()
    single = folder / f"{path.stem}.shp"
    layout, renamed = _other_names(layout, _LONGEST_DBF_NAME)
    _write(
        snapshot,
        layout,
        single,
        "ESRI Shapefile",
        kind=_shapefile_kind(layout),
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in sorted(folder.iterdir()):
            archive.write(part, part.name)
            part.unlink()
    folder.rmdir()
    return renamed


def _write(
    snapshot: Snapshot, layout: Layout, path: Path, driver: str, kind: str = "", **more: Any
) -> None:
    """Let GDAL pull the batches; memory holds one."""
    raised: list[BaseException] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in layout.batches(snapshot):
                _check_room(path.parent)
                yield batch.rename_columns(layout.schema.names)
        except BaseException as error:
            raised.append(error)
            raise

    shape = layout.shape
    names = dict(zip((c.name for c in layout.relation.columns), layout.schema.names, strict=True))
    reader = pa.RecordBatchReader.from_batches(layout.schema, batches())
    try:
        pyogrio.write_arrow(
            reader,
            path,
            driver=driver,
            geometry_name=names[shape.column.name] if shape else None,
            geometry_type=kind or (_kind(shape.kinds) if shape else None),
            crs=shape.crs if shape else None,
            encoding="UTF-8",
            **more,
        )
    except Exception as error:
        if raised:
            raise raised[0] from None
        _check_room(path.parent)
        raise Fatal(f"{driver}: {error}", kind="data") from error
    if raised:
        raise raised[0]
    _check_room(path.parent)


def _check_room(folder: Path) -> None:
    """Raises Retry, which another task's disk may have room for, when the disk is nearly full."""
    free = shutil.disk_usage(folder).free
    if free < _LEAST_ROOM:
        raise Retry(f"the task's disk is full: {free:,} bytes are left of it")


def _kind(kinds: frozenset[str]) -> str:
    return next(iter(kinds)) if len(kinds) == 1 else "Unknown"


def _in_geojson(column: Column, measures: Measures) -> pa.DataType | None:
    """JSON has no times, and no NaN; GDAL reads whole numbers of 19 digits as doubles."""
    return pa.string() if column.plain in TIMES else _number(column, measures)


def _in_geopackage(column: Column, measures: Measures) -> pa.DataType | None:
    """Times have milliseconds."""
    return pa.string() if column.name in measures.fine else _number(column, measures)


def _in_dbase(column: Column, measures: Measures) -> pa.DataType | None:
    """Numbers are texts: whole ones of 18 characters, others of 24, 15 behind the point."""
    digits = measures.numbers.get(column.name)
    if column.plain in TIMES:
        return pa.string()
    if column.plain in FLOATS and digits is not None:
        fits = digits.behind <= _DBF_BEHIND and digits.before + digits.behind <= _DBF_DIGITS
        return None if fits else pa.string()
    if column.plain in ("bigint", "numeric") and digits is not None and digits.behind == 0:
        return pa.int64() if digits.precision <= _DBF_WHOLE else pa.string()
    return _number(column, measures)


def _number(column: Column, measures: Measures) -> pa.DataType | None:
    """A double, or a whole number, where that holds every value exactly, else text."""
    if column.name not in measures.numbers:
        return None
    digits = measures.numbers[column.name]
    if digits is None:
        return pa.string()
    if column.plain in FLOATS:
        return None
    if digits.behind == 0 and digits.precision <= _EXACT_IN_A_BIGINT:
        return pa.int64()
    return pa.float64() if digits.precision <= _EXACT_IN_A_DOUBLE else pa.string()


def _bytes_as_text(layout: Layout) -> Layout:
    """For drivers without a type for bytes: hexadecimal, as Postgres writes it."""
    shape = layout.shape
    fields = [
        field.with_type(pa.string())
        if pa.types.is_binary(field.type) and not (shape and field.name == shape.column.name)
        else field
        for field in layout.schema
    ]
    return Layout(layout.relation, layout.measures, pa.schema(fields))


def _marked(layout: Layout) -> Layout:
    """With the mark by which GDAL knows that a text is JSON; type json keeps its own spaces."""
    json = {column.name for column in layout.relation.columns if column.plain == "jsonb"}
    fields = [
        field.with_metadata({"GDAL:OGR:subtype": "JSON"}) if field.name in json else field
        for field in layout.schema
    ]
    return Layout(layout.relation, layout.measures, pa.schema(fields))


def _check_fits(layout: Layout) -> None:
    """A Shapefile cuts long texts off without a word, and takes one kind of geometry.

    Raises:
        Fatal: the table does not fit.
    """
    for field in layout.schema:
        length = layout.measures.longest.get(field.name, 0)
        if pa.types.is_string(field.type) and length > _LONGEST_DBF_TEXT:
            raise Fatal(
                f'column "{field.name}" has a text of {length:,} bytes, a Shapefile has room for '
                f"{_LONGEST_DBF_TEXT}: leave it out, or download as gpkg",
                kind="data",
            )
    _shapefile_kind(layout)


def _shapefile_kind(layout: Layout) -> str:
    """The one kind of shape; parts and multi-parts are the same to a Shapefile."""
    if layout.shape is None:
        return ""
    kinds = set()
    for kind in layout.shape.kinds:
        base, _, suffix = kind.partition(" ")
        single = base.removeprefix("Multi") if base != "MultiPoint" else base
        kinds.add(f"{single} {suffix}".strip())
    if not kinds:
        return "Unknown"
    if len(kinds) > 1 or next(iter(kinds)).split(" ")[0] not in _SHAPES:
        raise Fatal(
            f'column "{layout.shape.column.name}" holds {", ".join(sorted(layout.shape.kinds))}: a '
            "Shapefile takes one kind of point, line or polygon; filter, or download as gpkg",
            kind="data",
        )
    return kinds.pop()


def _other_names(layout: Layout, longest: int = 1000) -> tuple[Layout, dict[str, str]]:
    """With names of so many bytes at most, that differ not only in upper and lower case."""
    taken: set[str] = set()
    renamed: dict[str, str] = {}
    fields = []
    for field in layout.schema:
        short, number = field.name.encode()[:longest].decode(errors="ignore"), 1
        while short.lower() in taken:
            number += 1
            end = f"_{number}"
            cut = field.name.encode()[: longest - len(end)]
            short = cut.decode(errors="ignore") + end
        taken.add(short.lower())
        if short != field.name:
            renamed[field.name] = short
        fields.append(field.with_name(short))
    return _Renamed(layout.relation, layout.measures, pa.schema(fields)), renamed


class _Renamed(Layout):
    """A layout whose schema has other names than the table, in the same order."""

    def express(self, column: Column) -> Any:
        index = self.relation.columns.index(column)
        original = pa.schema(
            [f.with_name(c.name) for f, c in zip(self.schema, self.relation.columns, strict=True)]
        )
        assert index < len(original)
        return Layout(self.relation, self.measures, original).express(column)
