"""A load from beginning to end: parts into staging tables, all published in one transaction."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from loading.checksum import Checksum
from loading.find import find
from loading.layers import Layer
from loading.looking import cost_of, measure
from loading.opening import open_parts, parts_of_layers
from loading.options import Options
from loading.parts import Context, Filled, Part
from loading.postgis import bounding_box, postgis_schema
from loading.targets import prepare, table_names
from locaria_reporter import Fatal, Refused, Retry, Run, Staging, TooManyRejects

# What looking at a file and loading it weigh together; how that divides depends on the format.
_READING = 92


def load(run: Run, options: Options | None = None) -> None:
    """Load the file that a run's parameters name, and finish the run.

    Args:
        run: the run.
        options: instead of those in the run's parameters.

    Raises:
        Fatal: it can't be loaded; the text says why and where. The tables stay as they were.
    """
    began = time.monotonic()
    options = options or Options.of(run.parameters)
    run.plan(
        download=20 if "://" in options.path else 0, inspect=0, load=_READING, index=6, publish=2
    )
    run.stage("download")
    check_scripts(run, options)
    path, name = find(run, options.path, run.parameters.get("credentials"))
    load_file(run, path, name, options, began=began)


def load_file(
    run: Run, path: Path, name: str, options: Options, *, began: float | None = None
) -> None:
    """Load a file that is here already, and finish the run.

    Args:
        run: the run.
        path: of the file.
        name: as its user knows it; the table is named after it where options name none.
        options: what is asked for.
        began: time.monotonic() of the load's beginning, for the result.

    Of a plan that it has announced, the run should give inspect, load, index and publish a weight
    of 100 in all.
    """
    began = time.monotonic() if began is None else began
    expected, share = cost_of(path, name)
    run.plan(inspect=_READING * share, load=_READING * (1 - share))
    run.stage("inspect")
    run.measure(measure(expected))
    context = Context(run, options, learned=_learned(run))
    check_scripts(run, options)
    context.postgis = postgis_schema(run.connection())
    parts = open_parts(context, path, name)
    context.alone = len(parts) == 1
    load_parts(context, parts, path, name, began)


def load_layers(run: Run, layers: Sequence[Layer], path: Path, name: str, options: Options) -> None:
    """Load tables that a reader of one's own has made, and finish the run.

    Args:
        run: the run.
        layers: the tables.
        path: of the file that they come from, for its size and checksum.
        name: as its user knows it.
        options: what is asked for.
    """
    began = time.monotonic()
    context = Context(run, options, alone=len(layers) == 1, learned=_learned(run))
    context.postgis = postgis_schema(run.connection())
    parts = parts_of_layers(context, layers, path, name)
    load_parts(context, parts, path, name, began)


def load_parts(
    context: Context, parts: Sequence[Part], path: Path, name: str, began: float
) -> None:
    """Load parts, each into a table of its own, and finish the run."""
    run, options = context.run, context.options
    tables = table_names(options, parts, name)
    stagings = prepare(context, parts, tables, path)
    run.stage("load", unit="rows")
    total, before = sum(part.size for part in parts), 0
    filled: list[tuple[Part, str, Staging, Filled]] = []
    for part, table, staging in zip(parts, tables, stagings, strict=True):
        run.count_bytes(before, total)
        context.reached = functools.partial(_count, run, before, total)
        done = _fill(context, part, staging)
        before += part.size
        if staging.rows or part.empty or _may_be_empty(context, part, done):
            filled.append((part, table, staging, done))
    if not filled:
        raise Fatal(f"{name} holds no row in any of its {len(parts)} tables", kind="data")
    run.count_bytes(total, total)
    timings = {"load": round(time.monotonic() - began, 3)}
    checksum = Checksum(path)
    index(context, filled)
    timings["index"] = round(time.monotonic() - began - timings["load"], 3)
    run.stage("publish")
    rows = sum(staging.rows for _, _, staging, _ in filled)
    run.progress(rows, rows)
    result = _result(filled, path, checksum, began, timings)
    words = _words(filled, rows, result["rejected"])
    try:
        run.finish(
            swap=[staging for _, _, staging, _ in filled],
            message=words,
            result=result,
            before=options.before,
            after=options.after,
        )
    except Refused as error:
        raise Fatal(str(error), kind="data") from None
    except (psycopg.IntegrityError, psycopg.errors.InsufficientPrivilege) as error:
        # The table's own constraints and grants: the next attempt would meet them, too.
        detail = f": {error.diag.message_detail}" if error.diag.message_detail else ""
        raise Fatal(f"{error.diag.message_primary}{detail}", kind="data") from None


def _count(run: Run, start: int, total: int, done: int) -> None:
    run.count_bytes(start + done, total)


def _fill(context: Context, part: Part, staging: Staging) -> Filled:
    """Load a part, unless an earlier attempt has done so."""
    filled = staging.checkpoint.get("filled")
    if filled is not None:
        context.run.log.info("%s: all of it was loaded by an earlier attempt", part.label)
        return Filled(**filled)
    try:
        done = part.fill(context, staging)
        staging.write(b"", {"filled": asdict(done)})
    except TooManyRejects as error:
        _begin_again_or_fail(context, part, error)
        raise
    return done


def _may_be_empty(context: Context, part: Part, done: Filled) -> bool:
    """Whether a part that turned out to hold no row becomes a table; of several it is left out."""
    if done.rejected:
        raise Fatal(f"{part.label}: no row could be loaded; {done.why}", kind="data")
    if context.options.allow_empty:
        return True
    if context.alone:
        raise Fatal(
            f"{part.label} holds no row; attribute allow_empty = true makes an empty table",
            kind="data",
        )
    context.run.log.info("%s holds no row and is left out", part.label)
    return False


def index(context: Context, filled: Sequence[tuple[Part, str, Staging, Filled]]) -> None:
    """Indexes and, at the same time, bounding boxes, when all rows are there."""
    run, options = context.run, context.options
    run.stage("index", total=len(filled), unit="tables")
    with ThreadPoolExecutor(1, "bounding-box") as beside:
        for number, (part, _, staging, done) in enumerate(filled, start=1):
            wanted: list[dict[str, Any]] = []
            if options.key:
                wanted.append({"columns": list(options.key), "unique": True})
            wanted += [{"columns": [name]} for name in options.index]
            if part.spatial is None:
                _build(run, staging, wanted)
            else:
                box = beside.submit(bounding_box, run, staging, part.spatial, context.postgis)
                _build(run, staging, [*wanted, {"columns": [part.spatial], "method": "gist"}])
                done.facts["bbox"] = box.result()
            run.progress(number)


def _build(run: Run, staging: Staging, wanted: Sequence[Mapping[str, Any]]) -> None:
    if not wanted:
        return
    try:
        run.connection().execute(
            "select locaria.index_staging(%s, %s, %s::jsonb)",
            [run.id, staging.name, json.dumps(wanted)],
        )
    except psycopg.errors.InvalidSchemaName:
        run.log.warning("outside of Locaria no indexes are built")
    except psycopg.Error as error:
        if (error.sqlstate or "") not in ("LC007", "LC011"):
            raise
        raise Fatal(error.diag.message_primary or str(error), kind="data") from None


def check_scripts(run: Run, options: Options) -> None:
    """Refuse names of scripts that there are not, before anything is downloaded or read."""
    names = [*options.before, *options.after]
    if not names:
        return
    try:
        run.connection().execute("select locaria.check_scripts(%s, %s)", [run.id, names])
    except psycopg.errors.InvalidSchemaName:
        raise Fatal(
            "preSQL, postSQL: outside of Locaria there are no scripts", kind="data"
        ) from None
    except psycopg.Error as error:
        raise Fatal(error.diag.message_primary or str(error), kind="data") from None


def _learned(run: Run) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = run.checkpoint.get("types", {})
    return {part: dict(types) for part, types in found.items()}


def _begin_again_or_fail(context: Context, part: Part, error: TooManyRejects) -> None:
    """Too many bad rows: because a type was too narrow, or because they are bad."""
    run = context.run
    wider = part.widened()
    if not wider or run.attempt >= run.max_attempts:
        raise Fatal(f"{error.message}; the last one: {part.trouble}", kind="data") from None
    context.learned[part.name] = {**context.learned.get(part.name, {}), **wider}
    run.save_checkpoint({**run.checkpoint, "types": context.learned})
    words = ", ".join(f'"{name}" as {kind}' for name, kind in wider.items())
    raise Retry(f"{error.message} ({part.trouble}); loading again with {words}", in_=0) from None


def _result(
    filled: Sequence[tuple[Part, str, Staging, Filled]],
    path: Path,
    checksum: Checksum,
    began: float,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    tables = [
        {
            "table": table,
            "rows": staging.rows,
            "rejected": done.rejected,
            "columns": [{"name": n, "type": t} for n, t in part.columns.items()],
            **({"source": part.name} if part.name else {}),
            **done.facts,
        }
        for part, table, staging, done in filled
    ]
    size = sum(part.size for part, _, _, _ in filled)
    whole: dict[str, Any] = {
        "rows": sum(staging.rows for _, _, staging, _ in filled),
        "rejected": sum(done.rejected for _, _, _, done in filled),
        "bytes": path.stat().st_size if path.is_file() else size,
        "sha256": checksum.value(),
        "seconds": round(time.monotonic() - began, 3),
        "timings": dict(seconds),
    }
    if len(tables) == 1:
        return {**tables[0], **whole}
    return {"tables": tables, **whole}


def _words(filled: Sequence[tuple[Part, str, Staging, Filled]], rows: int, rejected: int) -> str:
    where = filled[0][1] if len(filled) == 1 else f"{len(filled)} tables"
    words = f"{rows:,} rows into {where}"
    return f"{words}, {rejected:,} rejected" if rejected else words
