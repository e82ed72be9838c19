"""Staging and publishing: data becomes visible together with the outcome, or not at all."""

import json
from typing import Any

import psycopg
import pytest

from tests.conftest import Connection
from tests.sql.scenario import Row, Scenario, Threads, blocked, one, refused, wait_until

COLUMNS = [{"name": "id", "type": "integer"}, {"name": "name", "type": "text"}]


@pytest.fixture
def site(scene: Scenario) -> Scenario:
    """A database in which the owner can create tables in public."""
    scene.root.execute("grant all on schema public to locaria_owner")
    scene.set_limits(max_tasks=100)
    return scene


def create(
    scene: Scenario, run: int, target: str = "places", columns: Any = None, mode: str = "replace"
) -> Row:
    return one(
        scene.loader,
        "select * from locaria.create_staging(%s, %s, %s, %s)",
        [run, target, json.dumps(COLUMNS if columns is None else columns), mode],
    )


def fill(connection: Connection, staging: str, *rows: tuple[Any, ...]) -> None:
    marks = ", ".join("%s" for _ in rows[0])
    connection.cursor().executemany(f"insert into {staging} values ({marks})".encode(), rows)


def publish(scene: Scenario, run: int, staging: str) -> int:
    with scene.loader.transaction():
        rows = scene.call("publish_staging", run, staging)
        scene.finish(run)
    return int(rows)


def load(
    scene: Scenario,
    *rows: tuple[Any, ...],
    target: str = "places",
    columns: Any = None,
    mode: str = "replace",
) -> Row:
    """Load one file completely."""
    run = scene.running(priority=9)
    staging = create(scene, run["run_id"], target, columns, mode)
    fill(scene.loader, staging["staging"], *rows)
    publish(scene, run["run_id"], staging["staging"])
    return run


def rows_of(scene: Scenario, table: str = "public.places") -> list[tuple[Any, ...]]:
    return [
        tuple(row.values())
        for row in scene.root.execute(f"select * from {table} order by 1".encode())
    ]


def left_tables(scene: Scenario) -> list[str]:
    rows = scene.owner.execute(
        "select tablename from pg_tables where schemaname = 'locaria_staging' order by 1"
    )
    return [row["tablename"] for row in rows]


def test_create_replace_and_append(site: Scenario) -> None:
    load(site, (1, "a"), mode="create")
    assert rows_of(site) == [(1, "a")]
    load(site, (2, "b"), (3, "c"))
    assert rows_of(site) == [(2, "b"), (3, "c")]
    load(site, ("d", 4), mode="append", columns=[{"name": "name"}, {"name": "id"}])
    assert rows_of(site) == [(2, "b"), (3, "c"), (4, "d")]
    row = one(site.owner, "select * from locaria.published_tables")
    assert (row["table_schema"], row["table_name"], row["row_count"]) == ("public", "places", 3)
    assert left_tables(site) == []
    assert site.owner.execute("select * from locaria.staging_tables").fetchall() == []
    load(site, (5, "e"))
    assert rows_of(site) == [(5, "e")], (
        "a table that Locaria created stays replaceable after an append"
    )


def test_names_are_taken_literally_however_hostile(site: Scenario) -> None:
    names = [
        "select",
        'Robert"); drop table files; --',
        "a b",
        "ünï",
        "'",
        '"',
        "x" * 63,
        "a%I%s$$",
        "A",
    ]
    columns = [{"name": name, "type": "text"} for name in names]
    for name in [*names, "public.with.dots", "public. "]:
        load(site, tuple("v" for _ in names), target=name, columns=columns, mode="create")
    tables = {
        row["tablename"]
        for row in site.root.execute("select tablename from pg_tables where schemaname = 'public'")
    }
    assert tables == {*names, "with.dots", " "}
    rows = site.root.execute(
        "select attname from pg_attribute where attrelid = 'public.\"select\"'::regclass and attnum > 0"
    )
    assert [row["attname"] for row in rows] == names
    load(site, tuple("w" for _ in names), target=names[1], columns=columns)


REFUSED: list[tuple[Any, Any, Any, str]] = [
    ("", COLUMNS, "replace", "LC007"),
    (None, COLUMNS, "replace", "LC007"),
    ("public.", COLUMNS, "replace", "LC007"),
    (".places", COLUMNS, "replace", "LC007"),
    ("x" * 64, COLUMNS, "replace", "LC007"),
    ("ü" * 32, COLUMNS, "replace", "LC007"),
    ("a\nb", COLUMNS, "replace", "LC007"),
    ("places", [], "replace", "LC007"),
    ("places", {}, "replace", "LC007"),
    ("places", None, "replace", "LC007"),
    ("places", ["a"], "replace", "LC007"),
    ("places", [{"type": "text"}], "replace", "LC007"),
    ("places", [{"name": ""}], "replace", "LC007"),
    ("places", [{"name": "x" * 64}], "replace", "LC007"),
    ("places", [{"name": "a"}, {"name": "a"}], "replace", "LC007"),
    ("places", [{"name": "ctid"}], "replace", "LC007"),
    ("places", [{"name": "xmin"}], "replace", "LC007"),
    ("places", [{"name": f"c{n}"} for n in range(1601)], "replace", "LC007"),
    ("places", [{"name": "a", "type": "no_such"}], "replace", "LC007"),
    ("places", [{"name": "a", "type": "text); drop table x; --"}], "replace", "LC007"),
    ("places", [{"name": "a", "type": "(("}], "replace", "LC007"),
    ("places", [{"name": "a", "type": "serial"}], "replace", "LC007"),
    ("places", [{"name": "a", "type": "record"}], "replace", "LC007"),
    ("places", [{"name": "a", "type": "anyelement"}], "replace", "LC007"),
    ("places", [{"name": "a", "type": ""}], "replace", "LC007"),
    ("places", COLUMNS, "upsert", "LC007"),
    ("places", COLUMNS, None, "LC007"),
    ("places", COLUMNS, "append", "LC009"),
    ("locaria.files", COLUMNS, "append", "LC009"),
    ("locaria.parameters", COLUMNS, "replace", "LC009"),
    ("locaria_staging.x", COLUMNS, "create", "LC009"),
    ("pg_catalog.pg_class", COLUMNS, "append", "LC009"),
    ("pg_temp.x", COLUMNS, "create", "LC009"),
    ("information_schema.x", COLUMNS, "create", "LC009"),
    ("aws_lambda.functions", COLUMNS, "append", "LC009"),
    ("nowhere.x", COLUMNS, "create", "LC009"),
    ("site.x", COLUMNS, "create", "LC009"),
    ("Public.x", COLUMNS, "create", "LC009"),
]


def test_harmful_or_impossible_targets_are_refused(site: Scenario) -> None:
    site.root.execute("create schema site; grant all on schema site to locaria_owner")
    run = site.running()
    for target, columns, mode, sqlstate in REFUSED:
        with refused(sqlstate):
            site.call("create_staging", run["run_id"], target, json.dumps(columns), mode)
    assert left_tables(site) == []


def test_nul_is_refused_by_postgres_itself(site: Scenario) -> None:
    run = site.running()
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        site.call("create_staging", run["run_id"], "places", '[{"name": "a\\u0000b"}]', "replace")


def test_a_table_can_have_1600_columns(site: Scenario) -> None:
    create(
        site,
        site.running()["run_id"],
        columns=[{"name": f"c{n}", "type": "integer"} for n in range(1600)],
    )


def test_the_configuration_decides_to_which_schemas_loads_publish(site: Scenario) -> None:
    site.root.execute('create schema "My Data"; grant all on schema "My Data" to locaria_owner')
    site.set_parameter("publish_config", schemas=["My Data", "public", "locaria", "not there"])
    load(site, (1, "a"), target="places")
    assert rows_of(site, '"My Data".places') == [(1, "a")], "the first schema is the default one"
    run = site.running()
    for target in ("locaria.x", "not there.x"):
        with refused("LC009"):
            create(site, run["run_id"], target)


def test_a_table_that_locaria_has_not_loaded_is_never_replaced(site: Scenario) -> None:
    site.owner.execute(
        "create table public.places (id integer, name text); insert into public.places values (0, 'site')"
    )
    run = site.running()
    with refused("LC009", "was not loaded by Locaria"):
        create(site, run["run_id"])
    with refused("LC009", "already exists"):
        create(site, run["run_id"], mode="create")
    load(site, (1, "a"), mode="append")
    assert rows_of(site) == [(0, "site"), (1, "a")]
    with refused("LC009", "was not loaded by Locaria"):
        create(site, site.running(priority=9)["run_id"])
    assert rows_of(site) == [(0, "site"), (1, "a")], "not even after an append to it"


def test_the_target_is_checked_again_when_it_is_published(site: Scenario) -> None:
    run = site.running()
    staging = create(site, run["run_id"])["staging"]
    fill(site.loader, staging, (1, "a"))
    site.owner.execute(
        "create table public.places (id integer, name text); insert into public.places values (0, 'site')"
    )
    with refused("LC009"):
        publish(site, run["run_id"], staging)
    assert rows_of(site) == [(0, "site")]
    assert site.status_of(run["file_id"]) == "FARGATE_PROCESSING"


def test_readers_see_the_old_rows_until_the_commit_and_the_outcome_with_the_new(
    site: Scenario,
) -> None:
    load(site, (1, "old"))
    run = site.running()
    staging = create(site, run["run_id"])["staging"]
    fill(site.loader, staging, (2, "new"))
    assert rows_of(site) == [(1, "old")]
    publisher = site.session("loader", autocommit=False)
    site.call("publish_staging", run["run_id"], staging, connection=publisher)
    site.call("finish_run", run["run_id"], connection=publisher)
    assert site.status_of(run["file_id"]) == "FARGATE_PROCESSING"
    publisher.rollback()
    assert rows_of(site) == [(1, "old")]
    assert site.status_of(run["file_id"]) == "FARGATE_PROCESSING"
    publish(site, run["run_id"], staging)
    assert rows_of(site) == [(2, "new")]
    assert site.status_of(run["file_id"]) == "FARGATE_PROCESSED"


def test_publishing_gives_up_when_readers_lock_the_old_table(site: Scenario) -> None:
    load(site, (1, "old"))
    site.set_parameter("publish_config", lock_timeout_ms=50)
    run = site.running()
    staging = create(site, run["run_id"])["staging"]
    reader = site.session()
    with reader.transaction():
        reader.execute("select * from public.places")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            publish(site, run["run_id"], staging)
    publish(site, run["run_id"], staging)
    assert rows_of(site) == []


def test_a_replaced_table_keeps_its_grants_indexes_defaults_and_comment(site: Scenario) -> None:
    load(site, (1, "a"))
    site.owner.execute(
        """
        grant select on public.places to locaria_app;
        grant select, update on public.places to test_reader with grant option;
        alter table public.places add constraint places_pkey primary key (id);
        alter table public.places add constraint places_id_is_positive check (id > 0);
        create index places_by_name on public.places (lower(name));
        comment on table public.places is 'Where things are.'
        """
    )
    describe = """
        select (select array_agg(x order by x) from unnest(c.relacl::text[]) x) as acl, obj_description(c.oid) as comment,
          (select array_agg(indexrelid::regclass::text order by 1) from pg_index where indrelid = c.oid) as indexes,
          (select array_agg(conname::text order by 1) from pg_constraint where conrelid = c.oid and contype <> 'n') as constraints,
          pg_get_userbyid(relowner) as owner
        from pg_class c where c.oid = 'public.places'::regclass
    """
    before = one(site.root, describe)
    load(site, (2, "b"))
    after = one(site.root, describe)
    assert rows_of(site) == [(2, "b")]
    assert after == before
    assert "test_loader" not in str(after["acl"])
    assert site.session("app").execute("select count(*) as n from public.places").fetchone() == {
        "n": 1
    }
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        site.loader.execute("insert into public.places values (9, 'x')")


@pytest.mark.parametrize(
    "hanging",
    [
        "create view public.v as select name from public.places",
        "create materialized view public.v as select name from public.places",
        "create table public.other (p integer references public.places (id))",
        "alter table public.places add foreign key (id) references public.master (id)",
        "create trigger t after insert on public.places for each row execute function public.noted()",
        "alter table public.places enable row level security; create policy p on public.places for select to locaria_app using (id > 2)",
        "grant select (name) on public.places to locaria_app",
        "create function public.f(public.places) returns int language sql as 'select 1'",
        "create table public.holder (p public.places)",
    ],
)
def test_dependent_objects_of_a_replaced_table_are_kept(site: Scenario, hanging: str) -> None:
    """The table keeps its oid and gets new rows."""
    load(site, (1, "a"), (2, "b"))
    site.owner.execute(
        """
        alter table public.places add primary key (id);
        create table public.master (id integer primary key); insert into public.master values (1), (2), (3);
        create function public.noted() returns trigger language plpgsql as 'begin return null; end'
        """
    )
    site.owner.execute(hanging.encode())
    before = one(site.root, "select 'public.places'::regclass::oid as oid")
    load(site, (3, "c"))
    assert rows_of(site) == [(3, "c")]
    assert one(site.root, "select 'public.places'::regclass::oid as oid") == before
    assert left_tables(site) == []


def test_rows_never_go_into_other_columns_when_a_view_depends_on_the_table(site: Scenario) -> None:
    load(site, ("n", "t"), columns=[{"name": "name"}, {"name": "town"}])
    site.owner.execute("create view public.v as select name from public.places")
    load(site, ("t2", "n2"), columns=[{"name": "town"}, {"name": "name"}])
    assert one(site.root, "select name, town from public.places") == {"name": "n2", "town": "t2"}
    run = site.running()
    staging = create(site, run["run_id"], columns=[{"name": "name"}])["staging"]
    with refused("LC009", "different columns", "view public.v"):
        publish(site, run["run_id"], staging)
    assert one(site.root, "select name, town from public.places") == {"name": "n2", "town": "t2"}


@pytest.mark.parametrize("action", ["cascade", "set null", "set default", "restrict", "no action"])
def test_rows_of_other_tables_are_never_lost_by_a_replacement(site: Scenario, action: str) -> None:
    load(site, (1, "a"))
    site.owner.execute("alter table public.places add primary key (id)")
    site.owner.execute(
        f"create table public.visits (place integer references public.places (id) on delete {action}); insert into public.visits values (1)".encode()
    )
    run = site.running()
    staging = create(site, run["run_id"])["staging"]
    fill(site.loader, staging, (1, "a2"))
    with refused("LC009", "visits"):
        publish(site, run["run_id"], staging)
    assert rows_of(site, "public.visits") == [(1,)]
    assert rows_of(site) == [(1, "a")]


def test_a_table_without_dependents_can_be_replaced_by_other_columns(site: Scenario) -> None:
    load(site, (1, "a"))
    site.owner.execute("grant select on public.places to locaria_app")
    load(site, (True,), columns=[{"name": "flag", "type": "boolean"}])
    assert rows_of(site) == [(True,)]
    assert site.app.execute("select flag from public.places").fetchone() == {"flag": True}


def test_a_load_by_the_owner_keeps_the_owner_of_the_table(site: Scenario) -> None:
    run = site.running()
    staging = one(
        site.owner,
        "select staging from locaria.create_staging(%s, 'places', %s)",
        [run["run_id"], json.dumps(COLUMNS)],
    )["staging"]
    fill(site.owner, staging, (1, "a"))
    site.call("publish_staging", run["run_id"], staging, connection=site.owner)
    assert site.owner.execute("select id from public.places").fetchall() == [{"id": 1}]
    site.owner.execute("insert into public.places values (2, 'b')")


def test_a_published_table_can_be_read_and_no_longer_changed_by_its_loader(site: Scenario) -> None:
    load(site, (1, "a"))
    for session in (site.session("reader"), site.loader):
        assert session.execute("select id from public.places").fetchall() == [{"id": 1}]
    for statement in (
        "insert into public.places values (2, 'b')",
        "drop table public.places",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            site.loader.execute(statement.encode())


def test_the_next_attempt_adopts_the_table_filled_up_to_the_checkpoint(site: Scenario) -> None:
    run = site.running()
    staging = create(site, run["run_id"])
    assert (staging["adopted"], staging["checkpoint"]) == (False, None)
    with site.loader.transaction():
        fill(site.loader, staging["staging"], (1, "a"), (2, "b"))
        site.call("checkpoint_run", run["run_id"], '{"line": 2}')
    site.fail(run["run_id"])
    for minutes in (1, 2, 3):
        site.tick(minutes=minutes)
    assert len(left_tables(site)) == 1, "a retry may adopt it"
    again = site.claim_one()
    site.tick(minutes=4)
    site.heartbeat(1, again["run_id"])
    site.progress(again["run_id"], rows_done=0)
    site.tick(minutes=5)
    adopted = create(site, again["run_id"])
    assert (adopted["adopted"], adopted["row_count"], adopted["checkpoint"]) == (
        True,
        2,
        {"line": 2},
    )
    assert adopted["staging"] != staging["staging"]
    with pytest.raises(psycopg.errors.UndefinedTable):
        fill(site.loader, staging["staging"], (9, "late"))
    fill(site.loader, adopted["staging"], (3, "c"))
    publish(site, again["run_id"], adopted["staging"])
    assert rows_of(site) == [(1, "a"), (2, "b"), (3, "c")]


def test_an_adopted_table_can_be_adopted_again_without_a_new_checkpoint(
    site: Scenario,
) -> None:
    site.set_limits(max_attempts=9)
    run = site.running()
    staging = create(site, run["run_id"])
    with site.loader.transaction():
        fill(site.loader, staging["staging"], (1, "a"))
        site.call("checkpoint_run", run["run_id"], '{"line": 1}')
    for attempt in range(3):
        site.fail(run["run_id"])
        site.at(minutes=10 * (attempt + 1))
        site.tick()
        run = site.claim_one()
        if attempt == 1:
            continue  # One that dies before it has asked for its table.
        adopted = create(site, run["run_id"])
        assert (adopted["adopted"], adopted["checkpoint"]) == (True, {"line": 1})
    publish(site, run["run_id"], adopted["staging"])
    assert rows_of(site) == [(1, "a")]


def test_a_table_with_its_own_checkpoint_is_adopted_only_for_the_same_source(
    site: Scenario,
) -> None:
    wanted = {"own_checkpoint": True, "source": "one"}

    def asked(run: dict[str, Any], target: str, **options: Any) -> dict[str, Any]:
        return one(
            site.loader,
            "select * from locaria.create_staging(%s, %s, %s::jsonb, 'replace', %s::jsonb)",
            [run["run_id"], target, json.dumps(COLUMNS), json.dumps(wanted | options)],
        )

    run = site.running()
    tables = {target: asked(run, target)["staging"] for target in ("a", "b", "c", "d")}
    site.call("checkpoint_run", run["run_id"], '{"of": "the run"}')
    for target in ("a", "b", "d"):
        with site.loader.transaction():
            fill(site.loader, tables[target], (1, target))
            site.call("checkpoint_run", run["run_id"], f'{{"at": "{target}"}}', tables[target])
    with refused("LC008"):
        site.call("checkpoint_run", run["run_id"], "{}", "locaria_staging.other")
    site.fail(run["run_id"])
    site.tick(minutes=5)
    again = site.claim_one()
    assert again["checkpoint"] == {"of": "the run"}
    for target in ("a", "b"):
        adopted = asked(again, target)
        found = (adopted["adopted"], adopted["row_count"], adopted["checkpoint"])
        assert found == (True, 1, {"at": target})
    # One table was never filled, the other was filled from another source.
    for fresh in (asked(again, "c"), asked(again, "d", source="other")):
        assert (fresh["adopted"], fresh["row_count"], fresh["checkpoint"]) == (False, 0, None)
    site.finish(again["run_id"])
    site.tick(minutes=20)
    assert left_tables(site) == []


@pytest.mark.parametrize(
    "change", ["columns", "mode", "target", "no checkpoint", "by hand", "held"]
)
def test_a_table_that_differs_is_not_adopted(site: Scenario, change: str) -> None:
    run = site.running()
    staging = create(site, run["run_id"])["staging"]
    fill(site.loader, staging, (1, "a"))
    if change != "no checkpoint":
        site.call("checkpoint_run", run["run_id"], '{"line": 1}')
    late = site.session("loader", autocommit=False)
    if change == "held":
        fill(late, staging, (2, "late"))
    if change == "by hand":
        site.fail(run["run_id"], "data")
        site.owner.execute('update locaria.files set attributes = \'{"path": "other.csv"}\'')
        site.control("retry", run["file_id"])
    else:
        site.fail(run["run_id"])
    site.at(minutes=5)
    again = site.claim_one()
    fresh = create(
        site,
        again["run_id"],
        columns=[*COLUMNS, {"name": "more"}] if change == "columns" else None,
        target="elsewhere" if change == "target" else "places",
        mode="create" if change == "mode" else "replace",
    )
    assert (fresh["adopted"], fresh["row_count"], fresh["checkpoint"]) == (False, 0, None)
    late.rollback()
    site.finish(again["run_id"])
    site.tick(minutes=20)
    assert left_tables(site) == []


def test_a_run_that_lost_its_file_cannot_publish(site: Scenario) -> None:
    run = site.running()
    staging = create(site, run["run_id"])["staging"]
    fill(site.loader, staging, (1, "late"))
    site.tick(minutes=10)
    with refused("LC001"):
        publish(site, run["run_id"], staging)
    assert one(site.root, "select to_regclass('public.places') as t")["t"] is None
    other = site.claim_one()
    with refused("LC008", "has no staging table"):
        publish(site, other["run_id"], staging)


def test_a_file_cannot_be_taken_over_while_it_is_being_published(site: Scenario) -> None:
    site.at(seconds=0)
    run = site.running()
    staging = create(site, run["run_id"])["staging"]
    publisher = site.session("loader", autocommit=False)
    site.call("publish_staging", run["run_id"], staging, connection=publisher)
    site.tick(minutes=10)
    threads = Threads()
    assert site.operator
    threads.start(lambda: site.control("cancel", run["file_id"]) and None)
    wait_until(
        lambda: blocked(site.owner, site.operator.info.backend_pid), "cancel waits for the publish"
    )
    site.call("finish_run", run["run_id"], connection=publisher)
    publisher.commit()
    threads.join()
    assert site.status_of(run["file_id"]) == "FARGATE_PROCESSED"


def test_staging_tables_are_dropped_when_no_attempt_will_adopt_them(site: Scenario) -> None:
    site.set_limits(max_attempts=1)
    for end in ("data", "transient", "cancelled"):
        run = site.running()
        staging = create(site, run["run_id"])["staging"]
        if end == "transient":
            site.call("checkpoint_run", run["run_id"], "{}")
        site.fail(run["run_id"], end)
        assert len(left_tables(site)) == 1
        holder = site.session("loader", autocommit=False)
        fill(holder, staging, (1, "a"))
        site.tick()
        assert len(left_tables(site)) == 1, "a task that is ending still uses it"
        holder.close()
        wait_until(lambda: (site.tick() and False) or not left_tables(site), "the table is dropped")
    run = site.running()
    create(site, run["run_id"])
    site.tick()
    assert len(left_tables(site)) == 1, "a living run keeps its table"
    site.call("fail_run", run["run_id"], "transient", "for a while")
    site.owner.execute("delete from locaria.files")
    site.tick()
    assert left_tables(site) == [], "a deleted file keeps nothing"


def test_a_run_can_fill_several_tables(site: Scenario) -> None:
    run = site.running()
    first = create(site, run["run_id"], "one")["staging"]
    second = create(site, run["run_id"], "two")["staging"]
    assert first != second
    with site.loader.transaction():
        site.call("publish_staging", run["run_id"], first)
        site.call("publish_staging", run["run_id"], second.split(".")[1], 0)
        site.finish(run["run_id"])
    assert rows_of(site, "public.one") == rows_of(site, "public.two") == []


def test_the_staging_tables_of_a_run_have_different_names(site: Scenario) -> None:
    run = site.running()["run_id"]
    names = [create(site, run, target)["staging"] for target in ("a", "b", "c")]
    site.call("publish_staging", run, names[0])
    names.append(create(site, run, "d")["staging"])
    assert len(set(names[1:])) == 3


def test_append_takes_the_types_of_the_target(site: Scenario) -> None:
    site.owner.execute(
        "create domain public.percentage as numeric check (value between 0 and 100);"
        "create table public.places (id bigint generated by default as identity, name varchar(5), p public.percentage, d date default '2020-01-01')"
    )
    load(
        site,
        ("abc", 5),
        mode="append",
        columns=[{"name": "name", "type": "integer"}, {"name": "p"}],
    )
    row = one(site.root, "select name, p, d::text from public.places")
    assert (row["name"], row["p"], row["d"]) == ("abc", 5, "2020-01-01")
    with refused("LC007", 'no column "nope"', "name"):
        create(site, site.running()["run_id"], mode="append", columns=[{"name": "nope"}])
