"""Build the documentation site.

    python -m tools.site.build [OUTPUT]      # build/site/html by default: make docs

The pages are the documents of the repository, under the same relative paths, so that their links
work both on the site and where the repository is browsed. The reference pages are generated from
the product itself. Sphinx's warnings are errors: a link inside the site that leads nowhere fails
the build.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tools.site import cli_reference, container_reference, reporter_reference, sql_reference

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "site"
CHAPTERS = ROOT / "sql" / "functions"  # their READMEs are part of the SQL reference

_DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_FOLDERS = ("docs", "sql", "containers", "lambda", "bench")
_LINKED_FILES = (
    "LICENSE",
    "locaria/web/asyncapi.json",
    "locaria/web/openapi.json",
    "containers/dockers.json",
    "containers/dockers.schema.json",
    "docs/aws_deployer_policy.json",
    "lambda/protocol/run_task.json",
)
_REFERENCE = {
    "cli": cli_reference.render,
    "sql": sql_reference.render,
    "reporter": reporter_reference.render,
    "containers": container_reference.render,
}

INDEX = """\
# Locaria

An `INSERT` is all it takes to run a container.

```{toctree}
:caption: Start
README
```

```{toctree}
:caption: Applications
docs/applications
docs/websocket_api
docs/dashboard
docs/formats
docs/downloads
docs/bundle_ingest
```

```{toctree}
:caption: DBAs and operators
docs/dba
sql/README
sql/standin/README
docs/aws
lambda/README
lambda/protocol/README
docs/agent
```

```{toctree}
:caption: Loader authors
docs/writing_a_loader
docs/loader_authors
containers/README
```

```{toctree}
:caption: Reference
reference/cli
reference/sql
reference/reporter
reference/containers
docs/support
docs/glossary
CHANGELOG
```

```{toctree}
:caption: Contributors
:maxdepth: 1
CONTRIBUTING
SECURITY
docs/decisions/README
bench/README
```
"""


def assemble(source: Path) -> None:
    """Write the pages of the site into an empty folder.

    Args:
        source: The folder; it is replaced.
    """
    shutil.rmtree(source, ignore_errors=True)
    documents = [ROOT / name for name in _DOCUMENTS]
    for folder in _FOLDERS:
        documents += (
            path for path in (ROOT / folder).rglob("*.md") if CHAPTERS not in path.parents
        )
    for path in (*documents, *(ROOT / name for name in _LINKED_FILES)):
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    (source / "index.md").write_text(INDEX, encoding="utf-8")
    (source / "reference").mkdir()
    for name, render in _REFERENCE.items():
        (source / "reference" / f"{name}.md").write_text(render(), encoding="utf-8")


def build(output: Path) -> int:
    """Assemble and build the site.

    Args:
        output: The folder of the HTML; it is replaced.

    Returns:
        Sphinx's exit code.
    """
    source = BUILD / "source"
    assemble(source)
    shutil.rmtree(output, ignore_errors=True)
    return subprocess.run(sphinx_command(source, output), check=False).returncode


def sphinx_command(source: Path, output: Path) -> list[str]:
    """Return the command that builds the HTML, with warnings as errors."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    return [*command, "-c", str(Path(__file__).parent), str(source), str(output)]


def main() -> None:
    """Build the site and print where it is."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILD / "html"
    code = build(output)
    if code:
        sys.exit(code)
    print(f"Open {output / 'index.html'}")


if __name__ == "__main__":
    main()
