"""What the package shows, and what importing it costs."""

import subprocess
import sys

import pytest

import locaria_reporter as lr


def test_the_public_names_are_sorted_and_there() -> None:
    assert sorted(lr.__all__) == lr.__all__ == dir(lr)
    for name in lr.__all__:
        assert getattr(lr, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="clam"):
        lr.clam  # noqa: B018


@pytest.mark.parametrize("arguments", [["--help"], ["stage", "load"], ["progress", "1/2"]])
def test_a_subcommand_starts_without_the_database_driver(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom locaria_reporter._command import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "assert 'psycopg' not in sys.modules and 'ssl' not in sys.modules or "
        f"{arguments!r} != ['--help']\n"
        "assert 'psycopg' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_outcomes_are_no_exceptions_that_a_row_handler_would_swallow() -> None:
    for outcome in (lr.Retry, lr.Fatal, lr.Cancelled, lr.LeaseLost, lr.Terminated):
        assert issubclass(outcome, lr.Outcome) and not issubclass(outcome, Exception)
    assert [
        o("").code for o in (lr.NothingToClaim, lr.Retry, lr.Fatal, lr.LeaseLost, lr.Cancelled)
    ] == [0, 75, 65, 76, 143]
