"""Cutting a stream into blocks of whole rows, compared with Python's csv module."""

import csv
import io
import random

import pytest

from tests.containers import conftest  # noqa: F401 - puts the loader's modules on the path

from loading.blocks import Block, Blocks, ahead, pieces  # isort: skip
from loading.dialect import Dialect  # isort: skip
from loading.quotes import has_misplaced  # isort: skip
from loading.rows import read_rows  # isort: skip

HINT = r'; if \" is a quote in it, say so: attribute escape'
PIECES = ["a", "b c", ",", '"', "\n", "ä", "", "1", "\\", "''", ",,", "\t"]


def random_csv(seed: int, newline: str) -> tuple[bytes, int]:
    """Random rows, written by Python's csv module; the bytes and the number of columns."""
    chance = random.Random(seed)
    columns = chance.randint(2, 5)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=newline)
    for _ in range(chance.randint(0, 60)):
        writer.writerow(
            "".join(chance.choices(PIECES, k=chance.randint(0, 4))) for _ in range(columns)
        )
    return out.getvalue().encode(), columns


def cut(data: bytes, size: int, dialect: Dialect | None = None) -> list[Block]:
    stream = io.BytesIO(data)
    return list(ahead(Blocks(stream.read, stream.tell, dialect or Dialect(), size=size)))


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_blocks_are_whole_rows_and_lose_no_byte(newline: str) -> None:
    for seed in range(300):
        data, _ = random_csv(seed, newline)
        longest = max(map(len, data.splitlines(keepends=True)), default=1) * 8
        blocks = cut(data, random.Random(seed).randint(longest, longest + 200))
        assert b"".join(block.data for block in blocks) == data
        offset, line = 0, 1
        for block in blocks:
            assert not block.unclosed
            assert (block.offset, block.line) == (offset, line)
            assert block.lines == block.data.count(b"\n")
            offset, line = offset + len(block.data), line + block.lines
        rows = [
            row
            for block in blocks
            for row in csv.reader(io.StringIO(block.data.decode(), newline=""))
        ]
        assert rows == list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize("size", [1, 10, 100])
def test_pieces_of_a_block_are_whole_rows_and_lose_no_byte(size: int) -> None:
    for seed in range(200):
        data, _ = random_csv(seed, "\n")
        block = Block(data, 100, 10, data.count(b"\n"), 0, plain=False)
        offset, line = 100, 10
        for piece in pieces(block, Dialect(), size):
            assert (piece.offset, piece.line) == (offset, line)
            assert piece.data.count(b'"') % 2 == 0
            offset, line = offset + len(piece.data), line + piece.lines
        assert (offset, line) == (100 + len(data), 10 + block.lines)


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_rows_are_those_of_the_csv_module(newline: str) -> None:
    for seed in range(300):
        data, columns = random_csv(seed, newline)
        rows = list(read_rows(data, Dialect(), columns, line=1))
        assert [row.flaw for row in rows] == [None] * len(rows)
        parsed = [next(csv.reader(io.StringIO(r.data.decode(), newline=""))) for r in rows]
        expected = list(csv.reader(io.StringIO(data.decode(), newline="")))
        assert parsed == [row for row in expected if row]
        assert not rows or rows[-1].end == len(data)


def test_a_quote_that_is_never_closed_costs_one_line() -> None:
    lines = [f"{n},x\n".encode() for n in range(1000)]
    lines[500] = b'500,"x\n'
    blocks = cut(b"".join(lines), size=700)
    assert [(b.line, b.data) for b in blocks if b.unclosed] == [(501, lines[500])]
    assert b"".join(b.data for b in blocks) == b"".join(lines)


def test_a_line_longer_than_two_blocks_is_handed_out_and_the_rest_goes_on() -> None:
    blocks = cut(b"a,b\n" + b"x" * 5000 + b"\nc,d\n", size=100)
    assert blocks[0].data == b"a,b\n"
    assert blocks[-1].data == b"c,d\n"
    assert all(block.unclosed for block in blocks[1:-1])


def test_quotes_in_the_middle_of_a_field_are_characters() -> None:
    data = b'1,a,x\n2,5" pipe,x\n3,c,"x\ny"\n4,d, "x"\n5" pipe,e"",7"\r\n6,f,"x"\n'
    assert has_misplaced(data, Dialect())
    rows = list(read_rows(data, Dialect(), 3, line=1))
    assert [(row.line, row.flaw, row.meant) for row in rows] == [
        (1, None, None),
        (2, None, b'2,"5"" pipe",x'),
        (3, None, None),
        (5, None, None),
        (6, None, b'"5"" pipe","e""""","7"""'),
        (7, None, None),
    ]


def test_quotes_that_make_no_sense_cost_their_line_and_none_after_it() -> None:
    data = b'1,"a 6" pipe",x\n2,"b,x\n3,"c",x\n4,"d\\" "",x\n5,"e""",x\n6,"f,x\n7,g,x\n'
    assert has_misplaced(data, Dialect())
    rows = list(read_rows(data, Dialect(), 3, line=1))
    assert [(row.line, row.flaw) for row in rows] == [
        (1, "a quote within quotes is not doubled"),
        (2, "a quote is not closed on this line"),
        (3, None),
        (4, rf"a quote within quotes is not doubled{HINT}"),
        (5, None),
        (6, "a quote is not closed"),
        (7, None),
    ]


@pytest.mark.parametrize("times", [1, 30_000], ids=["few", "many"])
def test_a_misplaced_quote_is_seen_wherever_it_is(times: int) -> None:
    fine = b'1,"a, b",""\n2," 5"" pipe","x\ny"\n' * times
    for data in (fine, b'"a",b\n' + fine, b' "a", "b"\n' + fine):
        assert not has_misplaced(data, Dialect())
        for bad in (b'3,5",7"\n', b'3,x"",\n', b'3,"a"" b"c" ",\n'):
            assert has_misplaced(data + bad, Dialect())
            assert has_misplaced(bad + data, Dialect())
    assert not has_misplaced(b'3,5",7"\n' + fine, Dialect(quote=""))


def test_flaws_are_said_with_their_line() -> None:
    data = b'1,2\n1\n\n1,2,3\n"x\ny",2\n1,\0\n'
    rows = list(read_rows(data, Dialect(), 2, line=10))
    assert [(row.line, row.flaw) for row in rows] == [
        (10, None),
        (11, "1 fields where there are 2 columns"),
        (13, "3 fields where there are 2 columns"),
        (14, None),
        (16, "NUL byte at column 2: Postgres has no text with it"),
    ]


def test_an_error_of_the_reader_reaches_the_caller() -> None:
    def read(size: int) -> bytes:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(ahead(Blocks(read, lambda: 0, Dialect(), size=4096)))
