"""Cutting a stream into blocks of whole rows, compared with Python's csv module."""

import csv
import io
import random
from dataclasses import replace

import pytest

from tests.containers import conftest  # noqa: F401 - puts the loader's modules on the path

from loading import delimiters  # isort: skip
from loading.blocks import Block, Blocks, ahead, pieces  # isort: skip
from loading.delimiters import rewritten  # isort: skip
from loading.dialect import Dialect  # isort: skip
from loading.quotes import has_misplaced  # isort: skip
from loading.rows import read_rows  # isort: skip

HINT = r"; if \" is a quote in it, say so: attribute escape"
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


DIALECTS = [
    *(Dialect(delimiter) for delimiter in ("||", "~|~", "§", "::", "¦", "x", "\\")),
    *(Dialect(delimiter, escape="\\") for delimiter in (",", "\t", "||", "§")),
    Dialect(";", "'", escape="^"),
    Dialect("%%", "'", escape="^"),
]


def random_text(
    seed: int, dialect: Dialect, *, bare: bool = True, alphabet: str = ""
) -> tuple[bytes, list[list[str]]]:
    """Random rows, written in a dialect: the bytes and the rows.

    Args:
        seed: of chance.
        dialect: how they are written.
        bare: without quotes where these are not needed, at times.
        alphabet: further characters.
    """
    chance = random.Random(seed)
    columns = chance.randint(2, 5)
    letters = [*PIECES, "'", "^", "^^", dialect.delimiter, *dialect.delimiter, *alphabet]
    rows = [
        ["".join(chance.choices(letters, k=chance.randint(0, 4))) for _ in range(columns)]
        for _ in range(chance.randint(1, 60))
    ]
    marks = {*dialect.delimiter, dialect.quote, "\n"}

    def written(field: str) -> str:
        if bare and not marks & set(field) and chance.random() < 0.7:
            return field
        escape = dialect.escape or dialect.quote
        text = field.replace(escape, escape * 2)
        if dialect.escape:
            text = text.replace(dialect.quote, escape + dialect.quote)
        return f"{dialect.quote}{text}{dialect.quote}"

    lines = (dialect.delimiter.join(map(written, row)) + dialect.newline for row in rows)
    return "".join(lines).encode(), rows


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


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
def test_rows_of_any_dialect_are_cut_sent_and_read_as_they_are(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimiters, "_STRETCH", 30)
    for seed in range(60):
        data, rows = random_text(seed, dialect)
        longest = max(map(len, data.splitlines(keepends=True))) * 8
        blocks = cut(data, random.Random(seed).randint(longest, longest + 100), dialect)
        assert b"".join(block.data for block in blocks) == data
        sent: list[list[str]] = []
        for block in blocks:
            assert not block.unclosed
            assert not block.misplaced
            assert (block.line, block.lines) == (
                1 + data.count(b"\n", 0, block.offset),
                block.data.count(b"\n"),
            )
            wire, delimiter = block.sent or (block.data, dialect.delimiter)
            assert len(delimiter.encode()) == 1
            assert wire.count(b"\n") == block.lines
            sent += replace(dialect, delimiter=delimiter).parse(wire.decode())
        assert sent == list(dialect.parse(data.decode())) == rows


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
@pytest.mark.parametrize("alphabet", ["", "".join(map(chr, range(1, 32)))], ids=["", "controls"])
def test_rows_of_any_dialect_are_taken_apart_as_they_are(dialect: Dialect, alphabet: str) -> None:
    letters = alphabet.translate({10: None, 13: None})
    for seed in range(40):
        data, rows = random_text(seed, dialect, alphabet=letters)
        block = Block(data, 100, 10, data.count(b"\n"), 0, plain=False)
        if alphabet and not dialect.direct and rewritten(data, dialect) is None:
            assert cut(data, 1 << 20, dialect)[0].misplaced
        start, read = 100, []
        for piece in pieces(block, dialect, 50):
            assert (piece.offset, piece.line) == (start, 10 + data.count(b"\n", 0, start - 100))
            start += len(piece.data)
            for row in read_rows(piece.data, dialect, len(rows[0]), piece.line):
                assert row.flaw is None
                assert row.data in piece.data
                read += dialect.copied.parse((row.meant or row.data).decode())
        assert start == 100 + len(data)
        assert read == rows


@pytest.mark.parametrize(
    "dialect", [each for each in DIALECTS if each.escape and len(each.delimiter) == 1], ids=str
)
def test_escapes_are_those_of_the_csv_module(dialect: Dialect) -> None:
    for seed in range(200):
        data, rows = random_text(seed, dialect, bare=False)
        reader = csv.reader(
            io.StringIO(data.decode(), newline=""),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            escapechar=dialect.escape,
            doublequote=False,
        )
        assert list(reader) == list(dialect.parse(data.decode())) == rows


def test_an_escape_is_one_within_quotes_only() -> None:
    dialect = Dialect(escape="\\")
    data = rb"""1,"a \"b\" \\",C:\
2,5\" pipe,\"x\"
3,"a ""b"" \n",C:\\
4,"a \" b
5,"a" b",c
6,"x\\",\N
"""
    assert cut(data, 1 << 20, dialect)[0].misplaced
    rows = list(read_rows(data, dialect, 3, 1))
    assert [(row.line, row.flaw, row.meant) for row in rows] == [
        (1, None, None),
        (2, None, rb'2,"5\\\" pipe","\\\"x\\\""'),
        (3, None, rb'3,"a \"b\" \n",C:\\'),
        (4, "a quote is not closed on this line", None),
        (5, "a quote within quotes is not escaped", None),
        (6, None, None),
    ]
    for row in (rows[1], rows[2]):
        assert cut(row.data + b"\n", 1 << 20, dialect)[0].misplaced
    for number in (0, 5):
        assert not cut(rows[number].data + b"\n", 1 << 20, dialect)[0].misplaced
    many = (rows[0].data + b"\n") * 20_000
    assert not has_misplaced(many, dialect)
    for number in (1, 2):
        assert has_misplaced(many + rows[number].data + b"\n", dialect)


def test_a_delimiter_ends_a_field_where_it_comes_first() -> None:
    dialect = Dialect("||")
    for data in (b'x|||"b"||c\n', b'a||b" c||d"\n'):
        assert cut(data, 1 << 20, dialect)[0].misplaced
    rows = read_rows(b'x|||"b"||c\n1|||2||\x1f\n', dialect, 3, 1)
    assert [row.meant for row in rows] == [b'x\x1f"|""b"""\x1fc', b'1\x1f|2\x1f"\x1f"']


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
