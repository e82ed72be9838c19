"""Spatial files, through GDAL's Arrow streams (pyogrio).

GDAL opens far more than files. Its drivers that fetch from networks, that make one file refer to
others, or that start programs are never registered, and nothing is read over a network.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from locaria_reporter import Fatal

from .beside import block_bytes
from .completeness import refuse_incomplete
from .layers import Geometry, Layer

# Read by GDAL when it registers its drivers: before pyogrio is imported for the first time.
_OFF = (
    *("ADBC", "AIVector", "AmigoCloud", "Carto", "CSW", "EEDA", "Elasticsearch", "GDALG"),
    *("GPSBabel", "HTTP", "LVBAG", "MVT", "MBTiles", "NGW", "OAPIF", "OGCAPI", "OGR_VRT"),
    *("PLSCENES", "PMTiles", "TopoJSON", "VDV", "VICAR", "WFS", "PDS4", "OGR_PDS", "PCIDSK"),
    *("MiraMonVector", "GTFS", "Idrisi", "JSONFG", "MapML", "SXF", "Selafin", "VFK", "EDIGEO"),
    *("AVCBin", "AVCE00", "CSV", "XLSX", "ODS"),
)
_SETTINGS = {
    "GDAL_SKIP": ",".join(_OFF),
    "GDAL_DISABLE_READDIR_ON_OPEN": "FALSE",
    # Nothing is fetched: neither by a file name nor out of a file.
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "GML_SKIP_RESOLVE_ELEMS": "ALL",
    "OGR_SQLITE_ALLOW_EXTERNAL_ACCESS": "NO",
    "OGR_SQLITE_LOAD_EXTENSIONS": "NO",
    # FlatGeobuf's own Arrow stream gives the shape of one feature to another where one has none.
    "OGR_FLATGEOBUF_STREAM_BASE_IMPL": "YES",
    # OSM: in memory up to this many megabytes, then in a temporary file.
    "OSM_MAX_TMPFILE_SIZE": "64",
    "OSM_USE_CUSTOM_INDEXING": "NO",
}
# A driver that counts no features.
_UNCOUNTED = "OSM"
_MOST_ROWS = 32_768
_FEWEST_ROWS = 64


@functools.cache
def _pyogrio() -> Any:
    """pyogrio with the drivers of `_OFF` missing."""
    os.environ.update(_SETTINGS)
    with _without("pandas", "geopandas"):
        import pyogrio  # noqa: PLC0415 - the environment comes first
        import pyogrio.raw  # noqa: PLC0415

    return pyogrio


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Packages that are imported where they are installed, seem not to be.

    pyogrio imports pandas for functions that nothing here calls: twice the time of all else.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def layers(path: Path, name: str, driver: str, wanted: list[str] | None = None) -> list[Layer]:
    """The layers of a spatial file.

    Args:
        path: of the file, or of the folder for a File Geodatabase.
        name: for messages.
        driver: the GDAL driver that the content asks for; another one is refused.
        wanted: names of layers; all of them when None.

    Raises:
        Fatal: GDAL can't read it, or there is no such layer.
    """
    pyogrio = _pyogrio()
    refuse_incomplete(path, name, driver)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            there = [str(each) for each, _ in pyogrio.list_layers(path)]
    except pyogrio.errors.DataSourceError as error:
        raise unreadable(name, error) from None
    if missing := [each for each in wanted or [] if each not in there]:
        raise Fatal(
            f"{name} has no layer {missing[0]!r}; it has {', '.join(map(repr, there[:50]))}",
            kind="data",
        )
    found = [_layer(path, name, driver, each) for each in wanted or there]
    if not found:
        raise Fatal(f"{name} has no layer", kind="data")
    return found


def unreadable(name: str, error: Exception) -> Fatal:
    """The error for what GDAL can't read."""
    return Fatal(f"{name} can't be read: {str(error).rstrip('.')}", kind="data")


def _layer(path: Path, name: str, driver: str, layer: str) -> Layer:
    pyogrio = _pyogrio()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Counting reads all of a file that has no count; and it is the only call that tells
            # of an error in the middle: an Arrow stream just ends there.
            info = pyogrio.read_info(path, layer=layer, force_feature_count=driver != _UNCOUNTED)
            if info["driver"] != driver:
                raise Fatal(f"{name} is no {driver} but {info['driver']}", kind="data")
            with pyogrio.raw.open_arrow(path, layer=layer, batch_size=1) as (meta, stream):
                schema = pa.RecordBatchReader.from_stream(stream).schema
            rows = _count(path, layer) if driver == _UNCOUNTED else int(info["features"])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise unreadable(f"{name}, layer {layer!r}", error) from None
    geometry = None
    if meta["geometry_type"] is not None:
        column = meta["geometry_name"] or "wkb_geometry"
        geometry = Geometry(column, str(meta["geometry_type"]), meta["crs"])
    batch = _batch_size(path, rows)

    def read(skip: int) -> Iterator[pa.RecordBatch]:
        return _read(path, name, layer, skip=skip, batch=batch, rows=rows)

    return Layer(layer, schema, read, rows, geometry, row_word="feature")


def _count(path: Path, layer: str) -> int:
    """How many features a layer has, where GDAL does not say.

    By SQL, which counts within GDAL: pyogrio would keep each feature that it counts in memory.
    """
    statement = f'select count(*) from "{layer}"'
    found = _pyogrio().raw.read(path, sql=statement, sql_dialect="OGRSQL", read_geometry=False)
    return int(found[3][0][0])


def _batch_size(path: Path, rows: int) -> int:
    """How many features make a block."""
    files = path.rglob("*") if path.is_dir() else path.parent.glob(f"{path.stem}.*")
    size = sum(each.stat().st_size for each in files if each.is_file())
    return max(_FEWEST_ROWS, min(_MOST_ROWS, block_bytes() * rows // max(size, 1)))


def _read(
    path: Path, name: str, layer: str, *, skip: int, batch: int, rows: int
) -> Iterator[pa.RecordBatch]:
    pyogrio = _pyogrio()
    done = skip
    try:
        with (
            warnings.catch_warnings(),
            pyogrio.raw.open_arrow(path, layer=layer, skip_features=skip, batch_size=batch) as (
                _,
                stream,
            ),
        ):
            warnings.simplefilter("ignore")
            for each in pa.RecordBatchReader.from_stream(stream):
                yield each
                done += each.num_rows
        if done != rows:
            raise Fatal(
                f"{name}, layer {layer!r}: {rows:,} features were counted, but the data end "
                f"behind {done:,}: is the file cut off or damaged?",
                kind="data",
            )
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pa.ArrowException) as e:
        raise unreadable(f"{name}, layer {layer!r}, behind feature {done:,}", e) from None
