"""The style of sql/: line length, one object per file, and comments directly around each function."""

import re
from pathlib import Path

import pytest

from locaria.resources import SQL

MAX_LINE_LENGTH = 120
MAX_FILES = 16

FILES = sorted(SQL.rglob("*.sql"))
FUNCTIONS = sorted(
    path
    for path in (SQL / "functions").rglob("*.sql")
    # api_methods.sql holds rows, the descriptions of the methods.
    if path.stem != "api_methods"
)
CHAPTERS = sorted(path for path in (SQL / "functions").iterdir() if path.is_dir())
FOLDERS = sorted({path.parent for path in FUNCTIONS})

# Optional comment lines, the function, and its catalogue comment without a line in between.
# Overloads share a file.
FUNCTION = re.compile(
    r"(?:--[^\n]*\n)*(?:drop function if exists [^\n]*;\n)?"
    r"create or replace function locaria\.(?P<name>\w+)\(.*?\$\$;\n"
    r"comment on function locaria\.(?P<commented>\w+)\([^\n]*\) is\s(?:\s*'(?:[^']|'')*')+;\n",
    re.DOTALL,
)
# Keywords at the start of a line. Literals are not parsed: SQL in a message is in lower case, too.
KEYWORD = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|FROM|WHERE|JOIN)\b")


def relative(path: Path) -> str:
    return str(path.relative_to(SQL))


def without_comments(text: str) -> list[str]:
    """Return the lines of a file, with comment lines emptied."""
    return ["" if line.lstrip().startswith("--") else line for line in text.split("\n")]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_lines_outside_comments_have_at_most_120_characters(path: Path) -> None:
    lines = without_comments(path.read_text(encoding="utf-8"))
    long = [number for number, line in enumerate(lines, 1) if len(line) > MAX_LINE_LENGTH]
    assert long == [], "these lines are too long; split a literal into adjacent literals"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_keywords_are_in_lower_case_and_lines_have_no_tabs_or_trailing_spaces(path: Path) -> None:
    lines = without_comments(path.read_text(encoding="utf-8"))
    assert [line for line in lines if KEYWORD.match(line)] == []
    assert [line for line in lines if "\t" in line or line != line.rstrip()] == []


@pytest.mark.parametrize("path", FUNCTIONS, ids=relative)
def test_a_function_follows_its_explanation_and_precedes_its_catalogue_comment(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    matches = list(FUNCTION.finditer(text))
    rest = FUNCTION.sub("", text).strip()
    assert rest == "", "expected: comment lines, create or replace function, comment on function"
    assert {name for match in matches for name in match.group("name", "commented")} == {path.stem}


def test_function_names_are_unique() -> None:
    names = [path.stem for path in FUNCTIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=relative)
def test_every_chapter_has_a_readme(chapter: Path) -> None:
    assert (chapter / "README.md").is_file()


@pytest.mark.parametrize("folder", FOLDERS, ids=relative)
def test_a_folder_of_functions_holds_about_a_dozen_files(folder: Path) -> None:
    assert len(list(folder.glob("*.sql"))) <= MAX_FILES
