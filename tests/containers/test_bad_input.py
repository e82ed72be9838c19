"""What is wrong with a file stands on its row, in words, and the table stays as it was."""

import gzip
import os
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.containers.conftest import Loader

GOOD = "id,name\n1,old\n"
MANY = "".join(f"{n},x\n" for n in range(40))


@dataclass
class Bad:
    """Content, attributes, and what last_error must say (a regular expression)."""

    content: bytes | str
    error: str
    attributes: dict[str, Any] = field(default_factory=dict)


UTF16 = "id,name\n1,Zürich\n".encode("utf-16-le")

BAD: dict[str, Bad] = {
    "an empty file": Bad("", r"\.csv is empty: 0 bytes"),
    "only blank lines": Bad("\n\n\r\n", "is empty: there are only blank lines"),
    "only a byte order mark": Bad(b"\xef\xbb\xbf", "is empty"),
    "a header without rows": Bad("id,name\n", "has a header and no rows; .*allow_empty"),
    "only bad rows": Bad("id,name\n1\n2,x,y\n", "no row could be loaded; line 3: 3 fields where"),
    "latin-1, not declared": Bad(
        "id,name\n1,a\n2,Zürich\n".encode("latin-1"),
        r"is not utf-8: byte 0xFC at offset 15, line 3; say by attribute encoding",
    ),
    "wrong bytes far behind the sample": Bad(
        ("id,name\n" + "1,abcdefgh\n" * 150_000).encode() + "2,Zürich\n".encode("latin-1"),
        "is not utf-8: byte 0xFC at offset 1,650,011, line 150,002;",
    ),
    "an encoding that is wrongly declared": Bad(
        "id,name\n1,Zürich\n".encode("latin-1"),
        "is not utf-16-le: byte .* at offset",
        {"encoding": "utf-16"},
    ),
    "half a character at the end": Bad(b"id,name\n1,a\xc3", r"byte 0xC3 at offset 11, line 2"),
    "utf-16 without a mark": Bad(UTF16, r"is no text: every 2\. byte.*utf-16-le"),
    "a mark and another declaration": Bad(
        b"\xef\xbb\xbfa,b\n1,2\n",
        "begins with the byte order mark of utf-8",
        {"encoding": "cp1252"},
    ),
    "an unknown encoding": Bad(GOOD, "attribute encoding: 'klingon'", {"encoding": "klingon"}),
    "an encoding that is none": Bad(GOOD, "attribute encoding: 'hex'", {"encoding": "hex"}),
    "a zip archive": Bad(b"PK\x03\x04\x14\0\0\0", "the zip archive is cut off or damaged"),
    "a Parquet file": Bad(b"PAR1\x15\x04\x15", "the Parquet data is damaged or cut off"),
    "an error page": Bad("<!DOCTYPE html><p>404", "is no table but a web page"),
    "a program": Bad(b"\x7fELF\2\1\1\0\0", "is no table but a program"),
    "a damaged gzip": Bad(gzip.compress(GOOD.encode())[:-9], "gzip data end early or are damaged"),
    "bytes without a line end": Bad(b"a,b," * 600_000, "first row does not end within 1 MB"),
    "1,601 columns": Bad(
        ",".join(f"c{n}" for n in range(1601)) + "\n" + "1," * 1600 + "1\n",
        "1,601 columns: a table has 1,600 at most",
    ),
    "more bad rows than allowed": Bad(
        "id,name\n" + MANY + "x\n" * 11,
        r"11 rows rejected, 10 are allowed; the last one: line 52: 1 fields where there are 2",
        {"reject_limit": 10},
    ),
    "more bad values than allowed in a column of given type": Bad(
        "id,name\n" + MANY + "oops,x\n" * 3,
        r'3 rows rejected, 2 are allowed; the last one: line 44: column "id": '
        r'invalid input syntax for type integer: "oops"',
        {"reject_limit": 2, "types": {"id": "integer"}},
    ),
    "a hostile table name": Bad(
        GOOD, 'into schema "x"; drop table a; --"', {"table": 'x"; drop table a; --.b'}
    ),
    "a schema that is not allowed": Bad(
        GOOD, 'may not publish into schema "locaria"', {"table": "locaria.files"}
    ),
    "a name that is too long": Bad(GOOD, "longer than 63 bytes", {"table": "x" * 64}),
    "a mode that there is not": Bad(GOOD, "attribute mode: 'upsert'", {"mode": "upsert"}),
    "nothing to append to": Bad(
        GOOD, 'no "public.nowhere"', {"mode": "append", "table": "nowhere"}
    ),
    "append with another column": Bad(
        "id,colour\n1,red\n", 'has no column "colour"', {"mode": "append", "table": "kept"}
    ),
    "create over a table": Bad(
        GOOD, '"public.kept" already exists', {"mode": "create", "table": "kept"}
    ),
    "a table that is not ours": Bad(GOOD, "was not loaded by Locaria", {"table": "theirs"}),
    "a delimiter that is too long": Bad(
        GOOD, "attribute delimiter: '123456789' is given, 1 to 8 char", {"delimiter": "123456789"}
    ),
    "a line end for a delimiter": Bad(GOOD, "without a line end", {"delimiter": "|\n"}),
    "a delimiter with the quote": Bad(
        GOOD, 'a text without the quote, " .*quote "none"', {"delimiter": '","'}
    ),
    "a delimiter with the declared quote": Bad(
        GOOD, "a text without the quote, '", {"delimiter": "|'|", "quote": "'"}
    ),
    "a delimiter with the escape": Bad(
        GOOD, "attribute escape: .* not in the delimiter", {"delimiter": "|^", "escape": "^"}
    ),
    "NULL with the delimiter": Bad(
        "id||name\n1||a\n", "a text without the delim", {"delimiter": "||", "null": "a||b"}
    ),
    "NULL with what may stand for a delimiter": Bad(
        "id||name\n1||a\n", "without control characters", {"delimiter": "||", "null": "\x1f"}
    ),
    "NULL with the quote": Bad(GOOD, "a text without the quote", {"quote": "'", "null": "'"}),
    "an escape of two characters": Bad(GOOD, "attribute escape: '<<' is given", {"escape": "<<"}),
    "an escape that escapes nothing": Bad(
        GOOD, "attribute quote: 'none' is given", {"escape": "backslash", "quote": "none"}
    ),
    "escapes that nobody has told of": Bad(
        'id,name\n1,"a \\"b\\" c"\n',
        r"line 2: a quote within quotes is not doubled; if .* say so: attribute escape",
    ),
    "an escaped quote that seems to be open": Bad(
        'id,name\n1,"a \\""\n', "a quote is not closed; if .* say so: attribute escape"
    ),
    "a header that is neither": Bad(GOOD, "attribute header: 'maybe'", {"header": "maybe"}),
    "too few names": Bad(GOOD, "columns: 1 names are given", {"columns": ["id"]}),
    "the type of no column": Bad(GOOD, "no column 'nr'", {"types": {"nr": "text"}}),
    "a type that there is not": Bad(GOOD, 'unknown type "colour"', {"types": {"id": "colour"}}),
    "types that are a list": Bad(GOOD, "attribute types", {"types": ["text"]}),
}


def test_bad_files_end_in_clear_errors_and_leave_the_tables_alone(loader: Loader) -> None:
    kept = loader.load(GOOD, "kept.csv")
    assert loader.succeeded(kept)
    loader.owner.execute("create table theirs (x int)")
    files: dict[str, int] = {}
    for number, (name, bad) in enumerate(BAD.items()):
        path = loader.write(bad.content, f"bad{number}.csv")
        files[name] = loader.insert(path, **{"table": "kept", **bad.attributes})
    loader.drain()
    wrong = []
    for name, bad in BAD.items():
        row = loader.file(files[name])
        if row["status"] != "ERROR" or not re.search(bad.error, row["last_error"] or ""):
            wrong.append((name, row["status"], row["last_error"]))
        if row["attempts"] != 1:
            wrong.append((name, "attempts", row["attempts"]))
    assert not wrong
    assert loader.rows("kept") == [(1, "old")]
    assert loader.rows("theirs") == []
    tables = loader.owner.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    ).fetchall()
    assert sorted(table["relname"] for table in tables) == ["kept", "theirs"]


def test_bad_paths_end_in_clear_errors(loader: Loader) -> None:
    inside = loader.folder / "inside"
    inside.mkdir()
    (loader.folder / "outside.csv").write_text(GOOD)
    (inside / "link.csv").symlink_to(loader.folder / "outside.csv")
    os.mkfifo(inside / "fifo.csv")
    expected = {
        str(inside / "missing.csv"): "there is no file .*missing.csv",
        str(inside): "is a directory",
        str(inside / "fifo.csv"): "is not a regular file",
        str(loader.folder / "outside.csv"): "is outside of what may be read here: .*inside",
        str(inside / "link.csv"): "is outside of what may be read here",
        str(inside / ".." / "outside.csv"): "is outside of what may be read here",
        "file://" + str(loader.folder / "outside.csv"): "is outside of what may be read here",
        "ftp://host/key.csv": "ftp is not supported; a local path, s3, http or https is",
        "s3://bucket": "s3://bucket/key is needed",
        "http://127.0.0.1:1/x.csv": "refused to fetch from 127.0.0.1",
        "http://169.254.170.2/v2/credentials": "refused to fetch from 169.254.170.2",
        "http://127.0.0.1:99999/x.csv": "Port out of range",
        "http://[::1/x.csv": "Invalid IPv6 URL",
        "/vsicurl/http://host/x.csv": "there is no file /vsicurl/",
        "things.csv": "there is no file things.csv",
    }
    files = {path: loader.insert(path, table="things") for path in expected}
    nothing = loader.app.execute(
        "insert into locaria.files (container) values ('file_loader') returning id"
    ).fetchone()
    assert nothing is not None
    loader.drain(LOCARIA_FILE_ROOTS=str(inside))
    for path, error in expected.items():
        row = loader.file(files[path])
        assert row["status"] == "ERROR", path
        assert re.search(error, row["last_error"]), row["last_error"]
        assert row["attempts"] == 1, path
    assert "attribute path is missing" in loader.file(nothing["id"])["last_error"]


@pytest.mark.parametrize("path", ["/proc/self/environ", "/dev/null"])
def test_the_loaders_own_environment_is_never_loaded(loader: Loader, path: str) -> None:
    link = loader.folder / "link.csv"
    link.symlink_to(path)
    files = [loader.insert(name, table="leak", header=False) for name in (path, link)]
    loader.drain()
    for file in files:
        assert "is no file of data and is not read" in loader.file(file)["last_error"]


def test_bad_rows_are_set_aside_with_line_and_reason_and_the_others_load(loader: Loader) -> None:
    content = (
        b"id,name,day\n"
        b"1,a,2024-01-01\n"
        b"2,b\n"
        b"\n"
        b"3,c,2024-01-03,too much\n"
        b'4,"two\nlines",2024-01-04\n'
        b"x,e,2024-01-05\n"
        b"6,NUL\0here,2024-01-06\n"
        b"7,g,2024-02-31\n"
        b"8,,\n"
        b'9,"i""i",2024-01-09\n'
        b'10,"never closed,2024-01-10\n'
        b"11,k,2024-01-11\n"
    )
    file = loader.load(content, types={"id": "integer", "day": "date"})
    assert loader.succeeded(file)
    assert [row[:2] for row in loader.rows()] == [
        (1, "a"),
        (4, "two\nlines"),
        (8, None),
        (9, 'i"i'),
        (11, "k"),
    ]
    assert loader.rejects(file) == [
        (3, "2 fields where there are 3 columns"),
        (5, "4 fields where there are 3 columns"),
        (8, 'column "id": invalid input syntax for type integer: "x"'),
        (9, "NUL byte at column 2: Postgres has no text with it"),
        (10, 'column "day": date/time field value out of range: "2024-02-31"'),
        (13, "a quote is not closed"),
    ]
    assert loader.result(file)["rejected"] == 6
    row = loader.app.execute("select row_text from locaria.rejects where line = 3").fetchone()
    assert row is not None
    assert row["row_text"] == "2,b"


def test_a_column_inferred_too_narrowly_is_loaded_again_wider(loader: Loader) -> None:
    lines = [f"{n},{n}" for n in range(200_000)]
    lines[150_000:150_050] = [f"{n},{n}.5" for n in range(150_000, 150_050)]
    lines[100] = "100"
    file = loader.insert(loader.write("a,b\n" + "\n".join(lines) + "\n"), reject_limit=20)
    loader.drain()
    assert loader.succeeded(file)
    assert loader.types() == {"a": "integer", "b": "numeric"}
    assert len(loader.rows()) == 199_999
    attempts = loader.owner.execute(
        "select outcome, error from locaria.runs order by id"
    ).fetchall()
    assert [row["outcome"] for row in attempts] == ["failed", "succeeded"]
    assert re.search('20 are allowed .*loading again with "b" as numeric', attempts[0]["error"])
    assert loader.result(file)["rejected"] == 1


def test_a_line_that_would_end_a_copy_does_not_end_it(loader: Loader) -> None:
    file = loader.load("a\nx\n\\.\ny\n\\N\n", header=True)
    assert loader.succeeded(file)
    assert loader.rows() == [("x",), ("y",), ("\\N",)]
    assert [line for line, _ in loader.rejects(file)] == [3]
