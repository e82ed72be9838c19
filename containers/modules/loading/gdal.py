"""GDAL, through pyogrio, with most of its drivers missing.

GDAL opens far more than files. Its drivers that fetch from networks, that make one file refer to
others, or that start programs are never registered, and nothing is read over a network.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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


# Where these name an address, libcurl would go there without the proxy that goes nowhere.
_DETOURS = ("no_proxy", "NO_PROXY")


@functools.cache
def pyogrio() -> Any:
    """Pyogrio with the drivers of `_OFF` missing."""
    os.environ.update(_SETTINGS)
    for name in _DETOURS:
        # Of the process's own environment, which GDAL reads; Python's clients go by os.environ.
        os.unsetenv(name)
    with _without("pyproj", "shapely"):
        import pyogrio as package  # noqa: PLC0415 - the environment comes first
        import pyogrio.raw  # noqa: PLC0415

    return package


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Packages that are imported where they are installed, seem not to be.

    pyogrio wants these for data frames alone: a third of the time that its import takes.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
