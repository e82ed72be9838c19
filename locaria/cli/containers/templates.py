"""What `locaria new-container` writes: texts with $placeholders, in the shape of our own images."""

from __future__ import annotations

LOADER = '''"""$description."""

from __future__ import annotations

import csv

import locaria_reporter as lr


def load(run: lr.Run) -> None:
    """Load the CSV file at the URL of a run into its table."""
    source = run.fetch(run.parameters["url"])
    # -sig: without the mark that spreadsheet programs put in front.
    with run.open(source, encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines)
        header = next(rows, None)
        if not header:
            raise lr.Fatal("the file has no header", kind="data")
        columns = {name: "text" for name in header}
        with run.staging(run.parameters["table"], columns, mode="replace") as table:
            for row in run.track(rows):
                table.copy(row)
    run.finish(swap=table, message=f"{table.rows:,} rows", checks={"not_empty": table.rows > 0})


def main() -> None:
    """Load the files that wait, then leave."""
    for run in lr.claims():
        with run:
            load(run)


if __name__ == "__main__":
    main()
'''

LOADER_TEST = '''"""What $name loads: no database is needed."""

from pathlib import Path

import $name
import pytest

import locaria_reporter as lr


def test_rows_are_published(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,name\\n1,Bern\\n2,Thun\\n")
    channel = lr.RecordingChannel({"url": source.as_uri(), "table": "places"})
    with lr.claim(channel=channel) as run:
        $name.load(run)
    assert channel.outcome == "finished"
    assert channel.published == {"places": [("1", "Bern"), ("2", "Thun")]}


def test_an_empty_file_is_said_to_be_one(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.touch()
    channel = lr.RecordingChannel({"url": source.as_uri(), "table": "places"})
    with pytest.raises(lr.Fatal, match="no header"), lr.claim(channel=channel) as run:
        $name.load(run)
'''

LISTENER = '''"""$description."""

from __future__ import annotations

from typing import Any

import locaria_reporter as lr


def greet(name: str) -> dict[str, Any]:
    """A command: its parameters are what a client sends, its return value is the answer."""
    return {"hello": name}


def main() -> None:
    """Listen on the files of the queue, one after another."""
    for run in lr.claims():
        with run:
            run.listen({"greet": greet})


if __name__ == "__main__":
    main()
'''

LISTENER_TEST = '''"""What $name answers: no database is needed."""

import $name


def test_a_command_answers() -> None:
    assert $name.greet(name="Bern") == {"hello": "Bern"}
'''

SHELL = r"""#!/bin/sh
# $description.
# `locaria-report run` calls it for each file; the attributes are $$P_url and $$P_table.
set -eu

fatal() { # says why, and that another attempt would end the same way
  echo "::locaria error kind=data msg=$$*"
  exit 65
}
sql() { # its arguments go to psql; the database is the service locaria
  psql service=locaria --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 "$$@"
}
[ -n "$${P_url:-}" ] || fatal "attribute url is missing"
[ -n "$${P_table:-}" ] || fatal "attribute table is missing"

locaria-report stage fetch
input=$$LR_TMP/in.csv
locaria-report fetch "$$P_url" -o "$$input"
header=$$(head -n 1 "$$input" | tr -d '\r' | sed 's/^\xef\xbb\xbf//')
[ -n "$$header" ] || fatal "the file has no header"

# Rows go into a staging table. Nobody sees them before it is published.
locaria-report stage load
staging=$$(
  sql -v run="$$LOCARIA_RUN" -v table="$$P_table" -v header="$$header" <<'SQL'
select staging from locaria.create_staging(:run, :'table', (
  select jsonb_agg(jsonb_build_object('name', btrim(name, ' "'), 'type', 'text') order by n)
  from regexp_split_to_table(:'header', ',') with ordinality as h (name, n)
), 'replace');
SQL
)
sql -c "copy $$staging from stdin with (format csv, header)" <"$$input"

# Published in the transaction that also says that the file is done: readers see the old table, or
# the new one.
sql -v run="$$LOCARIA_RUN" -v staging="$$staging" <<'SQL'
begin;
select locaria.publish_staging(:run, :'staging') as rows \gset
select locaria.finish_run(:run, format('%s rows', :rows)) \g /dev/null
commit;
SQL
"""

SHELL_TEST = '''"""What $name does, with stand-ins for psql and locaria-report: no database."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
# Says the name of the staging table when it is asked for one, and keeps all that it is told.
PSQL = """#!/bin/sh
tee "$$LR_TMP/now" >>"$$LR_TMP/told"
echo "$$*" >>"$$LR_TMP/told"
if grep -q create_staging "$$LR_TMP/now"; then echo staging_table; fi
"""
REPORT = """#!/bin/sh
[ "$$1" != fetch ] || cp "$${2#file://}" "$$4"
"""


def run(folder: Path, **parameters: str) -> "subprocess.CompletedProcess[str]":
    for name, text in {"psql": PSQL, "locaria-report": REPORT}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    variables = {f"P_{name}": value for name, value in parameters.items()}
    more = {"PATH": f"{folder}:{os.environ['PATH']}", "LR_TMP": str(folder), "LOCARIA_RUN": "1"}
    return subprocess.run(
        [HERE / "$name.sh"],
        env={**os.environ, **more, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_rows_go_into_the_staging_table(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text("\\ufeffid,name\\n1,Bern\\n2,Thun\\n")
    done = run(tmp_path, url=source.as_uri(), table="places")
    assert done.returncode == 0, done.stderr
    told = (tmp_path / "told").read_text()
    assert "1,Bern\\n2,Thun\\n" in told
    assert "header=id,name" in told
    assert "copy staging_table from stdin" in told
    assert "locaria.finish_run" in told


def test_a_missing_attribute_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, url="file:///x")
    assert done.returncode == 65
    assert "attribute table is missing" in done.stdout
'''

DOCKERFILE = """\
# Build from the root of the repository: docker build -f containers/$name/Dockerfile .
# For a reproducible image, give the base with its digest: --build-arg BASE=python:…@sha256:…
ARG BASE=python:3.13.1-slim-bookworm

FROM $${BASE} AS packages
ARG PSYCOPG=3.2.3
COPY containers/packing /build
COPY locaria_reporter /build/locaria_reporter
RUN sh /build/install.sh "psycopg[binary]==$${PSYCOPG}" /build/locaria_reporter

FROM $${BASE}
${programs}RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin loader
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$$PATH \\
    PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /app
$code# Of files (file://) only what is mounted there may be read.
ENV LOCARIA_FILE_ROOTS=/data
$health
USER 10001
STOPSIGNAL SIGTERM
ENTRYPOINT $entry_point
"""

PYTHON_CODE = """\
COPY containers/$name/$name.py ./
RUN python -m compileall -q --invalidation-mode unchecked-hash .
"""

SHELL_CODE = """\
COPY containers/$name/$name.sh ./
"""

SHELL_PROGRAMS = """\
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends postgresql-client \\
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /usr/share/doc /usr/share/man
"""

HEALTH = """\
ENV LOCARIA_PORT=$port
EXPOSE $port
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["healthcheck"]
"""

NEXT_STEPS = """\
Made $folder:
  $main: $what
  test_$name.py: its test, which needs no database
  Dockerfile: its image$image
and an entry in $dockers

Next:
  python -m pytest $folder
  $begin
  locaria psql                         # and there:
    insert into locaria.files (container, attributes) values ('$name', '$attributes');
From here to a finished loader: docs/writing_a_loader.md
"""
