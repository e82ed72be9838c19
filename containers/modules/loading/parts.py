"""What a load consists of: parts, each of which fills one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from loading.options import Options
from locaria_reporter import Fatal, Run, Staging


@dataclass
class Context:
    """What all parts of a load share.

    Attributes:
        alone: there is one part.
        postgis: the schema of PostGIS, None where there is none.
        learned: by part, the types that an earlier attempt found to be needed.
        reached: called with the bytes of the part that are done.
    """

    run: Run
    options: Options
    alone: bool = True
    postgis: str | None = None
    learned: dict[str, dict[str, str]] = field(default_factory=dict)
    reached: Callable[[int], None] = print


class NoRows(Fatal):
    """There is nothing to be loaded of a file, a layer or a member of an archive.

    Args:
        label: of it, for messages.
        lacking: what there is not.
    """

    def __init__(self, label: str, lacking: str) -> None:
        super().__init__(
            f"{label} {lacking}; attribute allow_empty = true makes an empty table", kind="data"
        )


@dataclass
class Filled:
    """What came of a part: rows set aside, what was wrong with the last one, facts to keep.

    It is the last checkpoint of the part's table: JSON alone is in it.
    """

    rejected: int = 0
    why: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Part(Protocol):
    """One table to be made of a file, or of a piece of it."""

    @property
    def label(self) -> str:
        """For messages: 'roads.gpkg, layer "roads"'."""
        ...

    @property
    def name(self) -> str:
        """What it is called in its file: a layer, a sheet, a member of an archive; or ''."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Name → SQL type, of the staging table."""
        ...

    @property
    def size(self) -> int:
        """Bytes to be read, for progress."""
        ...

    @property
    def empty(self) -> bool:
        """Whether it is known to hold no row."""
        ...

    @property
    def spatial(self) -> str | None:
        """The column of PostGIS's type geometry."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes when the file does."""
        ...

    def fill(self, context: Context, staging: Staging) -> Filled:
        """Load all rows into the staging table; those behind `staging.checkpoint`.

        Raises:
            TooManyRejects: more rows are bad than allowed.
        """
        ...

    def widened(self) -> dict[str, str]:
        """After TooManyRejects: wider types for guessed columns that were at fault, if any."""
        ...

    @property
    def trouble(self) -> str:
        """What was wrong with the last bad row."""
        ...
