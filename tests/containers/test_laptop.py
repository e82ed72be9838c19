"""file_loader outside of Locaria: on a laptop, with a database that knows nothing of it."""

import os
import subprocess
import sys
from contextlib import closing

import psycopg
from psycopg.conninfo import make_conninfo

from tests.containers.conftest import FOLDER, MODULES, ROOT
from tests.containers.site import Site

POINT = (
    '{"type": "Feature", "properties": {"id": 1},'
    ' "geometry": {"type": "Point", "coordinates": [1, 2]}}'
)


def test_files_are_loaded_into_a_plain_database_and_the_exit_code_tells(site: Site) -> None:
    name = f"plain_{site.db.name}"
    site.execute(f"create database {name}")
    dsn = make_conninfo(site.db.superuser_dsn, dbname=name)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCARIA_")}
    environment = kept | {"DATABASE_URL": dsn, "PYTHONPATH": f"{ROOT}:{MODULES}"}

    def load(path: object, table: str, *more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "file_loader.py", f"path={path}", f"table={table}", *more],
            cwd=FOLDER,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    things = site.write("id,name\n1,a\n2,b\n")
    assert load(things, "things").returncode == 0
    done = load(site.write(POINT, "points.geojson"), "points", "index=id")
    assert done.returncode == 0, done.stderr
    assert "no indexes are built" in done.stderr + done.stdout
    refused = load(things, "other", "postSQL=x.sql")
    assert refused.returncode == 65
    assert "there are no scripts" in refused.stderr + refused.stdout
    with closing(psycopg.connect(dsn)) as connection:
        assert connection.execute("select * from things").fetchall() == [(1, "a"), (2, "b")]
        assert connection.execute("select id from points").fetchall() == [(1,)]
        assert connection.execute("select to_regclass('other')").fetchone() == (None,)
    site.execute(f"drop database {name}")
