"""What is loaded, from files of all kinds."""

import csv
import gzip
import http.server
import io
import random
import threading
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from tests.containers.conftest import Loader
from tests.containers.test_blocks import DIALECTS, random_csv, random_text

ROWS = [(1, "Zürich"), (2, "O'Hare")]
TEXT = "id,name\n1,Zürich\n2,O'Hare\n"

SAME = {
    "utf-8": (TEXT.encode(), {}),
    "utf-8 with a mark": (b"\xef\xbb\xbf" + TEXT.encode(), {}),
    "utf-16 with a mark": (TEXT.encode("utf-16"), {}),
    "utf-16-be with a mark": (b"\xfe\xff" + TEXT.encode("utf-16-be"), {}),
    "utf-16 as declared": (TEXT.encode("utf-16-le"), {"encoding": "utf-16-le"}),
    "latin-1 as declared": (TEXT.encode("latin-1"), {"encoding": "latin-1"}),
    "cp1252 as declared": (TEXT.encode("cp1252"), {"encoding": "cp1252"}),
    "gzip": (gzip.compress(TEXT.encode()), {}),
    "gzip of utf-16": (gzip.compress(TEXT.encode("utf-16")), {}),
    "CR LF": (TEXT.replace("\n", "\r\n").encode(), {}),
    "CR": (TEXT.replace("\n", "\r").encode(), {}),
    "mixed line ends": (TEXT.replace("ich\n", "ich\r\n").encode(), {}),
    "no line end at the end": (TEXT.strip().encode(), {}),
    "blank lines": (TEXT.replace("\n", "\n\n").encode(), {}),
    "blank lines before the header": (b"\n\n" + TEXT.encode(), {}),
    "semicolons": (TEXT.replace(",", ";").encode(), {}),
    "tabs": (TEXT.replace(",", "\t").encode(), {}),
    "all quoted": (b'"id","name"\n"1","Z\xc3\xbcrich"\n"2","O\'Hare"\n', {}),
    "single quotes as declared": ("id,name\n1,'Zürich'\n2,'O''Hare'\n".encode(), {"quote": "'"}),
    "a delimiter as declared": (TEXT.replace(",", "~").encode(), {"delimiter": "~"}),
    "a delimiter of two bytes": (TEXT.replace(",", "§").encode(), {"delimiter": "§"}),
    "the same in latin-1": (
        TEXT.replace(",", "§").encode("latin-1"),
        {"delimiter": "§", "encoding": "latin-1"},
    ),
    "a delimiter of characters in utf-16": (
        '"id"~|~name\n1~|~"Zürich"\n2~|~O\'Hare\n'.encode("utf-16"),
        {"delimiter": "~|~"},
    ),
    "a letter for a delimiter": (TEXT.replace(",", "X").encode(), {"delimiter": "X"}),
    "quotes that are escaped": (
        "id,name\n1,'Zürich'\n2,'O\\'Hare'\n".encode(),
        {"quote": "'", "escape": "backslash"},
    ),
    "what Hive writes": (TEXT.replace(",", "\1").encode(), {"delimiter": "\1", "quote": "none"}),
    "options as texts": (TEXT.encode(), {"header": "true", "delimiter": "comma", "mode": "create"}),
    "names as given": ("1,Zürich\n2,O'Hare\n".encode(), {"columns": ["id", "name"]}),
}


def test_the_same_rows_come_out_of_every_way_to_write_them(loader: Loader) -> None:
    files = {}
    for number, (name, (content, attributes)) in enumerate(SAME.items()):
        path = loader.write(content, f"same{number}.csv")
        files[name] = (number, loader.insert(path, **attributes))
    loader.drain()
    for name, (number, file) in files.items():
        assert loader.succeeded(file), name
        assert loader.rows(f"same{number}") == ROWS, name
        assert loader.types(f"same{number}") == {"id": "integer", "name": "text"}, name
        assert loader.rejects(file) == [], name


def test_types_are_inferred_and_empty_is_null(loader: Loader) -> None:
    file = loader.load(
        "a,b,c,d,e,f,g\n"
        "1,1.50,007,true,2024-01-01,2024-01-01 10:00,\n"
        '"","",,,"",,x\n'
        '-2,.5,"",FALSE,2024-02-29,2024-01-01T10:00:01.5,y\n'
    )
    assert loader.succeeded(file)
    assert list(loader.types().values()) == [
        "integer",
        "numeric",
        "text",
        "boolean",
        "date",
        "timestamp without time zone",
        "text",
    ]
    first, nothing, last = loader.rows()
    assert first[:6] == (
        1,
        Decimal("1.50"),
        "007",
        True,
        date(2024, 1, 1),
        datetime(2024, 1, 1, 10),
    )
    assert nothing == (None, None, None, None, None, None, "x")
    assert last[2] == ""
    assert loader.result(file)["columns"][0] == {"name": "a", "type": "integer"}


def test_a_first_line_that_names_the_delimiter_is_no_row(loader: Loader) -> None:
    bom = "\N{BYTE ORDER MARK}"
    files = [
        loader.insert(loader.write("sep=;\nid;name\n1;a,b\nx;c\n", "one.csv"), types={"id": "int"}),
        loader.insert(loader.write(f"{bom}SEP=|\r\nid|name\r\n1|a,b\r\n", "two.csv")),
        loader.insert(loader.write("sep=1\n2\n", "three.csv"), header=False),
    ]
    loader.drain()
    assert all(map(loader.succeeded, files))
    assert loader.rows("one") == loader.rows("two") == [(1, "a,b")]
    assert [line for line, _ in loader.rejects(files[0])] == [4]
    assert loader.rows("three") == [("sep=1",), ("2",)]


def test_types_null_and_names_can_be_given(loader: Loader) -> None:
    file = loader.load(
        "id,n\n1,NA\n2,5\n",
        types={"id": "text"},
        null="NA",
        table="public.Given Name",
    )
    assert loader.succeeded(file)
    assert loader.rows("public.Given Name") == [("1", None), ("2", 5)]


def test_columns_named_select_and_equal_after_63_bytes_are_loaded(loader: Loader) -> None:
    file = loader.load(f"select,{'x' * 70},{'x' * 80},\n1,2,3,4\n5,6,7,8\n")
    assert loader.succeeded(file)
    assert list(loader.types()) == ["select", "x" * 63, "x" * 61 + "_2", "column_4"]
    assert loader.rows() == [(1, 2, 3, 4), (5, 6, 7, 8)]


def test_a_hostile_name_is_a_name(loader: Loader) -> None:
    name = 'x"; drop table things; --'
    loader.load("a,b\n1,2\n")
    file = loader.insert(loader.write("a,b\n3,4\n"), table=name)
    loader.drain()
    assert loader.succeeded(file)
    assert loader.rows("things") == [(1, 2)]
    assert loader.rows(f"public.{name}") == [(3, 4)]


def test_1600_columns_are_loaded(loader: Loader) -> None:
    header = ",".join(f"c{n}" for n in range(1600))
    file = loader.load(f"{header}\n{','.join('1' * 1600)}\n{',' * 1599}\n", header=True)
    assert loader.succeeded(file)
    assert sum(loader.rows()[0]) == 1600


def test_replace_append_and_create(loader: Loader) -> None:
    assert loader.succeeded(loader.load("id,name\n1,a\n"))
    assert loader.succeeded(loader.load("id,name\n2,b\n"))
    assert loader.rows() == [(2, "b")]
    assert loader.succeeded(loader.load("name,id\nc,3\n", mode="append"))
    assert loader.rows() == [(2, "b"), (3, "c")]
    assert loader.succeeded(loader.load("id,other\n1,2024-01-01\n", mode="replace"))
    assert loader.rows() == [(1, date(2024, 1, 1))]
    assert loader.succeeded(loader.load("id\n1\n2\n", "fresh.csv", mode="create"))
    assert loader.rows("fresh") == [(1,), (2,)]


def test_a_header_without_rows_makes_an_empty_table_where_that_is_wanted(loader: Loader) -> None:
    file = loader.load("id,name\n", allow_empty=True)
    assert loader.succeeded(file)
    assert loader.rows() == []
    assert loader.types() == {"id": "text", "name": "text"}


def insert_random_texts(loader: Loader) -> dict[int, tuple[str, list[list[str]]]]:
    """A file of each dialect: table and rows of each."""
    files = {}
    for seed, dialect in enumerate(DIALECTS):
        data, rows = random_text(seed, dialect)
        names = [f"c{n}" for n in range(len(rows[0]))]
        file = loader.insert(
            loader.write(data, f"text{seed}.csv"),
            header=False,
            columns=names,
            delimiter=dialect.delimiter,
            quote=dialect.quote,
            escape=dialect.escape or "none",
            types=dict.fromkeys(names, "text"),
            null="\N{SNOWMAN}",
        )
        files[file] = (f"text{seed}", rows)
    # COPY is told of a quote also where there is none.
    for name, delimiter in (("hive", "\1"), ("pipes", "|"), ("bars", "||")):
        rows = [["a\\b", '"c'], ["\\N", "d"]] + ([["e", "\1\\"]] if delimiter != "\1" else [])
        path = loader.write("\n".join(map(delimiter.join, rows)), f"{name}.csv")
        marks = {"delimiter": delimiter, "quote": "none"}
        files[loader.insert(path, header=False, columns=["a", "b"], **marks)] = (name, rows)
    return files


@pytest.mark.parametrize("block", ["300", "4000"])
def test_rows_are_those_of_the_csv_module_in_blocks_of_any_size(loader: Loader, block: str) -> None:
    files = {}
    for seed in range(12):
        data, columns = random_csv(seed, "\r\n" if seed % 2 else "\n")
        names = [f"c{n}" for n in range(columns)]
        path = loader.write(",".join(names).encode() + b"\n" + data, f"random{seed}.csv")
        files[seed] = loader.insert(
            path,
            header=True,
            delimiter=",",
            quote='"',
            types=dict.fromkeys(names, "text"),
            allow_empty=True,
            null="\N{SNOWMAN}",
        )
    expected_of = insert_random_texts(loader)
    loader.drain(LOCARIA_BLOCK_BYTES=block)
    for file, (table, rows) in expected_of.items():
        assert loader.succeeded(file), table
        assert sorted(loader.rows(table)) == sorted(map(tuple, rows)), table
    for seed, file in files.items():
        assert loader.succeeded(file), seed
        data, _ = random_csv(seed, "\r\n" if seed % 2 else "\n")
        expected = [tuple(row) for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]
        assert sorted(loader.rows(f"random{seed}")) == sorted(expected), seed


@pytest.mark.parametrize("block", ["300", "4000", "5000000"])
def test_quotes_in_the_middle_of_a_field_stay_there(loader: Loader, block: str) -> None:
    chance = random.Random(5)
    pieces = ["plain", '5" pipe', '6"', '"quoted, ""x"""', '3" x 4"', '""', 'x""y']
    lines = [f"{n},{chance.choice(pieces)},{chance.choice(pieces)}" for n in range(2_000)]
    content = '"number",size 1",size 2\n' + "\n".join([*lines, '2000,"x",6" pipe'])
    file = loader.insert(loader.write(content), header=True)
    loader.drain(LOCARIA_BLOCK_BYTES=block)
    assert loader.succeeded(file)
    header, *expected = list(csv.reader(io.StringIO(content)))
    assert loader.rejects(file) == []
    assert list(loader.types()) == header
    assert sorted(loader.rows()) == [(int(n), one, two) for n, one, two in expected]


def test_bad_rows_in_blocks_that_are_copied_at_the_same_time(loader: Loader) -> None:
    chance = random.Random(7)
    lines = [f'{n},"{n}",2024-01-02' for n in range(20_000)]
    bad = sorted(chance.sample(range(20_000), 150))
    for n in bad:
        lines[n] = chance.choice([f"{n}", f"{n},1", f'x{n},"1",', f"{n},\0,", f"{n},,01/02/2024"])
    path = loader.write("id,text,day\n" + "\n".join(lines) + "\n")
    file = loader.insert(path, types={"id": "integer", "text": "text", "day": "date"})
    loader.drain(LOCARIA_BLOCK_BYTES="8192")
    assert loader.succeeded(file)
    assert [line for line, _ in loader.rejects(file)] == [n + 2 for n in bad]
    assert sorted(row[0] for row in loader.rows()) == sorted(set(range(20_000)) - set(bad))


def test_a_file_is_downloaded_and_loaded(loader: Loader, tmp_path: Path) -> None:
    loader.write(TEXT, "World Cities.csv")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        file = loader.insert(f"{url}/World%20Cities.csv")
        missing = loader.insert(f"{url}/nothing.csv")
        loader.drain(LOCARIA_FETCH_PRIVATE="1")
        server.shutdown()
    assert loader.succeeded(file)
    assert loader.rows("world_cities") == ROWS
    assert "404" in loader.file(missing)["last_error"]


def test_one_task_drains_many_files_and_a_bad_one_stops_none(loader: Loader) -> None:
    files = [
        loader.insert(loader.write(f"id\n{n}\n" if n % 3 else "", f"many{n}.csv"))
        for n in range(1, 10)
    ]
    loader.drain()
    statuses = [loader.file(file)["status"] for file in files]
    assert statuses == ["FARGATE_PROCESSED", "FARGATE_PROCESSED", "ERROR"] * 3
    assert loader.owner.execute("select count(*) as n from locaria.tasks").fetchone() == {"n": 1}
