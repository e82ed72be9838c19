"""preSQL and postSQL: registered scripts around what a load publishes."""

from tests.containers.conftest import Loader

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
