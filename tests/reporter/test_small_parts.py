"""Percentages, masks, `::locaria` lines, GDAL's points: tables of input and output."""

import email.utils
import time
from pathlib import Path

import psycopg
import pytest

from locaria_reporter._command.environment import database_variables, parameter_variables
from locaria_reporter._command.gdal import GdalProgress
from locaria_reporter._command.lines import parse_line
from locaria_reporter._command.telling import telling
from locaria_reporter._fetch import _file_name, _seconds
from locaria_reporter._masking import Masker
from locaria_reporter._outcome import failure_of
from locaria_reporter._progress import Progress


def test_weights_count_as_tenths_and_never_go_back() -> None:
    progress = Progress()
    progress.begin_stage("download", 1, None, None)
    progress.bytes_done, progress.bytes_total = 50, 100
    assert progress.percent() == 5
    progress.begin_stage("load", 8, 200, "rows")
    assert progress.percent() == 10
    progress.done = 100
    assert progress.percent() == 50
    progress.begin_stage("index", 1, None, None)
    assert progress.percent() == 90
    progress.count(4, "indexes")
    assert progress.percent() == 90
    progress.finish()
    assert progress.percent() == 100


def test_a_plan_makes_the_percentage_exact() -> None:
    progress = Progress()
    progress.plan({"a": 1, "b": 3})
    progress.begin_stage("a", None, 10, None)
    progress.done = 10
    assert progress.percent() == 25
    assert progress.snapshot()["stage_of"] == 2


def test_without_a_total_there_is_no_percentage() -> None:
    progress = Progress()
    progress.count(None, "rows")
    progress.done = 7
    assert progress.percent() is None
    assert progress.snapshot() == {"rows_done": 7, "unit": "rows"}


def test_nothing_to_do_is_done() -> None:
    progress = Progress()
    progress.count(0, "rows")
    assert progress.percent() == 100


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://u:sEcret@h/d", "postgresql://u:****@h/d"),
        ("host=h password=sEcret user=u", "host=h password=**** user=u"),
        ("password='with \\' quote' x", "password=**** x"),
        ('{"password": "sEcret", "a": 1}', '{"password": ****, "a": 1}'),
        ("PG:host=h password=x1", "PG:host=h password=****"),
        ("key AKIAIOSFODNN7EXAMPLE.", "key AKIA****."),
        ("?X-Amz-Signature=abc&x=1", "?X-Amz-Signature=****&x=1"),
        ("Authorization: Bearer abcdefghijk", "Authorization: Bearer ****"),
        ("aws_secret_access_key = wJalrXUtn", "aws_secret_access_key = ****"),
        ("a value h0lyGrail/+ here", "a value **** here"),
        ("quoted h0lyGrail%2F%2B here", "quoted **** here"),
        ("nothing to hide: 5 tokens", "nothing to hide: 5 tokens"),
        ("nul\0", "nul\ufffd"),
    ],
)
def test_secrets_are_masked(text: str, masked: str) -> None:
    masker = Masker("postgresql://u:h0lyGrail%2F%2B@h/d", environment={})
    assert masker.text(text) == masked


def test_secret_variables_are_masked_by_value() -> None:
    masker = Masker(environment={"DB_PASSWORD": "hunter22", "SECRET_ARN": "arn:x", "HOME": "/root"})
    assert masker.text("hunter22 arn:x /root") == "**** arn:x /root"


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("::locaria progress 300/1200", {"verb": "progress", "done": "300/1200"}),
        ("::locaria stage index", {"verb": "stage", "name": "index"}),
        (
            "::locaria stage weight=8 total=12 load all",
            {"verb": "stage", "weight": "8", "total": "12", "name": "load all"},
        ),
        (
            "::locaria error kind=data msg=bad CRS=4326",
            {"verb": "error", "kind": "data", "msg": "bad CRS=4326"},
        ),
        ("::locaria log two rows", {"verb": "log", "message": "two rows"}),
        (
            "::locaria log level=warning two rows",
            {"verb": "log", "level": "warning", "message": "two rows"},
        ),
        ("::locaria check ok f", {"verb": "check", "name": "ok", "passed": False}),
        ("locaria progress 1/2", None),
        ("::locariax", None),
    ],
)
def test_lines_are_requests(line: str, request_: object) -> None:
    assert parse_line(line) == request_


@pytest.mark.parametrize(
    ("path", "name"),
    [("/a/b.csv", "b.csv"), ("/", "download"), ("/a/..", "download"), ("/%2e%2e%2fx", "x")],
)
def test_a_download_gets_a_safe_name(path: str, name: str) -> None:
    assert _file_name(path) == name


@pytest.mark.parametrize(
    ("pieces", "percent", "rest"),
    [
        (["0...10...20"], 20, ""),
        (["0.", "..10", ".."], 15, ""),
        (["0...10...20...30...40...50...60...70...80...90...100 - done.\n"], 100, ""),
        (["Warning 1: x\n", "0...10\n"], 10, "Warning 1: x\n"),
        (["no progress\n"], -1, "no progress\n"),
    ],
)
def test_gdals_points_are_read(pieces: list[str], percent: float, rest: str) -> None:
    progress = GdalProgress()
    assert "".join(progress.feed(piece) for piece in pieces) == rest
    assert progress.percent == percent


def test_parameters_become_safe_variables() -> None:
    found = parameter_variables(
        {"url": "http://x", "n": 3, "b": True, "o": {"a": 1}, "none": None, "x-y; rm": "z"}
    )
    assert found == {
        "P_url": "http://x",
        "P_n": "3",
        "P_b": "true",
        "P_o": '{"a": 1}',
        "P_x_y__rm": "z",
    }


def test_the_password_goes_into_a_private_file_only(tmp_path: Path) -> None:
    directory = tmp_path
    variables = database_variables("postgresql://me:p%3Aw@db:5433/x?sslmode=require", directory)
    assert variables["PGHOST"] == "db" and variables["PGPORT"] == "5433"
    assert not any("p:w" in value for value in variables.values())
    assert "sslmode=require" in (directory / "pg_service.conf").read_text()
    passfile = directory / "pgpass"
    assert passfile.read_text() == "db:*:x:me:p\\:w\n"
    assert passfile.stat().st_mode & 0o777 == 0o600


def test_a_missing_right_is_not_tried_again() -> None:
    denied = psycopg.errors.InsufficientPrivilege("permission denied for schema geo")
    failure = failure_of(denied, Masker())
    assert failure.kind == "config"
    assert "permission denied for schema geo" in failure.error


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("120", 120), ("soon", 0), ("-5", 0), ("9" * 400, 86_400)],
)
def test_a_server_says_how_long_it_wants_to_be_left_alone(
    header: str | None, seconds: float
) -> None:
    assert _seconds(header) == seconds


def test_a_server_says_it_as_a_date() -> None:
    assert 50 < _seconds(email.utils.formatdate(time.time() + 60, usegmt=True)) <= 60
    assert _seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_a_value_becomes_json_whatever_it_is() -> None:
    class Number(int):
        pass

    masker = Masker(environment={})
    masker.add(["s3cret"])
    value = {
        "nan": float("nan"),
        "inf": [float("inf")],
        "whole": Number(3),
        "other": {Path("/s3cret")},
        "bytes": b"s3cret\xff",
        1: (True, None, 0.5),
    }
    assert masker.value(value) == {
        "nan": None,
        "inf": [None],
        "whole": 3,
        "other": ["/****"],
        "bytes": "****\ufffd",
        "1": [True, None, 0.5],
    }


def test_a_secret_of_many_lines_is_masked_line_by_line_and_as_it_stands_in_json() -> None:
    masker = Masker(environment={})
    masker.add(['first "line"\nsecond line'])
    assert masker.text('{"key": "first \\"line\\"\\nsecond line"}') == '{"key": "****"}'
    assert masker.text("it says: second line") == "it says: ****"


@pytest.mark.parametrize("done", [float("nan"), float("inf"), 10**30, None])
def test_a_count_that_is_no_count_is_unknown(done: float | None) -> None:
    progress = Progress()
    progress.done, progress.total = done, 10  # type: ignore[assignment]
    assert progress.snapshot().get("rows_done") is None
    progress.done, progress.total = 7.9, float("nan")  # type: ignore[assignment]
    assert (progress.snapshot()["rows_done"], progress.percent()) == (7, None)


def test_a_measure_is_asked_while_no_count_tells_and_ends_with_its_stage() -> None:
    progress = Progress()
    progress.plan({"look": 50, "load": 50})
    progress.plan({"look": 20, "load": 80})
    progress.begin_stage("look", None, None, None)
    assert progress.percent() == 0
    fractions = iter((0.25, 0.5, 0.25, 7.0))
    progress.measure = lambda: next(fractions)
    assert [progress.percent() for _ in range(4)] == [5, 10, 10, 20]
    progress.begin_stage("load", None, None, None)
    assert progress.percent() == 20


SYNTAX = """psql:<stdin>:3: ERROR:  syntax error at or near "fro"
LINE 1: select 1 fro t
                 ^"""
KEY = """psql:load.sql:7: ERROR:  duplicate key value violates unique constraint "t_pkey"
DETAIL:  Key (id)=(1) already exists.
CONTEXT:  SQL statement "insert into t values (1)"
PL/pgSQL function f() line 2 at SQL statement"""
NOBODY = 'psql: error: connection to server at "db" failed: FATAL:  no pg_hba.conf entry'


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (SYNTAX, 'psql:<stdin>:3: ERROR:  syntax error at or near "fro"'),
        (
            KEY,
            'psql:load.sql:7: ERROR:  duplicate key value violates unique constraint "t_pkey" '
            "(Key (id)=(1) already exists.)",
        ),
        (NOBODY, NOBODY),
        # An error that the script has got over is not why it failed.
        (f"{SYNTAX}\ncp: cannot stat 'x'", "cp: cannot stat 'x'"),
        (f"{SYNTAX}\n{KEY}", KEY.splitlines()[0] + " (Key (id)=(1) already exists.)"),
        ("Traceback:\n    raise E\nValueError: no\n-----", "ValueError: no"),
        ("---", "---"),
        ("", ""),
    ],
)
def test_of_what_a_command_says_the_line_that_tells_is_the_error(lines: str, words: str) -> None:
    assert telling(lines.splitlines()) == words
