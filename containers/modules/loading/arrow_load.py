"""Arrow batches into a staging table; of a batch with bad rows, all but those."""

from __future__ import annotations

import queue
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import psycopg
import pyarrow as pa

from loading.arrow_types import is_bytes
from loading.copies import Wire
from loading.encode import Encoder
from loading.layers import BadRow
from locaria_reporter import Run, Staging

T = TypeVar("T")
_LINE = re.compile(r"COPY [^,]*, \D*(\d+)(?:, column (.*?))?(?:: |$)", re.DOTALL)
# Data exceptions, broken constraints, a row larger than a page, what PostGIS says of a geometry.
_OF_A_ROW = ("22", "23", "54", "XX000")
_SHOWN = 200


class Encoded(NamedTuple):
    """A batch as it is sent.

    Attributes:
        arrays: its columns.
        start: index of its first row; bad rows before it count.
        rows: how many it has.
        data: COPY's bytes.
    """

    arrays: Sequence[pa.Array]
    start: int
    rows: int
    data: bytes

    @property
    def end(self) -> int:
        """Index of what comes after it."""
        return self.start + self.rows


@dataclass
class Trouble:
    """What was wrong, by column."""

    rejected: int = 0
    last: str = ""
    by_column: Counter[str] = field(default_factory=Counter)


class ArrowLoad:
    """Fills one staging table.

    Args:
        run: to report to.
        staging: the table.
        names: of the columns that are sent; `word`: what a row is called.
        first: how the first row is counted.
        encoder: makes COPY's bytes.
        facts: what is known of the rows so far; kept with each checkpoint.
    """

    def __init__(
        self,
        run: Run,
        staging: Staging,
        *,
        names: Sequence[str],
        word: str,
        first: int,
        encoder: Encoder,
        facts: Callable[[], dict[str, Any]],
    ) -> None:
        self._run = run
        self._staging = staging
        self._names, self._word, self._first = names, word, first
        self._encoder = encoder
        self._facts = facts
        self._before = int(staging.checkpoint.get("rejected", 0))
        self.done = int(staging.checkpoint.get("row", 0))
        self.trouble = Trouble()
        self._told = self.rejected

    @property
    def rejected(self) -> int:
        """Rows set aside so far, those of earlier attempts included."""
        return self._before + self.trouble.rejected

    def add(self, batch: Encoded) -> None:
        """Load a batch; its bad rows are set aside."""
        self.done = batch.start
        if self._try(batch.data, batch.end) is not None:
            self._salvage(batch.arrays, 0, batch.rows)
        self.done = batch.end
        if self.owes:
            self._told = self.rejected
            self._staging.write(b"", self.checkpoint(batch))

    @property
    def owes(self) -> bool:
        """Whether bad rows are not stored yet: they are with what is written next."""
        return self.rejected != self._told

    def wire(self, batch: Encoded) -> Wire:
        """As COPY takes it."""
        return Wire(batch.data, self._encoder.options, self._names)

    def checkpoint(self, batch: Encoded) -> dict[str, Any]:
        """Where a later attempt goes on behind it."""
        return self._checkpoint(batch.end)

    def stored(self, batch: Encoded) -> None:
        """It has been stored as it stands."""
        self.done = batch.end

    def _salvage(self, arrays: Sequence[pa.Array], at: int, end: int) -> None:
        """Load the rows from `at` to `end`, except those that are bad."""
        while at < end:
            data = self._encoder.encode([array.slice(at, end - at) for array in arrays])
            error = self._try(data, self.done + end)
            if error is None:
                return
            bad = _row_of(error)
            if bad is None or not 0 <= bad < end - at:
                # The server does not say which it is.
                middle = at + (end - at) // 2
                if middle == at:
                    bad = 0
                else:
                    self._salvage(arrays, at, middle)
                    at = middle
                    continue
            self._salvage(arrays, at, at + bad)
            self._reject(arrays, at + bad, error)
            at += bad + 1

    def _try(self, data: bytes, reached: int) -> psycopg.Error | None:
        # Bad rows are stored before the batch, whether it can be or not.
        self._told = self.rejected
        try:
            self._staging.write(
                data,
                self._checkpoint(reached),
                options=self._encoder.options,
                columns=self._names,
            )
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith(_OF_A_ROW):
                raise
            return error
        return None

    def _checkpoint(self, reached: int) -> dict[str, Any]:
        return {"row": reached, "rejected": self.rejected, "facts": self._facts()}

    def _reject(self, arrays: Sequence[pa.Array], index: int, error: psycopg.Error) -> None:
        found = _LINE.search(error.diag.context or "")
        column = found[2] if found and found[2] else None
        reason = (error.diag.message_primary or str(error)).strip()
        if column is not None:
            self.trouble.by_column[column] += 1
            value = _shown(arrays, self._names, column, index)
            reason = f'column "{column}"{value}: {reason}'
        self.reject(BadRow(self.done + index, row_text(arrays, index), reason))

    def reject(self, bad: BadRow) -> None:
        """Set a row aside."""
        number = self._first + bad.index
        self.trouble.rejected += 1
        self.trouble.last = f"{self._word} {number:,}: {bad.reason}"
        self._run.reject(bad.text, f"{self._word} {number:,}: {bad.reason}", line=number)


def _row_of(error: psycopg.Error) -> int | None:
    found = _LINE.search(error.diag.context or "")
    return int(found[1]) - 1 if found else None


def _shown(arrays: Sequence[pa.Array], names: Sequence[str], column: str, index: int) -> str:
    if column not in names:
        return ""
    value = arrays[names.index(column)][index]
    if is_bytes(value.type):
        return ""
    return f", value {_value_text(value)!r}"


def row_text(arrays: Sequence[pa.Array], index: int) -> str:
    """A row for who looks at what was set aside."""
    return ", ".join(_value_text(array[index]) for array in arrays)


def _value_text(value: pa.Scalar) -> str:
    if is_bytes(value.type) and value.is_valid:
        return "(bytes)"
    try:
        return str(value.as_py())[:_SHOWN]
    except (OverflowError, ValueError):
        return f"{value.type} {getattr(value, 'value', '')}"  # Of a year that Python has not.


def beforehand(items: Iterator[T], waiting: int = 2) -> Iterator[T]:
    """The items, made by a thread while the caller works on the one before."""
    ready: queue.Queue[T | BaseException | None] = queue.Queue(maxsize=waiting)
    left = threading.Event()

    def put(item: T | BaseException | None) -> None:
        while not left.is_set():
            try:
                ready.put(item, timeout=1)
            except queue.Full:
                continue
            return

    def work() -> None:
        last: BaseException | None = None
        try:
            for item in items:
                put(item)
                if left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed over: raised in the caller's thread
            last = error
        put(last)

    threading.Thread(target=work, name="read-ahead", daemon=True).start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
