"""preSQL and postSQL: registered scripts around what a load publishes."""

import json
from pathlib import Path

import psycopg
import pytest

from locaria.install import register_containers
from tests.containers.conftest import DOCKERS, Loader

OLD = "id,name\n1,old\n"
NEW = "id,name\n2,new\n3,newer\n"


def seen(loader: Loader) -> list[tuple[str, int, bool]]:
    return [(what, rows, run > 0) for what, rows, run in loader.rows("public.seen")]


def test_scripts_run_with_the_rows_that_are_published_or_not_at_all(loader: Loader) -> None:
    loader.owner.execute("create table public.seen (what text, rows bigint, run bigint)")
    for name in ("before", "after"):
        loader.owner.execute(
            "select locaria.register_script(%s, %s)",
            [
                name,
                f"insert into public.seen select '{name}', count(*),"
                " current_setting('locaria.run')::bigint from public.things",
            ],
        )
    loader.owner.execute(
        "select locaria.register_script('breaks', 'select 1 / count(*) from public.nothing')"
    )
    assert loader.succeeded(loader.load(OLD))

    file = loader.insert(loader.write(NEW), preSQL="before", postSQL=["after"])
    broken = loader.insert(
        loader.write(OLD, "other.csv"), table="things", preSQL="before", postSQL="breaks"
    )
    unknown = loader.insert(loader.write(OLD, "third.csv"), postSQL="drop table things")
    loader.drain()

    assert loader.succeeded(file)
    assert sorted(seen(loader)) == [("after", 2, True), ("before", 1, True)]
    assert loader.rows() == [(2, "new"), (3, "newer")], "a script that fails takes the load back"
    error = loader.file(broken)["last_error"]
    assert 'script "breaks": relation "public.nothing" does not exist' in error
    assert 'there is no script "drop table things"' in loader.file(unknown)["last_error"]
    assert loader.types("third") == {}


def ship(loader: Loader, container: str, name: str, said: str) -> Path:
    """Put a script into the folder of a container, and register what is there."""
    folder = loader.folder / "containers"
    script = folder / container / "scripts" / name
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(
        f"insert into public.seen select '{said}', count(*),"
        " current_setting('locaria.run')::bigint from public.things;"
    )
    dockers = folder / "dockers.json"
    dockers.write_text(json.dumps({name: DOCKERS[name] for name in ("file_loader", "os_opendata")}))
    register_containers(loader.owner, dockers)
    loader.owner.execute("update locaria.containers set idle_timeout = '0'")
    return script


def test_a_container_ships_scripts_for_its_own_loads_and_the_site_overrides_them(
    loader: Loader,
) -> None:
    loader.owner.execute("create table public.seen (what text, rows bigint, run bigint)")
    script = ship(loader, "file_loader", "post_load.sql", "shipped")
    ship(loader, "os_opendata", "other.sql", "of another container")
    assert loader.succeeded(loader.load(OLD, postSQL="post_load.sql"))
    assert seen(loader) == [("shipped", 1, True)]

    other = loader.insert(loader.write(NEW), postSQL="other.sql")
    loader.drain()
    assert 'there is no script "other.sql"' in loader.file(other)["last_error"]
    assert loader.rows() == [(1, "old")]

    ship(loader, "file_loader", "post_load.sql", "shipped anew")
    assert loader.succeeded(loader.load(NEW, postSQL="post_load.sql"))
    assert ("shipped anew", 2, True) in seen(loader)
    mine = "insert into public.seen values ('of the site', 0, 1)"
    loader.owner.execute("select locaria.register_script('post_load.sql', %s)", [mine])
    assert loader.succeeded(loader.load(OLD, postSQL="post_load.sql"))
    assert [what for what, _, _ in seen(loader)] == ["shipped", "shipped anew", "of the site"]

    loader.owner.execute("delete from locaria.scripts")
    script.unlink()
    register_containers(loader.owner, loader.folder / "containers" / "dockers.json")
    loader.owner.execute("update locaria.containers set idle_timeout = '0'")
    gone = loader.load(OLD, postSQL="post_load.sql")
    assert 'there is no script "post_load.sql"' in loader.file(gone)["last_error"]


def test_what_is_no_name_of_a_script_is_not_registered(loader: Loader) -> None:
    with pytest.raises(psycopg.Error, match=r"no name of a script: a b\.sql"):
        ship(loader, "file_loader", "a b.sql", "x")
