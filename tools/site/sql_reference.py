"""The reference page of the SQL, from the comments in the catalog of a fresh installation."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import psycopg

from locaria.install import install
from locaria.local.postgres.server import PostgresServer
from locaria.resources import SQL

_RELATIONS = """
    select c.relname, obj_description(c.oid, 'pg_class'),
           a.attname, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'locaria'::regnamespace
       and c.relkind = any(%s)
       and not c.relispartition
     order by c.relname, a.attnum
"""
_FUNCTIONS = """
    select p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
           obj_description(p.oid, 'pg_proc')
      from pg_proc p
     where p.pronamespace = 'locaria'::regnamespace
     order by p.proname
"""
_Connection = psycopg.Connection[tuple[str, ...]]


def render() -> str:
    """Return the page in Markdown."""
    with _installed() as connection:
        parts = ["# SQL", "", "Everything in the schema `locaria`, with its comments.", ""]
        parts += _relations(connection, "Views", "v")
        parts += _relations(connection, "Tables", "rp")
        parts += _functions(connection)
    return "\n".join(parts)


@contextmanager
def _installed() -> Iterator[_Connection]:
    """A connection to a database with nothing but Locaria in it."""
    with tempfile.TemporaryDirectory(prefix="locaria-docs-") as folder:
        Path(folder).chmod(0o755)  # as root, the server runs as another user
        with PostgresServer(folder, durable=False) as server:
            install(server.dsn)
            with psycopg.connect(server.dsn, autocommit=True) as connection:
                yield connection
        server.destroy()


def _relations(connection: _Connection, title: str, kinds: str) -> list[str]:
    rows = connection.execute(_RELATIONS, [list(kinds)]).fetchall()
    lines = [f"## {title}", ""]
    for (name, comment), columns in groupby(rows, key=lambda row: row[:2]):
        lines += [
            f"### {name}",
            "",
            _text(comment),
            "",
            "| column | type | meaning |",
            "|---|---|---|",
        ]
        lines += [f"| `{row[2]}` | {row[3]} | {_text(row[4])} |" for row in columns]
        lines.append("")
    return lines


def _functions(connection: _Connection) -> list[str]:
    chapters = _chapters()
    rows = connection.execute(_FUNCTIONS).fetchall()
    lines = ["## Functions", "", "In the order in which a row meets them: `sql/functions/`.", ""]
    by_chapter = sorted(rows, key=lambda row: (chapters.get(row[0], "~"), row[0]))
    for chapter, functions in groupby(by_chapter, key=lambda row: chapters.get(row[0], "~")):
        lines += [f"### {chapter}", "", _introduction(chapter), ""]
        for name, arguments, result, comment in functions:
            signature = f"{name}({arguments}) → {result}"
            lines += ["```text", signature, "```", "", _text(comment), ""]
    return lines


def _chapters() -> dict[str, str]:
    """The chapter of each function: the folder of its file."""
    folder = SQL / "functions"
    return {path.stem: path.relative_to(folder).parts[0] for path in folder.rglob("*.sql")}


def _introduction(chapter: str) -> str:
    """The README of a chapter, without its title."""
    path = SQL / "functions" / chapter / "README.md"
    return path.read_text(encoding="utf-8").partition("\n")[2].strip() if path.exists() else ""


def _text(comment: str | None) -> str:
    """A comment of the catalog as a line of Markdown."""
    text = " ".join((comment or "").split())
    for character in "\\|<>*_`[]{}":
        text = text.replace(character, f"\\{character}")
    return text
