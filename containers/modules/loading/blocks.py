"""Cuts a stream of CSV into blocks of whole rows, looking at bytes by the million.

A line end belongs to a value where the number of quotes before it is odd: COPY counts in the same
way; a quote behind an escape does not count. Rows begin outside of quotes, so each block does, and
nothing is carried over between blocks.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loading.delimiters import Sent, as_sent, rewritten
from loading.dialect import Dialect
from loading.quotes import has_misplaced


@dataclass(frozen=True, slots=True)
class Block:
    """Whole rows.

    Attributes:
        data: the rows as they stand in the file (in UTF-8).
        offset: of the first byte, in the decoded stream.
        line: of the first row, 1 is the file's first.
        lines: how many there are.
        plain: there is no quote and no backslash.
        misplaced: it has to be taken apart: there is a quote in the middle of a field.
        position: how many bytes of the file itself have been read, for progress.
        unclosed: a single line, whose quote is not closed within a whole block.
        sent: the rows as COPY takes them, where that is not `data`.
    """

    data: bytes
    offset: int
    line: int
    lines: int
    position: int
    plain: bool
    unclosed: bool = False
    misplaced: bool = False
    sent: Sent | None = None


class Blocks(Iterator[Block]):
    """The stream in blocks of whole rows, each of about `size` bytes, in order.

    A row may be as long as a block; where a quote is not closed within that, its first line is
    handed out as `unclosed` and the next line is taken for the beginning of a row. Of a line that
    is longer still, only the beginning is handed out.

    Args:
        read: the next bytes of the stream, at most that many; b"" at its end.
        position: of the file itself.
        dialect: quote and line end.
        offset, line: where in the stream `read` begins.
        size: bytes of a block.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        position: Callable[[], int],
        dialect: Dialect,
        *,
        offset: int = 0,
        line: int = 1,
        size: int,
    ) -> None:
        self._read = read
        self._position = position
        self._dialect = dialect
        self._newline, self._quote = dialect.newline_byte, dialect.quote_byte
        self._offset, self._line, self._size = offset, line, size
        self._rest = b""
        self._ended = False
        self._too_long = False

    def __next__(self) -> Block:
        # Nothing large stays behind in this frame or in an attribute: memory is counted in blocks.
        while True:
            data = self._more()
            if not data:
                raise StopIteration
            if self._too_long:
                self._skip_line(data)
                continue
            end = _last_row_end(data, self._dialect, self._ended)
            unclosed = end == 0 and (self._ended or len(data) > self._size)
            if unclosed:
                end = data.find(self._newline) + 1 or len(data)
                self._too_long = not (self._ended or data.endswith(self._newline, 0, end))
            self._rest = data[end:]
            if end:
                return self._made(data if end == len(data) else data[:end], unclosed)

    def _more(self) -> bytes:
        if self._ended or len(self._rest) > self._size:
            return self._rest
        chunk = self._read(self._size)
        self._ended = not chunk
        return self._rest + chunk if self._rest else chunk

    def _skip_line(self, data: bytes) -> None:
        """The rest of a line whose beginning was handed out."""
        end = data.find(self._newline) + 1
        self._too_long = end == 0
        self._rest = data[end:] if end else b""
        self._offset += end or len(data)
        self._line += 1 if end else 0

    def _made(self, data: bytes, unclosed: bool) -> Block:
        lines = data.count(self._newline)
        plain = b"\\" not in data and not (self._quote and self._quote in data)
        sent, misplaced = None, False
        if not self._too_long:
            sent, misplaced = _as_copied(data, self._dialect, plain)
        at = (self._offset, self._line, lines, self._position())
        block = Block(data, *at, plain, unclosed, misplaced, sent)
        self._offset += len(data)
        self._line += lines
        return block


def _as_copied(data: bytes, dialect: Dialect, plain: bool) -> tuple[Sent | None, bool]:
    """Whole rows as COPY takes them, None as they are; whether they have to be taken apart."""
    if not dialect.quote and not plain and dialect.copied.quote_byte in data:
        # COPY is told of a quote where there is none.
        return None, True
    return (None, has_misplaced(data, dialect)) if dialect.direct else as_sent(data, dialect)


def pieces(block: Block, dialect: Dialect, size: int) -> Iterator[Block]:
    """A block in smaller ones of about `size` bytes; of more, where a row is longer."""
    newline = dialect.newline_byte
    start, line, length = 0, block.line, size
    while start < len(block.data):
        data = block.data[start : start + length]
        end = _last_row_end(data, dialect, ended=start + length >= len(block.data))
        if end == 0 and len(data) == length:
            length *= 2
            continue
        piece = data[:end] if end else data
        lines = piece.count(newline)
        at = (block.offset + start, line, lines, block.position)
        sent = None if dialect.direct else rewritten(piece, dialect)
        yield Block(piece, *at, block.plain, sent=sent)
        start, line, length = start + len(piece), line + lines, size


def _last_row_end(data: bytes, dialect: Dialect, ended: bool) -> int:
    """Where the last whole row of `data` ends; 0 when there is none."""
    newline, quote = dialect.newline_byte, dialect.quote_byte
    if dialect.escape:
        data = dialect.masked(data)
    end = len(data) if ended else data.rfind(newline) + 1
    if not quote or not end or data.count(quote, 0, end) % 2 == 0:
        return end
    # Inside of quotes here: back to the line end before the quote that opened, and look again.
    while end:
        opened = data.rfind(quote, 0, end)
        before = data.rfind(newline, 0, opened) + 1
        if data.count(quote, before, end) % 2:
            return before
        end = before
    return 0


def ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks, the next one being read by a thread while the caller works on one."""
    ready: queue.Queue[Block | BaseException | None] = queue.Queue(maxsize=1)
    left = threading.Event()

    def work() -> None:
        last: BaseException | None = None
        try:
            while (block := next(blocks, None)) is not None:
                ready.put(block)
                del block
                if left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - handed over: raised in the caller's thread
            last = error
        ready.put(last)

    # A daemon: a read that hangs must not keep a process alive that was told to go.
    threading.Thread(target=work, name="read-ahead", daemon=True).start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        if not ready.empty():
            ready.get_nowait()
