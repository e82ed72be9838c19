"""Spatial files, through GDAL's Arrow streams (pyogrio)."""

from __future__ import annotations

import functools
import tempfile
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from loading import gml, moments
from loading.arrow_types import is_json, is_text, plain
from loading.completeness import refuse_incomplete, rows_of_tab
from loading.copies import block_bytes
from loading.formats import crs_member
from loading.gdal import pyogrio
from loading.infer import TIMESTAMP
from loading.kinds import UNKNOWN, Kinds, column_kind
from loading.layers import Geometry, Layer
from loading.scan import Scan
from loading.texts import refuse_bytes
from locaria_reporter import Fatal

# What GDAL calls a key that it has made itself; another key is a column like all others.
_OWN_KEYS = ("", "fid", "ogc_fid", "rowid")
_GEOJSON = ("GeoJSON", "GeoJSONSeq")
# Their texts may be in any encoding; the others are UTF-8, as GDAL sees to.
_ANY_ENCODING = ("ESRI Shapefile", "MapInfo File")
# A driver that counts no features.
_UNCOUNTED = "OSM"
_MOST_ROWS = 32_768
_FEWEST_ROWS = 64


def layers(
    path: Path,
    name: str,
    driver: str,
    wanted: list[str] | None = None,
    *,
    encoding: str | None = None,
    folder: Path | None = None,
) -> list[Layer]:
    """The layers of a spatial file.

    Args:
        path: of the file, or of the folder for a File Geodatabase.
        name: for messages.
        driver: the GDAL driver that the content asks for; another one is refused.
        wanted: names of layers; all of them when None.
        encoding: of the texts in a shapefile that does not say it, as Python names it.
        folder: an empty one for what is put beside a GML file; one is made when None.

    Raises:
        Fatal: GDAL can't read it, or there is no such layer.
    """
    errors = pyogrio().errors
    notes = refuse_incomplete(path, name, driver)
    texts, given = False, path
    try:
        if driver == "GML":
            folder = folder or Path(tempfile.mkdtemp(prefix="gml"))
            texts = gml.seen_by_gdal(path, folder, _list_layers)
            given = folder / path.name
        there = _list_layers(given)
    except errors.DataSourceError as error:
        raise unreadable(name, error, given) from None
    if missing := [each for each in wanted or [] if each not in there]:
        raise Fatal(
            f"{name} has no layer {missing[0]!r}; it has {', '.join(map(repr, there[:50]))}",
            kind="data",
        )
    options = _options(driver, encoding)
    found = [
        _SpatialLayer(given, name, driver, each, options).layer(texts, notes)
        for each in wanted or there
    ]
    if not found:
        raise Fatal(f"{name} has no layer", kind="data")
    return found


def _list_layers(path: Path) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [str(each) for each, _ in pyogrio().list_layers(path)]


def _options(driver: str, encoding: str | None) -> dict[str, str]:
    """For GDAL: how a shapefile's texts are written, where its user says it."""
    if driver != "ESRI Shapefile" or encoding is None:
        return {}
    return {"ENCODING": encoding.upper().replace("ISO8859", "ISO-8859")}


def unreadable(name: str, error: Exception, path: Path | None = None) -> Fatal:
    """The error for what GDAL can't read."""
    text = str(error).rstrip(".")
    if path is not None:
        text = text.replace(str(path), name)
    return Fatal(f"{name} can't be read: {text}", kind="data")


class _SpatialLayer:
    """One layer of a file that GDAL reads."""

    def __init__(
        self, path: Path, name: str, driver: str, layer: str, options: dict[str, str]
    ) -> None:
        self._path, self._name, self._driver, self._layer = path, name, driver, layer
        self._options = options
        self._where = f"{name}, layer {layer!r}"
        self._rows, self._keyed = 0, False
        self._moments: dict[str, bool] = {}

    def layer(self, texts: bool, notes: Sequence[str]) -> Layer:
        """What it is.

        Args:
            texts: all values come as texts: find their types out.
            notes: what its user should know.
        """
        errors = pyogrio().errors
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # Counting reads all of a file that has no count; and it is the only call that
                # tells of an error in the middle: an Arrow stream just ends there.
                info = pyogrio().read_info(
                    self._path,
                    layer=self._layer,
                    force_feature_count=self._driver != _UNCOUNTED,
                    **self._options,
                )
            if info["driver"] != self._driver:
                raise Fatal(f"{self._name} is no {self._driver} but {info['driver']}", kind="data")
            key = info["fid_column"]
            self._keyed = key.lower() not in _OWN_KEYS and key not in info["fields"]
            with self._open(batch_size=1) as (meta, reader):
                schema = reader.schema
                first = next(iter(reader), None)
            uncounted = self._driver == _UNCOUNTED
            self._rows = _count(self._path, self._layer) if uncounted else int(info["features"])
        except (errors.DataSourceError, errors.DataLayerError) as error:
            raise unreadable(self._where, error, self._path) from None
        if self._driver == "MapInfo File":
            self._refuse_fewer(rows_of_tab(self._path))
        geometry = self._geometry(meta, first)
        schema = self._zoned(schema)
        scan = self._scan(schema, geometry, texts)
        if geometry is not None and scan.geometry is not None:
            geometry = replace(geometry, kind=scan.kinds.kind())
        batch = _batch_size(self._path, self._rows)
        return Layer(
            self._layer,
            _without_json(schema, scan.plain),
            functools.partial(self._read, batch, schema),
            self._rows,
            geometry,
            row_word="feature",
            kinds=scan.types,
            notes=tuple(notes),
        )

    def _refuse_fewer(self, rows: int | None) -> None:
        if rows is not None and self._rows < rows:
            raise Fatal(
                f"{self._name}: of {rows:,} rows only {self._rows:,} can be read: is a file of it "
                "cut off or damaged?",
                kind="data",
            )

    @contextmanager
    def _open(self, **more: Any) -> Iterator[tuple[Any, pa.RecordBatchReader]]:
        raw = pyogrio().raw
        options = {**more, **self._options, "return_fids": self._keyed}
        with (
            warnings.catch_warnings(),
            raw.open_arrow(self._path, layer=self._layer, **options) as (meta, stream),
        ):
            warnings.simplefilter("ignore")
            yield meta, pa.RecordBatchReader.from_stream(stream)

    def _geometry(self, meta: Any, first: pa.RecordBatch | None) -> Geometry | None:
        """As declared; of kind UNKNOWN where the first feature is of another."""
        if meta["geometry_type"] is None:
            return None
        column, kind = meta["geometry_name"] or "wkb_geometry", str(meta["geometry_type"])
        # GDAL's names for curves and measures do not get through.
        kinds = Kinds()
        if first is not None:
            kinds.add(first.column(column))
        seen = kinds.kind()
        other = kinds.curved or column_kind(seen)[1] != column_kind(kind)[1]
        # Of GeoJSON, one feature with Z makes it say Z.
        if (seen != UNKNOWN and other) or (kind.endswith("Z") and self._driver in _GEOJSON):
            kind = UNKNOWN
        return Geometry(column, kind, self._crs(meta["crs"]))

    def _crs(self, found: str | None) -> str | None:
        if self._driver == "GML":
            return found or gml.srs_name(self._path)
        if self._driver in _GEOJSON:
            # RFC 7946: longitude, latitude on WGS 84, and a height perhaps.
            found = "EPSG:4326" if found == "EPSG:4979" else found
            return crs_member(self._path) if found in (None, "EPSG:4326") else found
        return found

    def _scan(self, schema: pa.Schema, geometry: Geometry | None, texts: bool) -> Scan:
        unknown = geometry is not None and geometry.kind == UNKNOWN and self._rows > 0
        scan = Scan(
            geometry.column if geometry is not None and unknown else None,
            [f.name for f in schema if texts and is_text(f.type)],
            [f.name for f in schema if is_json(f)],
        )
        if scan.geometry or scan.texts or scan.documents:
            columns = [*scan.texts, *scan.documents]
            with self._open(columns=columns, read_geometry=unknown) as (_, reader):
                scan.over(reader)
        return scan

    def _zoned(self, schema: pa.Schema) -> pa.Schema:
        """The schema with moments as the file has them."""
        columns = moments.without_zone(schema)
        if self._driver not in moments.ZONED or not columns or not self._rows:
            return schema
        scan = Scan(None, columns)
        with self._open(columns=columns, read_geometry=False, **moments.AS_TEXT) as (_, reader):
            scan.over(reader)
        if set(scan.types.values()) <= {TIMESTAMP}:
            return schema
        self._moments = moments.AS_TEXT
        return moments.with_zones(schema, scan.types)

    def _read(self, batch: int, schema: pa.Schema, skip: int) -> Iterator[pa.RecordBatch]:
        errors = pyogrio().errors
        done = skip
        try:
            with self._open(skip_features=skip, batch_size=batch, **self._moments) as (_, reader):
                for item in reader:
                    each = moments.as_moments(item, schema) if self._moments else item
                    if self._driver in _ANY_ENCODING:
                        refuse_bytes(each, self._where, done)
                    yield each
                    done += each.num_rows
            if done != self._rows:
                raise Fatal(
                    f"{self._where}: {self._rows:,} features were counted, but the data end "
                    f"behind {done:,}: is the file cut off or damaged?",
                    kind="data",
                )
        except (
            errors.DataSourceError,
            errors.DataLayerError,
            pa.ArrowException,
        ) as error:
            raise unreadable(f"{self._where}, behind feature {done:,}", error) from None


def _without_json(schema: pa.Schema, columns: Collection[str]) -> pa.Schema:
    """Columns of texts, of which only some are JSON."""
    return pa.schema([pa.field(f.name, plain(f)) if f.name in columns else f for f in schema])


def _count(path: Path, layer: str) -> int:
    """How many features a layer has, where GDAL does not say.

    By SQL, which counts within GDAL: pyogrio would keep each feature that it counts in memory.
    """
    statement = f'select count(*) from "{layer}"'  # noqa: S608 - GDAL named it
    found = pyogrio().raw.read(path, sql=statement, sql_dialect="OGRSQL", read_geometry=False)
    return int(found[3][0][0])


def _batch_size(path: Path, rows: int) -> int:
    """How many features make a block."""
    files = path.rglob("*") if path.is_dir() else path.parent.glob(f"{path.stem}.*")
    size = sum(each.stat().st_size for each in files if each.is_file())
    return max(_FEWEST_ROWS, min(_MOST_ROWS, block_bytes() * rows // max(size, 1)))
