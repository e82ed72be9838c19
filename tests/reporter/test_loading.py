"""Loads through staging tables, or in one transaction; checkpoints and bad rows."""

import psycopg
import pytest

import locaria_reporter as lr
from tests.reporter.conftest import COLUMNS, Site


def test_a_small_load_and_its_outcome_are_one_transaction(site: Site) -> None:
    site.owner.execute("create table public.small (n int)")
    site.owner.execute("grant insert on public.small to locaria_loader")
    file_id = site.submit()
    with lr.claim(channel=site.channel()) as run, run.transaction() as connection:
        connection.execute("insert into public.small values (1)")
        assert site.one("select count(*) as n from public.small")["n"] == 0
        run.finish(message="one row")
    assert site.one("select count(*) as n from public.small")["n"] == 1
    assert site.run(file_id)["message"] == "one row"
    assert site.file(file_id)["status"] == "FARGATE_PROCESSED"


def test_a_failed_small_load_leaves_nothing(site: Site) -> None:
    site.owner.execute("create table public.small (n int)")
    site.owner.execute("grant insert on public.small to locaria_loader")
    file_id = site.submit()
    with (
        pytest.raises(lr.Fatal),
        lr.claim(channel=site.channel()) as run,
        run.transaction() as connection,
    ):
        connection.execute("insert into public.small values (1)")
        raise lr.Fatal("no")
    assert site.one("select count(*) as n from public.small")["n"] == 0
    assert site.file(file_id)["status"] == "ERROR"


def test_a_retry_goes_on_from_the_checkpoint_and_every_row_is_there_once(site: Site) -> None:
    site.configure(backoff="0 s")
    file_id = site.submit()

    def load(stop_at: int | None) -> bool:
        with lr.claim(channel=site.channel()) as run:
            start = run.checkpoint.get("next", 0)
            table = run.staging("places", COLUMNS, mode="create")
            for number in range(start, 100):
                if number == stop_at:
                    raise ConnectionError("cut")
                table.copy((number, "x"), checkpoint={"next": number + 1})
                if number % 10 == 9:
                    table.flush()
            run.finish(swap=table)
        return table.adopted

    with pytest.raises(ConnectionError):
        load(stop_at=55)
    assert site.run(file_id)["checkpoint"] == {"next": 50}
    assert load(stop_at=None)
    found = site.one("select count(*) as n, count(distinct id) as d from public.places")
    assert (found["n"], found["d"]) == (100, 100)


def test_blocks_without_a_checkpoint_are_never_gone_on_from(site: Site) -> None:
    site.configure(backoff="0 s")
    site.submit()
    for attempt in (1, 2):
        try:
            with lr.claim(channel=site.channel()) as run:
                if attempt == 1:
                    run.save_checkpoint(downloaded=True)
                table = run.staging("places", COLUMNS, mode="create")
                assert not table.adopted and run.checkpoint == (
                    {"downloaded": True} if attempt == 1 else {}
                )
                table.write(b"1,a\n2,b\n")
                if attempt == 1:
                    raise ConnectionError("cut")
                run.finish(swap=table)
        except ConnectionError:
            continue
    assert site.one("select count(*) as n from public.places")["n"] == 2


def test_raw_blocks_are_copied_with_their_options(site: Site) -> None:
    site.submit()
    with lr.claim(channel=site.channel()) as run:
        table = run.staging("places", COLUMNS, mode="create")
        copied = table.write(b"1;a\n2;NA\n", options="format csv, delimiter ';', null 'NA'")
        assert copied == 2 == table.rows
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            table.write(b"3,c\nx,d\n")
        assert table.rows == 2
        run.finish(swap=table)
    rows = site.rows("select id, name from public.places order by id")
    assert [(r["id"], r["name"]) for r in rows] == [(1, "a"), (2, None)]


def test_rejected_rows_are_kept_and_limited(site: Site) -> None:
    site.configure(reject_limit=2)
    file_id = site.submit()
    with (
        pytest.raises(lr.TooManyRejects, match="3 rows rejected, 2 are allowed"),
        lr.claim(channel=site.channel()) as run,
    ):
        for line in (4, 5, 6):
            run.reject(["a", line], "no geometry", line=line)
    assert site.file(file_id)["status"] == "ERROR"
    kept = site.rows("select line, reason from locaria.rejects order by line")
    assert [r["line"] for r in kept] == [4, 5, 6]


def test_a_load_with_few_rejected_rows_succeeds_and_counts_them_once(site: Site) -> None:
    site.configure(reject_limit=5)
    file_id = site.submit()
    with lr.claim(channel=site.channel()) as run:
        for row in run.track(["a", "b", "c"]):
            run.reject(row, "bad")
    ended = site.run(file_id)
    assert (ended["outcome"], ended["rows_rejected"]) == ("succeeded", 3)


def test_a_filled_staging_table_that_is_not_published_is_an_error(site: Site) -> None:
    file_id = site.submit()
    with (
        pytest.raises(lr.NotPublished, match=r"run.finish\(swap="),
        lr.claim(channel=site.channel()) as run,
    ):
        run.staging("places", COLUMNS).copy_row(1, "a")
    assert site.run(file_id)["outcome"] == "failed"
