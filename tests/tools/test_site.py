"""The documentation site builds without a warning, and its reference is the product's own."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import locaria_reporter
from locaria.cli import main
from locaria.install import read_dockers
from locaria.resources import SQL
from tools.site import build, conf


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembled pages."""
    folder = tmp_path_factory.mktemp("site") / "source"
    build.assemble(folder)
    return folder


def run_sphinx(source: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Build the HTML as `make docs` does."""
    return subprocess.run(
        build.sphinx_command(source, output), capture_output=True, text=True, check=False
    )


def test_the_site_builds_without_a_warning_and_can_be_searched(
    source: Path, tmp_path: Path
) -> None:
    done = run_sphinx(source, tmp_path / "html")
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "html" / "index.html").read_text()
    for kind in ("Applications", "DBAs and operators", "Loader authors", "Reference"):
        assert kind in index
    assert "claim_files" in (tmp_path / "html" / "searchindex.js").read_text()
    reporter = (tmp_path / "html" / "reference" / "reporter.html").read_text()
    for name in locaria_reporter.__all__:
        assert f'id="locaria_reporter.{name}"' in reporter


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.md").write_text("# Title\n\n[a page](missing.md), [a heading](#nowhere)\n")
    done = run_sphinx(source, tmp_path / "html")
    assert done.returncode != 0
    assert "missing.md" in done.stderr
    assert "nowhere" in done.stderr


def test_the_reference_has_every_command_container_and_sql_object(source: Path) -> None:
    pages = {path.stem: path.read_text() for path in (source / "reference").glob("*.md")}
    for name in main.list_commands(click.Context(main)):
        assert f"\n## locaria {name}\n" in pages["cli"]
    for name, entry in read_dockers().items():
        assert f"\n## {name}\n" in pages["containers"]
        for parameter in entry.get("parameters", {}):
            assert f"\n| `{parameter}` | " in pages["containers"]
    created = re.compile(r"^create or replace (function|view) locaria\.(\w+)", re.MULTILINE)
    for path in (*(SQL / "functions").rglob("*.sql"), *(SQL / "views").glob("*.sql")):
        for kind, name in created.findall(path.read_text()):
            heading = f"\n{name}(" if kind == "function" else f"\n### {name}\n"
            assert heading in pages["sql"], path


def test_the_site_has_the_version_of_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locaria.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert conf.version in done.stdout
