"""Mode merge, what undo() takes back, and scripts that run when a load is published."""

import json
from typing import Any

import psycopg
import pytest

from tests.sql.scenario import Scenario, Threads, blocked, one, refused, wait_until
from tests.sql.test_staging import COLUMNS, left_tables, rows_of, site  # noqa: F401


def start(
    scene: Scenario,
    *rows: tuple[Any, ...],
    mode: str = "merge",
    columns: Any = None,
    **options: Any,
) -> tuple[int, str]:
    """Prepare a load for publishing; return its run and its staging table."""
    run = scene.running(priority=9)["run_id"]
    staging = one(
        scene.loader,
        "select staging from locaria.create_staging(%s, 'places', %s, %s, %s)",
        [run, json.dumps(columns or COLUMNS), mode, json.dumps(options)],
    )["staging"]
    width = len(columns or COLUMNS)
    names = ", ".join(column["name"] for column in (columns or COLUMNS))
    marks = ", ".join(["%s"] * width)
    scene.loader.cursor().executemany(
        f"insert into {staging} ({names}) values ({marks})".encode(), rows
    )
    return run, staging


def load(scene: Scenario, *rows: tuple[Any, ...], mode: str = "merge", **options: Any) -> int:
    """Run a whole load; return its run."""
    run, staging = start(scene, *rows, mode=mode, **options)
    with scene.loader.transaction():
        stagings = json.dumps([{"staging": staging, "rows": len(rows)}])
        scene.call("publish_load", run, stagings)
        scene.finish(run)
    return run


def places(scene: Scenario) -> list[tuple[Any, ...]]:
    rows = scene.root.execute("select id, name from public.places order by 1, 2")
    return [tuple(row.values()) for row in rows]


def undo(scene: Scenario, run: int) -> list[tuple[Any, ...]]:
    rows = scene.owner.execute("select * from locaria.undo(%s, 'a test')", [run])
    return [tuple(row.values()) for row in rows]


KEY: dict[str, Any] = {"key": ["id"], "load_run": True, "keep_previous": True}


def test_a_merge_inserts_updates_and_keeps_rows(site: Scenario) -> None:  # noqa: F811
    load(site, (1, "a"), (2, "b"), **KEY)
    assert places(site) == [(1, "a"), (2, "b")]
    first = rows_of(site, "(select ctid, * from public.places) as p")
    load(site, (2, "B"), (1, "a"), (3, None), **KEY)
    assert places(site) == [(1, "a"), (2, "B"), (3, None)]
    second = rows_of(site, "(select ctid, * from public.places) as p")
    assert first[0] in second, "a row that is the same is not written again"
    counts = site.owner.execute(
        "select mode, created_table, added, changed from locaria.publications order by run_id"
    ).fetchall()
    assert [tuple(row.values()) for row in counts] == [
        ("merge", True, 2, 0),
        ("merge", False, 1, 1),
    ]
    published = one(site.owner, "select mode, row_count from locaria.published_tables")
    assert published == {"mode": "create", "row_count": 3}


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [(1, "x"), (2, "y"), (1, "z")],
            "1 keys occur more than once, for example (id) = (1) in 2 rows",
        ),
        ([(None, "x")], "in 1 rows the key (id) is NULL"),
    ],
    ids=["twice", "null"],
)
@pytest.mark.parametrize("there", [True, False], ids=["into a table", "as a new table"])
def test_a_duplicate_or_missing_key_is_refused_and_named(
    site: Scenario,  # noqa: F811
    rows: list[tuple[Any, ...]],
    says: str,
    there: bool,
) -> None:
    if there:
        load(site, (1, "old"), **KEY)
    run, staging = start(site, *rows, **KEY)
    with pytest.raises(psycopg.Error) as raised:
        site.call("publish_staging", run, staging)
    assert raised.value.sqlstate == "LC011"
    assert says in str(raised.value)
    if there:
        assert places(site) == [(1, "old")]


def test_a_key_must_exist(site: Scenario) -> None:  # noqa: F811
    with refused("LC007"):
        start(site, (1, "a"), mode="merge")
    with refused("LC007"):
        start(site, (1, "a"), mode="merge", key=["nr"])


def test_concurrent_merges_neither_lose_nor_duplicate_rows(
    site: Scenario,  # noqa: F811
) -> None:
    load(site, (1, "a"), **KEY)
    one_run, one_staging = start(site, (1, "b"), (2, "b"), **KEY)
    other_run, other_staging = start(site, (2, "c"), (3, "c"), **KEY)
    site.loader.execute("begin")
    site.call("publish_staging", one_run, one_staging)
    second = site.db.connect("loader")
    threads = Threads()
    statement = "select locaria.publish_staging(%s, %s)"
    threads.start(second.execute, statement, [other_run, other_staging])
    wait_until(lambda: blocked(site.root, second.info.backend_pid), "the second to wait")
    # Readers go on meanwhile, and see the table as it was.
    assert places(site) == [(1, "a")]
    site.loader.execute("commit")
    threads.join()
    assert places(site) == [(1, "b"), (2, "c"), (3, "c")]


def test_a_merge_compares_types_without_equality(site: Scenario) -> None:  # noqa: F811
    columns = [{"name": "id", "type": "integer"}, {"name": "doc", "type": "json"}]
    for documents in (['{"a": 1}', "2"], ['{"a": 1}', "3"]):
        run, staging = start(site, *enumerate(documents), mode="merge", columns=columns, key=["id"])
        site.call("publish_staging", run, staging)
    counts = one(
        site.owner, "select changed from locaria.publications order by run_id desc limit 1"
    )
    assert counts == {"changed": 1}


def test_undo_of_a_new_table_drops_it(site: Scenario) -> None:  # noqa: F811
    run = load(site, (1, "a"), mode="create")
    assert undo(site, run) == [("public.places", "dropped: the run had made it", 1)]
    assert site.root.execute("select to_regclass('public.places') as t").fetchone() == {"t": None}
    with refused("LC008"):
        undo(site, run)


def test_undo_of_a_replacement_restores_the_table_with_its_indexes(
    site: Scenario,  # noqa: F811
) -> None:
    load(site, (1, "a"), mode="create")
    site.owner.execute("create index places_by_name on places (name)")
    run = load(site, (2, "b"), (3, "c"), mode="replace", keep_previous=True)
    assert places(site) == [(2, "b"), (3, "c")]
    assert undo(site, run) == [("public.places", "the table as it was before", 1)]
    assert places(site) == [(1, "a")]
    indexes = rows_of(site, "(select indexname from pg_indexes where tablename = 'places') as i")
    assert indexes == [("places_by_name",)]
    assert left_tables(site) == []
    assert one(site.owner, "select row_count from locaria.published_tables") == {"row_count": 1}
    run = load(site, (4, "d"), mode="replace")
    with refused("LC009"):
        undo(site, run)
    assert places(site) == [(4, "d")]


def test_undo_of_a_replacement_that_a_view_depends_on(site: Scenario) -> None:  # noqa: F811
    load(site, (1, "a"), mode="create")
    site.owner.execute("create view seen as select * from places")
    run = load(site, (2, "b"), mode="replace", keep_previous=True)
    assert rows_of(site, "seen") == [(2, "b")]
    undo(site, run)
    assert rows_of(site, "seen") == [(1, "a")]


def test_undo_removes_appended_rows_even_after_later_loads(
    site: Scenario,  # noqa: F811
) -> None:
    load(site, (1, "a"), mode="create", load_run=True)
    first = load(site, (2, "b"), mode="append", load_run=True)
    second = load(site, (3, "c"), mode="append", load_run=True)
    origin = one(
        site.root,
        "select r.file_id from public.places p join locaria.runs r on r.id = p._load_run where p.id = 2",
    )
    assert origin == one(site.root, "select file_id from locaria.runs where id = %s", [first])
    assert undo(site, first) == [("public.places", "its rows are gone", 1)]
    assert places(site) == [(1, "a"), (3, "c")]
    replaced = load(site, (9, "z"), mode="replace", load_run=True)
    with refused("LC009"):
        undo(site, second)
    assert places(site) == [(9, "z")]
    assert replaced


def test_undo_of_a_merge_restores_what_it_changed_and_nothing_that_changed_since(
    site: Scenario,  # noqa: F811
) -> None:
    load(site, (1, "a"), (2, "b"), (3, "c"), **KEY)
    run = load(site, (1, "A"), (2, "B"), (4, "D"), **KEY)
    load(site, (2, "BB"), **KEY)
    assert undo(site, run)[0][1:] == (
        "its rows are gone, those that it had changed are as before",
        2,
    )
    assert places(site) == [(1, "a"), (2, "BB"), (3, "c")]


def test_two_merges_are_undone_in_any_order(site: Scenario) -> None:  # noqa: F811
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)):
        base = load(site, (1, "a"), (2, "b"), mode="replace", load_run=True, keep_previous=True)
        runs = [
            load(site, (2, "B"), (3, "c"), **KEY),
            load(site, (2, "BB"), (3, "C"), (4, "d"), **KEY),
            load(site, (3, "CC"), (5, "e"), **KEY),
        ]
        assert places(site) == [(1, "a"), (2, "BB"), (3, "CC"), (4, "d"), (5, "e")]
        for each in order:
            undo(site, runs[each])
        assert places(site) == [(1, "a"), (2, "b")], order
        assert base


def test_rows_kept_for_undo_are_dropped_after_some_days(site: Scenario) -> None:  # noqa: F811
    load(site, (1, "a"), mode="create")
    run = load(site, (2, "b"), mode="replace", keep_previous=True)
    site.owner.execute("select locaria.tick()")
    assert len(left_tables(site)) == 1
    site.owner.execute("update locaria.publications set published = published - interval '8 days'")
    site.owner.execute("select locaria.tick()")
    assert left_tables(site) == []
    with refused("LC009"):
        undo(site, run)


def test_scripts_run_in_the_publishing_transaction_or_nothing_happens(
    site: Scenario,  # noqa: F811
) -> None:
    load(site, (1, "old"), mode="create")
    site.owner.execute("create table public.notes (what text)")
    before = "insert into public.notes select 'before ' || count(*) from public.places"
    after = "insert into public.notes select current_setting('locaria.run'); insert into public.notes select 'after ' || count(*) from public.places"
    for name, body in (("before", before), ("after", after), ("broken", "select 1/0")):
        site.owner.execute("select locaria.register_script(%s, %s)", [name, body])
    run, staging = start(site, (1, "x"), (2, "y"), mode="replace")
    stagings = json.dumps([{"staging": staging, "rows": 2}])
    with pytest.raises(psycopg.Error, match='script "broken": division by zero') as raised:
        site.call("publish_load", run, stagings, ["before"], ["broken"])
    assert raised.value.sqlstate == "LC012"
    assert places(site) == [(1, "old")]
    site.call("publish_load", run, stagings, ["before"], ["after"])
    assert [row[0] for row in rows_of(site, "public.notes")] == sorted(
        ["before 1", str(run), "after 2"]
    )
    with refused("LC008"):
        site.call("check_scripts", run, ["before", "nothing"])
    with refused("42501"):
        site.loader.execute("select locaria.register_script('x', 'select 1')")


def test_indexes_come_after_the_rows_and_are_named_after_the_table(
    site: Scenario,  # noqa: F811
) -> None:
    load(site, (1, "a"), mode="create")
    site.owner.execute("create index places_by_name on places (name)")
    run, staging = start(site, (1, "x"), (2, "y"), mode="replace")
    bare = "(select indexname from pg_indexes where schemaname = 'locaria_staging') as i"
    assert rows_of(site, bare) == []
    wanted = json.dumps([{"columns": ["id"], "unique": True}])
    site.call("index_staging", run, staging, wanted)
    site.call("publish_staging", run, staging)
    there = "(select indexname from pg_indexes where tablename = 'places') as i"
    assert rows_of(site, there) == [("places_by_name",), ("places_id_idx",)]
    run, staging = start(site, (1, "x"), mode="replace")
    site.call("publish_staging", run, staging)
    assert rows_of(site, there) == [("places_by_name",), ("places_id_idx",)]


def test_types_keep_their_modifiers(site: Scenario) -> None:  # noqa: F811
    columns = [
        {"name": "a", "type": "numeric(10, 2)"},
        {"name": "b", "type": "varchar(5)"},
        {"name": "c", "type": "timestamp(3)"},
    ]
    run, staging = start(site, mode="create", columns=columns)
    site.call("publish_staging", run, staging)
    types = rows_of(
        site,
        "(select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'public.places'::regclass and attnum > 0) as t",
    )
    assert [row[1] for row in types] == [
        "numeric(10,2)",
        "character varying(5)",
        "timestamp(3) without time zone",
    ]
