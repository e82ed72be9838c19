"""What is found out about a file from its beginning."""

from pathlib import Path

import pytest

from tests.containers import conftest  # noqa: F401 - puts the loader's modules on the path

from loading.detect import detect, has_header  # isort: skip
from loading.dialect import NO_DELIMITER  # isort: skip
from loading.formats import format_of  # isort: skip
from loading.infer import infer, widen  # isort: skip
from loading.names import ENDINGS, column_names, table_name  # isort: skip

DIALECTS = {
    "commas": ("a,b\n1,2\n", ",", '"'),
    "semicolons, decimal commas": ("a;b\n1,5;2,5\n3,1;4,7\n", ";", '"'),
    "tabs": ("a\tb\n1, 2\t3\n4\t5, 6\n", "\t", '"'),
    "pipes": ("a|b|c\n1|2|3\n", "|", '"'),
    "commas within quotes": ('a;b\n"x,y,z";1\n"u,v,w";2\n', ";", '"'),
    "line ends within quotes": ('a,b\n"x\ny",1\n"u\nv",2\n', ",", '"'),
    "one column": ("a\n1\n2\n", NO_DELIMITER, '"'),
    "one column with some commas": ("a\nx\ny, z\nw\n", NO_DELIMITER, '"'),
    "a quote that is a unit": ('a,b\n5" pipe,1\n3" pipe,2\n', ",", ""),
    "rows of unequal length": ("a,b,c\n1,2\n1,2,3\n1,2,3,4\n", ",", '"'),
    "a header only": ("a;b;c\n", ";", '"'),
    "text with commas between semicolons": ("a;b\nx, y, z;1\nu;2\n", ";", '"'),
    "a time has no colon for a delimiter": ("at,n\n10:00:00,1\n11:00:00,2\n", ",", '"'),
}


@pytest.mark.parametrize(("text", "delimiter", "quote"), DIALECTS.values(), ids=DIALECTS)
def test_delimiter_and_quote_are_found(text: str, delimiter: str, quote: str) -> None:
    found = detect(text)
    assert (found.delimiter, found.quote) == (delimiter, quote)
    crlf = detect(text.replace("\n", "\r\n"))
    assert (crlf.delimiter, crlf.quote) == (delimiter, quote)


HEADERS = {
    "names over numbers": ("id,name\n1,a\n2,b\n", True),
    "numbers from the first row on": ("1,a\n2,b\n", False),
    "only texts": ("name,town\nAda,London\nBob,Paris\n", True),
    "a first value that comes again": ("Ada,London\nBob,Paris\nAda,Rome\n", False),
    "an index without a name": (",a\n0,x\n1,y\n", True),
    "dates from the first row on": ("2024-01-01,x\n2024-01-02,y\n", False),
    "a header only": ("a,b\n", True),
    "a single row of numbers": ("1,2\n", False),
}


@pytest.mark.parametrize(("text", "header"), HEADERS.values(), ids=HEADERS)
def test_a_header_is_told_from_a_row(text: str, header: bool) -> None:
    assert has_header(list(detect(text).parse(text))) is header


TYPES = [
    (["1", "-2", "0"], "integer"),
    (["1", "999999999"], "integer"),
    (["1", "1000000000"], "bigint"),
    (["123456789012345678"], "bigint"),
    (["1234567890123456789"], "numeric"),
    (["1", "2.5", ""], "numeric"),
    (["-.5", "1.5e-3", "1e+5"], "numeric"),
    (["007", "1"], "text"),
    (["+4930123", "1"], "text"),
    (["1E5", "2E7"], "text"),
    (["1,5"], "text"),
    (["NaN", "1.0"], "text"),
    (["true", "FALSE", ""], "boolean"),
    (["yes", "no"], "boolean"),
    (["no", "no"], "text"),
    (["t", "f"], "text"),
    (["0", "1"], "integer"),
    (["2024-02-29", "1999-12-31"], "date"),
    (["2023-02-29"], "text"),
    (["01.02.2024"], "text"),
    (["2024-01-01", "2024-01-01 10:00"], "timestamp"),
    (["2024-01-01T10:00:00.123"], "timestamp"),
    (["2024-01-01T10:00:00Z", "2024-01-01 10:00:00+02:00"], "timestamptz"),
    (["2024-01-01T10:00:00Z", "2024-01-01 10:00:00"], "text"),
    (["2024-01-01 25:00"], "text"),
    ([" 1", "2 "], "integer"),
    (["1\n2"], "text"),
    ([" "], "text"),
    (["", ""], "text"),
    ([], "text"),
    (["1", "x"], "text"),
]


@pytest.mark.parametrize(("values", "kind"), TYPES)
def test_a_type_is_taken_only_if_no_value_is_changed_by_it(values: list[str], kind: str) -> None:
    assert infer(values) == kind


def test_a_type_that_was_too_narrow_is_widened_as_little_as_possible() -> None:
    assert widen("integer", ["1.5"]) == "numeric"
    assert widen("integer", ["12345678901"]) == "bigint"
    assert widen("date", ["2024-01-01 10:00:00"]) == "timestamp"
    assert widen("integer", ["n/a"]) == "text"
    assert widen("integer", ["1"]) == "text"


def test_inference_is_linear_where_the_last_of_many_values_is_different() -> None:
    assert infer([*map(str, range(200_000)), "x"]) == "text"


def test_column_names_are_the_headers_and_differ() -> None:
    assert column_names(["select", " a b ", "", "a", "a", "a_2", "ctid", "x\0y"]) == [
        "select",
        "a b",
        "column_3",
        "a",
        "a_2",
        "a_2_2",
        "ctid_",
        "x y",
    ]


def test_names_equal_after_63_bytes_get_a_suffix_within_63_bytes() -> None:
    names = column_names(["x" * 70, "x" * 71, "ä" * 40, "ä" * 41])
    assert names == ["x" * 63, "x" * 61 + "_2", "ä" * 31, "ä" * 30 + "_2"]
    assert max(len(name.encode()) for name in names) == 63


@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("/data/airports.csv", "airports"),
        ("/data/Äpfel & Birnen 2024.CSV.gz", "apfel_birnen_2024"),
        ("/data/2024.tsv", "t_2024"),
        ("https://example.org/a/World%20Cities.csv?x=1#y", "world_cities"),
        ("/data/archive.2024.csv", "archive_2024"),
        ("/data/日本.csv", ""),
        ('/data/x"; drop table y; --.csv', "x_drop_table_y"),
    ],
)
def test_a_table_is_named_after_its_file(path: str, table: str) -> None:
    assert table_name(path) == table


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"a": 1}\n{"a": 2}\n', "json"),
        ('[{"a": 1},\n{"a": 2}]', "json"),
        ('{\n  "type": "FeatureCollection",\n', "GeoJSON"),
        ('{"a": 1}\t5\n{"a": 2}\t6\n', "csv"),
        ("[x],1\n[y],2\n", "csv"),
        ("{curly},1\n", "csv"),
        ("<TICKER>,<DATE>\nA,20240101\n", "csv"),
        ('<gpx version="1.1">\n<wpt/></gpx>', "GPX"),
    ],
)
def test_json_is_told_from_a_table_of_it(text: str, kind: str) -> None:
    assert format_of(text.encode(), "things.csv") == kind


def test_the_table_of_formats_names_every_ending() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    others = {".geoparquet", ".pq", ".sqlite3", ".osm", ".pbf"}
    missing = {ending for ending in ENDINGS - others if f"`{ending}`" not in documented}
    assert not missing
    assert "`.osm.pbf`" in documented
