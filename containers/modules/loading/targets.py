"""The tables that a load makes, and the staging tables that it fills for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loading.names import distinct, safe_name, table_name
from loading.options import Options
from loading.parts import Context, Part
from locaria_reporter import Fatal, Refused, Run, Staging


def table_names(options: Options, parts: Sequence[Part], name: str) -> list[str]:
    """The tables' names: the file's, and behind it the part's where there are several."""
    whole = options.table or table_name(name)
    if not whole:
        raise Fatal(f"no table name can be made of {name!r}: give attribute table", kind="data")
    if len(parts) == 1:
        return [whole]
    wanted = [f"{whole}_{safe_name(part.name)}".rstrip("_") for part in parts]
    return distinct(wanted)


def prepare(
    context: Context, parts: Sequence[Part], tables: Sequence[str], path: Path
) -> list[Staging]:
    """The staging tables; an earlier attempt's, as far as they were filled from the same."""
    run = context.run
    version = _version(run, path)
    sources = [f"{part.fingerprint}{version}" for part in parts]
    before: dict[str, str] = run.checkpoint.get("sources", {})
    for part, table, source in zip(parts, tables, sources, strict=True):
        if before.get(table, source) != source:
            run.log.warning("%s has changed since the last attempt: beginning again", part.label)
    # What holds for all tables; where the rows of each end is kept with it.
    run.save_checkpoint(types=context.learned, sources=dict(zip(tables, sources, strict=True)))
    return [
        _staging(context, part, table, source)
        for part, table, source in zip(parts, tables, sources, strict=True)
    ]


def _version(run: Run, path: Path) -> str:
    """When the file was last written; nothing for what each attempt downloads anew."""
    return "" if path.is_relative_to(run.temporary) else f" {path.stat().st_mtime_ns}"


def _staging(context: Context, part: Part, table: str, source: str) -> Staging:
    try:
        options = context.options
        return context.run.staging(
            table,
            part.columns,
            mode=options.mode,
            key=options.key,
            load_run=options.load_run,
            keep_previous=options.keep_previous,
            labels=options.labels,
            source=source,
            own_checkpoint=True,
        )
    except Refused as error:
        raise Fatal(str(error), kind="data") from None
