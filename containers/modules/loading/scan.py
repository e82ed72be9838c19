"""One pass over a layer for what its declaration does not tell."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from loading.infer import TEXT, infer, join
from loading.kinds import Kinds


@dataclass
class Scan:
    """What is looked for, and what was seen.

    Attributes:
        geometry: the column whose kinds are wanted.
        texts: columns of text whose types are wanted.
        documents: columns that may be JSON, or may not.
        kinds: of the geometries.
        types: column → type, of the `texts`.
        plain: those of the `documents` that hold something else as well.
    """

    geometry: str | None
    texts: Collection[str] = ()
    documents: Collection[str] = ()
    kinds: Kinds = field(default_factory=Kinds)
    types: dict[str, str] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)

    def over(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Look at all of a layer."""
        for batch in batches:
            if self.geometry is not None:
                self.kinds.add(batch.column(self.geometry))
            for name in self.texts:
                self._add_type(name, batch.column(name))
            for name in set(self.documents) - self.plain:
                values = _plain(batch.column(name))
                nested = pc.match_substring_regex(values, r"^\s*[\[{]")
                if not pc.all(nested, min_count=0).as_py():
                    self.plain.add(name)

    def _add_type(self, name: str, values: pa.Array) -> None:
        known = self.types.get(name)
        values = pc.unique(_plain(values)).to_pylist() if known != TEXT else []
        if values:
            self.types[name] = join(known, infer(values))


def _plain(values: pa.Array) -> pa.Array:
    """The values that there are, without an extension around their type."""
    return pc.drop_null(values.storage if isinstance(values, pa.ExtensionArray) else values)
