"""A layer, a sheet or a Parquet file: Arrow batches into a staging table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from loading.appending import into_column
from loading.arrow_load import ArrowLoad, Encoded, beforehand, row_text
from loading.arrow_types import as_sent, column_for
from loading.copies import Copies
from loading.encode import Encoder
from loading.geometry import Bounds, Target, loosest_kind, target_for
from loading.layers import BadRow, Layer
from loading.names import column_names
from loading.options import Options
from loading.parts import Context, Filled, NoRows
from locaria_reporter import Fatal, Run, Staging, TooManyRejects

_GEOMETRY = "geometry"


class ArrowPart:
    """A layer, and what its columns become.

    Args:
        layer: what a reader made.
        label: file and layer, for messages; `name`: what is added to the table's name.
        options: what is asked for.
        size, fingerprint: of the file (a layer's share of it).
        postgis: the schema of PostGIS, None where there is none.
        known: whether PostGIS has a reference system of this number.
        learned: types that an earlier attempt found to be needed, by column.
    """

    def __init__(
        self,
        layer: Layer,
        label: str,
        options: Options,
        *,
        name: str,
        size: int,
        fingerprint: str,
        postgis: str | None,
        known: Callable[[int], bool],
        learned: Mapping[str, str],
    ) -> None:
        self.label, self.name = label, name
        self.size, self.fingerprint = size, fingerprint
        self.empty = layer.rows == 0
        self._layer, self._options = layer, options
        self._bounds = Bounds()
        self._load: ArrowLoad | None = None
        self._notes: list[str] = []
        self._postgis, self._known = postgis, known
        geometry = layer.geometry
        # By their places: names of Parquet's columns may be there twice.
        self._places = [
            n for n, f in enumerate(layer.schema) if geometry is None or f.name != geometry.column
        ]
        self._fields = [layer.schema.field(n) for n in self._places]
        names = column_names([field.name for field in self._fields])
        if options.columns is not None:
            names = _renamed(names, options, label)
        self._sent = dict(zip(names, map(column_for, self._fields), strict=True))
        kinds = {
            n: (layer.kinds or {}).get(f.name) or self._sent[n].kind
            for n, f in zip(names, self._fields, strict=True)
        }
        for column, kind in options.types.items():
            if column not in kinds and column != _GEOMETRY:
                raise Fatal(
                    f"attribute types: {label} has no column {column!r}; "
                    f"it has {', '.join(map(repr, names[:50]))}",
                    kind="data",
                )
            kinds[column] = kind
        self._target = self._target_for(names, learned)
        if self._target is not None:
            kinds |= self._target.kinds
        self.columns: Mapping[str, str] = kinds
        self.spatial = self._target.spatial if self._target else None
        if self.empty and not options.allow_empty:
            raise NoRows(label, f"has no {layer.row_word}")

    def _target_for(self, names: Sequence[str], learned: Mapping[str, str]) -> Target | None:
        geometry, options = self._layer.geometry, self._options
        if geometry is None:
            return None
        name = column_names([*names, _GEOMETRY])[-1]
        return target_for(
            geometry,
            self.label,
            name=name,
            postgis=self._postgis,
            known=self._known,
            source_srs=options.source_srs,
            srs=options.srs,
            kind=options.types.get(name) or learned.get(name),
            invalid=options.invalid_geometries,
            bounds=self._bounds,
        )

    def fill(self, context: Context, staging: Staging) -> Filled:
        """Load all rows into the staging table."""
        run, layer = context.run, self._layer
        run.log.info("%s: %s", self.label, _described(layer, len(self.columns)))
        self._notes = [*layer.notes, *self._srid_notes()]
        for note in self._notes:
            run.log.warning("%s: %s", self.label, note)
        self._bounds.box = list(staging.checkpoint.get("facts", {}).get("bbox", ()))
        columns = [*self._sent.values(), *(self._target.columns.values() if self._target else ())]
        names = [*self._sent, *(self._target.columns if self._target else ())]
        there = _types_of(run, staging)
        if self._target is not None and self.spatial is not None and self._options.adds:
            self._target = into_column(self._target, there[self.spatial], self.label)
        encoder = Encoder(names, columns, there)
        load = self._load = ArrowLoad(
            run,
            staging,
            names=names,
            word=layer.row_word,
            first=layer.first,
            encoder=encoder,
            facts=self._facts,
        )
        if load.done:
            run.log.info("going on behind %s %s", layer.row_word, f"{load.done:,}")
        copies = Copies(run, staging, load, self.size)
        try:
            self._copy(context, load, beforehand(self._pieces(encoder, load.done)), copies)
        finally:
            copies.close()
        return Filled(load.rejected, load.trouble.last, self._facts())

    def _srid_notes(self) -> list[str]:
        srid = self._target.srid if self._target and self.spatial else 0
        if not srid or self._known(srid):
            return []
        return [f"PostGIS does not know SRID {srid} (spatial_ref_sys), and can't reproject from it"]

    def _copy(
        self,
        context: Context,
        load: ArrowLoad,
        pieces: Iterator[Encoded | BadRow],
        copies: Copies[Encoded],
    ) -> None:
        for piece in pieces:
            if isinstance(piece, BadRow):
                # The checkpoint of the batch before it counts the bad rows before that one.
                copies.settle()
                load.reject(piece)
            else:
                copies.put(piece)
            self._reached(context, load)
        copies.settle()
        self._reached(context, load)

    def _reached(self, context: Context, load: ArrowLoad) -> None:
        if self.widened() and context.run.attempt < context.run.max_attempts:
            raise TooManyRejects("a geometry is not of the kind that the layer declares")
        context.reached(self._position(load.done))

    def _pieces(self, encoder: Encoder, skip: int) -> Iterator[Encoded | BadRow]:
        """What is read, converted and encoded, by a thread of its own."""
        done = skip
        for item in self._layer.read(skip):
            if isinstance(item, BadRow):
                done = item.index + 1
                yield item
            else:
                for start, good in self._good(item, done):
                    if isinstance(good, BadRow):
                        yield good
                    elif good.num_rows:
                        arrays = self._arrays(good)
                        yield Encoded(arrays, start, good.num_rows, encoder.encode(arrays))
                done += item.num_rows

    def _good(
        self, batch: pa.RecordBatch, done: int
    ) -> Iterator[tuple[int, BadRow | pa.RecordBatch]]:
        """The batch, cut at geometries that can't be read or are to be refused; with indexes."""
        at = 0
        for index, why in self._bad_geometries(batch).items():
            yield done + at, batch.slice(at, index - at)
            text = row_text([batch.column(place) for place in self._places], index)
            bad = BadRow(done + index, text, f"invalid geometry: {why}")
            yield bad.index, bad
            at = index + 1
        yield done + at, batch.slice(at)

    @property
    def _geometry_name(self) -> str | None:
        return self._layer.geometry.column if self._layer.geometry else None

    def _bad_geometries(self, batch: pa.RecordBatch) -> dict[int, str]:
        if self._target is None or self._target.flaws is None:
            return {}
        return self._target.flaws(batch.column(self._geometry_name))

    def _arrays(self, batch: pa.RecordBatch) -> list[pa.Array]:
        schema = self._layer.schema
        arrays = [
            as_sent(batch.column(place), schema.field(place), column)
            for place, column in zip(self._places, self._sent.values(), strict=True)
        ]
        if self._target is not None and self._layer.geometry is not None:
            arrays += self._target.convert(batch.column(self._layer.geometry.column))
        return arrays

    def _position(self, done: int) -> int:
        layer = self._layer
        if layer.rows:
            return self.size * min(done, layer.rows) // layer.rows
        return min(self.size, layer.position()) if layer.position else 0

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"notes": self._notes} if self._notes else {}
        if self._target is not None:
            facts |= {"srid": self._target.srid, "geometry": self._target.spatial or _GEOMETRY}
            if self._bounds.box:
                facts["bbox"] = list(self._bounds.box)
        return facts

    def widened(self) -> dict[str, str]:
        """The loosest type of geometry, where the declared one was wrong."""
        if self._load is None or self.spatial is None or self._postgis is None:
            return {}
        if self._options.mode == "append":
            return {}  # The column is what it is.
        loosest = loosest_kind(self._postgis)
        if self.spatial in self._load.trouble.by_column and self.columns[self.spatial] != loosest:
            return {self.spatial: loosest}
        return {}

    @property
    def trouble(self) -> str:
        """What was wrong with the last bad row."""
        return self._load.trouble.last if self._load is not None else ""


def _renamed(names: Sequence[str], options: Options, label: str) -> list[str]:
    given = list(options.columns or ())
    if len(given) != len(names):
        raise Fatal(
            f"attribute columns: {len(given)} names are given, {label} has {len(names)} columns",
            kind="data",
        )
    return column_names(given)


def _described(layer: Layer, columns: int) -> str:
    rows = "" if layer.rows is None else f"{layer.rows:,} {layer.row_word}s, "
    kind = f", {layer.geometry.kind}" if layer.geometry else ""
    return f"{rows}{columns} columns{kind}"


def _types_of(run: Run, staging: Staging) -> dict[str, str]:
    """The types of the staging table's columns: in mode append and merge those of the target."""
    rows = run.connection().execute(
        "select attname, format_type(atttypid, atttypmod) as kind from pg_catalog.pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
        [staging.name],
    )
    return {row["attname"]: row["kind"] for row in map(dict, rows)}
