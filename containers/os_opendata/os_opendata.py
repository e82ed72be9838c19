"""Loads Ordnance Survey's open data: OpenNames, BoundaryLine, OpenUPRN, OpenUSRN.

Asks the OS Downloads API for the newest version, skips one that is loaded already, downloads and
checks the archive, and loads it as file_loader does. Attributes: containers/README.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from credentials import resolve
from downloads_api import Archive, DownloadsApi
from keeping import kept
from loading import Options, check_scripts, load_file
from products import PRODUCTS, Product
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

import locaria_reporter as lr

AREA = "GB"
# What two loads of a version have in common, if the second has nothing to do.
IDENTITY = ("data_set", "version", "md5", "target", "srs")
_LOOK_EVERY = 1.0


def load_product(run: lr.Run) -> None:
    """Load the product that a run is about, unless this version of it is here."""
    began = time.monotonic()
    name, product = chosen(run.parameters)
    credentials = resolve(run, run.parameters.get("credentials"))
    run.plan(wait=0, download=32, inspect=2, load=90, index=6, publish=2)
    wait_for_others(run, name)
    run.stage("download")
    api = DownloadsApi(run, credentials.get("key", credentials.get("token")))
    archive = api.find(name, product.format, AREA)
    options = options_for(run, product, archive)
    if not run.parameters.get("force") and is_loaded(run, archive, options):
        return
    size = f"{archive.size:,} bytes" if archive.size else "of a size that the API does not say"
    run.log.info("%s %s: %s", name, archive.version, size)
    check_scripts(run, options)
    with kept(run, archive.stored_as) as path:
        api.fetch(archive, path)
        readable = product.prepare(run, path, archive.file_name) if product.prepare else path
        load_file(run, readable, archive.file_name, options, began=began)


def wait_for_others(run: lr.Run, name: str) -> None:
    """Wait while an earlier file loads the same product: it is skipped, or forced, after that."""
    run.stage("wait", unit="seconds")
    began = time.monotonic()
    with run.connection().cursor(row_factory=tuple_row) as cursor:
        while True:
            row = cursor.execute(
                "select locaria.find_earlier_run(%s, array['data_set', 'table'])", [run.id]
            ).fetchone()
            if row is None or row[0] is None:
                return
            run.progress(int(time.monotonic() - began), message=f"file {row[0]} loads {name}")
            time.sleep(_LOOK_EVERY)


def chosen(parameters: Mapping[str, Any]) -> tuple[str, Product]:
    """The product that the attribute data_set names.

    Raises:
        Fatal: there is none of that name.
    """
    name = parameters.get("data_set")
    if not isinstance(name, str) or name not in PRODUCTS:
        raise lr.Fatal(
            f"attribute data_set: {name!r} is given, one of {', '.join(PRODUCTS)} is needed",
            kind="data",
        )
    return name, PRODUCTS[name]


def options_for(run: lr.Run, product: Product, archive: Archive) -> Options:
    """The loader's options: the attributes', and what is known of the product."""
    given = {name: value for name, value in run.parameters.items() if value != ""}
    table = given.get("table") or product.table
    options = Options.of({**given, "path": archive.url, "table": table})
    labels = {
        **options.labels,
        "data_set": archive.product,
        "version": archive.version,
        "md5": archive.md5,
        "target": options.table,
        "srs": options.srs,
    }
    return replace(options, index=options.index or product.index, labels=labels)


def is_loaded(run: lr.Run, archive: Archive, options: Options) -> bool:
    """Whether this version is loaded under this name; then the run is finished."""
    same = {name: options.labels[name] for name in IDENTITY}
    with run.connection().cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(
            "select table_schema || '.' || table_name, row_count, is_there"
            " from locaria.find_published(%s, %s)",
            [run.id, Jsonb(same)],
        ).fetchall()
    if not found or not all(there for _, _, there in found):
        return False
    tables = [{"table": table, "rows": rows} for table, rows, _ in found]
    words = f"{archive.product} {archive.version} is loaded already: nothing to do"
    result = {"skipped": True, "version": archive.version, "tables": tables}
    run.finish(message=words, result=result)
    return True


def main() -> None:
    """Load the products that are asked for, then leave."""
    for run in lr.claims():
        with run:
            load_product(run)


if __name__ == "__main__":
    main()
