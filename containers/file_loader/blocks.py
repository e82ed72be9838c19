"""Cuts a stream of CSV into blocks of whole rows, looking at bytes by the million.

A line end belongs to a value where the number of quotes before it is odd: COPY counts in the same
way. Rows begin outside of quotes, so each block does, and nothing is carried over between blocks.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from detect import Dialect

BLOCK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """Whole rows.

    Attributes:
        data: the rows as they stand in the file (in UTF-8).
        offset: of the first byte, in the decoded stream.
        line: of the first row, 1 is the file's first.
        position: how many bytes of the file itself have been read, for progress.
        unclosed: a single line, whose quote is not closed within a whole block.
    """

    data: bytes
    offset: int
    line: int
    position: int
    unclosed: bool = False


def cut_blocks(
    read: Callable[[int], bytes],
    position: Callable[[], int],
    dialect: Dialect,
    *,
    offset: int = 0,
    line: int = 1,
    size: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """The stream in blocks of whole rows, each of about `size` bytes, in order.

    A row may be as long as a block; where a quote is not closed within that, its first line is
    handed out as `unclosed` and the next line is taken for the beginning of a row.

    Args:
        read: the next bytes of the stream, at most that many; b"" at its end.
        position: of the file itself.
        dialect: quote and line end.
        offset, line: where in the stream `read` begins.
        size: bytes of a block.
    """
    newline, quote = dialect.newline_byte, dialect.quote_byte
    rest = b""
    ended = False
    while not ended or rest:
        full = len(rest) > size
        chunk = b"" if ended or full else read(size)
        ended = ended or (not chunk and not full)
        data = rest + chunk if rest else chunk
        end = _last_row_end(data, newline, quote, ended)
        unclosed = end == 0 and (ended or len(data) > size) and bool(data)
        if unclosed:
            end = data.find(newline) + 1 or len(data)
        if end:
            block = data if end == len(data) else data[:end]
            yield Block(block, offset, line, position(), unclosed)
            offset += end
            line += block.count(newline)
        rest = data[end:]


def _last_row_end(data: bytes, newline: bytes, quote: bytes, ended: bool) -> int:
    """Where the last whole row of `data` ends; 0 when there is none."""
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
            for block in blocks:
                ready.put(block)
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
