"""What `locaria new-container` writes: texts with $placeholders, in the shape of our own images."""

from __future__ import annotations

LOADER = '''"""$description."""

from __future__ import annotations

import csv

import locaria_reporter as lr


def load(run: lr.Run) -> None:
    """Load the CSV file at the URL of a run into its table."""
    source = run.fetch(run.parameters["url"])
    with run.open(source, newline="") as lines:
        rows = csv.reader(lines)
        columns = {name: "text" for name in next(rows)}
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

import locaria_reporter as lr


def test_rows_are_published(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,name\\n1,Bern\\n2,Thun\\n")
    channel = lr.RecordingChannel({"url": source.as_uri(), "table": "places"})
    with lr.claim(channel=channel) as run:
        $name.load(run)
    assert channel.outcome == "finished"
    assert channel.published == {"places": [("1", "Bern"), ("2", "Thun")]}
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
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin loader
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$$PATH \\
    PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /app
COPY containers/$name/$name.py ./
RUN python -m compileall -q --invalidation-mode unchecked-hash .
$health
USER 10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "$name.py"]
"""

HEALTH = """\
ENV LOCARIA_PORT=$port
EXPOSE $port
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["healthcheck"]
"""

NEXT_STEPS = """\
Made $folder:
  $name.py: $what
  test_$name.py: its test, which needs no database
  Dockerfile: its image
and an entry in $dockers

Next:
  python -m pytest $folder
  locaria down; locaria up --detach    # registers it; from now on it can be started
  locaria psql                         # and there:
    insert into locaria.files (container, attributes) values ('$name', '$attributes');
From here to a finished loader: docs/writing_a_loader.md
"""
