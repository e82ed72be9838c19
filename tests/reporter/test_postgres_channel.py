"""Runs against the real SQL, in this process."""

import contextlib
import select
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import locaria_reporter as lr

from .conftest import Site

COLUMNS = {"id": "bigint", "name": "text"}


def test_a_file_is_claimed_loaded_and_published(site: Site) -> None:
    file_id = site.submit(table="places", path="x.csv")
    with lr.claim(channel=site.channel()) as run:
        assert run.file_id == file_id and run.attempt == 1
        assert run.parameters["path"] == "x.csv" == run.attributes["path"]
        with run.staging("places", COLUMNS) as table:
            for number in run.track(range(10)):
                table.copy_row(number, f"place {number}")
        run.finish(swap=table, message="ten places", checks={"not_empty": table.rows > 0})
    file, ended = site.file(file_id), site.run(file_id)
    assert file["status"] == "FARGATE_PROCESSED"
    assert ended["outcome"] == "succeeded" and ended["message"] == "ten places"
    assert ended["result"] == {"rows": 10, "checks": {"not_empty": True}}
    assert ended["rows_done"] == 10
    assert site.one("select count(*) as n from public.places")["n"] == 10


def test_nothing_to_claim_ends_the_process_with_zero(site: Site) -> None:
    with pytest.raises(lr.NothingToClaim) as caught:
        lr.claim(channel=site.channel())
    assert caught.value.code == 0
    assert site.one("select stopped, exit_code from locaria.tasks")["exit_code"] == 0


def test_a_drain_goes_on_after_a_failed_file(site: Site) -> None:
    files = [site.submit(n=n) for n in range(4)]
    for run in lr.claims(idle=0, channel=site.channel()):
        with run:
            if run.parameters["n"] == 1:
                raise lr.Fatal("the file is broken", kind="data")
            if run.parameters["n"] == 2:
                raise lr.Retry("the server is busy", in_=60)
    assert [site.file(f)["status"] for f in files] == [
        "FARGATE_PROCESSED",
        "ERROR",
        "REGISTERED",
        "FARGATE_PROCESSED",
    ]
    assert site.file(files[1])["last_error"] == "the file is broken"
    waiting = site.one(
        "select extract(epoch from run_after - now()) as s from locaria.files where id = %s",
        files[2],
    )
    assert 50 < waiting["s"] <= 60


def test_an_exception_is_kept_with_its_traceback_and_raised_again(site: Site) -> None:
    file_id = site.submit()
    with (
        pytest.raises(ZeroDivisionError),
        lr.claim(channel=site.channel()),
    ):
        1 / 0  # noqa: B018
    ended = site.run(file_id)
    assert ended["outcome"] == "failed" and ended["error_kind"] == "internal"
    assert ended["error"] == "ZeroDivisionError: division by zero"
    assert "1 / 0" in ended["error_detail"]
    assert site.file(file_id)["status"] == "REGISTERED"


def test_a_batch_is_finished_together(site: Site) -> None:
    files = [site.submit(n=n) for n in range(5)]
    channel = site.channel()
    finished: list[int] = []
    original = channel.finish_runs

    def counted(runs: Any) -> set[int]:
        finished.append(len(runs))
        return original(runs)

    channel.finish_runs = counted  # type: ignore[method-assign]
    for run in lr.claims(idle=0, batch=5, channel=channel):
        with run:
            if run.parameters["n"] == 3:
                raise ValueError("bad")
    assert finished == [4]
    done = {f for f in files if site.file(f)["status"] == "FARGATE_PROCESSED"}
    assert done == {f for n, f in enumerate(files) if n != 3}


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


def test_what_is_logged_is_stored_and_the_drop_is_said(site: Site) -> None:
    site.configure(log_limit=3)
    file_id = site.submit()
    with lr.claim(channel=site.channel()) as run:
        for number in range(10):
            run.log.info("line %s", number)
        run.log.debug("not kept")
    lines = [
        r["message"]
        for r in site.rows(
            "select message from locaria.log where file_id = %s and level in"
            " ('info', 'warning') order by at, id",
            file_id,
        )
    ]
    assert [line for line in lines if line.startswith("line")] == ["line 0", "line 1", "line 2"]
    assert any("log_limit of 3" in line for line in lines)


def test_progress_is_throttled_and_the_last_value_is_stored(site: Site) -> None:
    file_id = site.submit()
    reports: list[Any] = []

    class Counting(lr.PostgresChannel):
        def report_progress(self, run: int, progress: Any) -> bool:
            reports.append(progress)
            return super().report_progress(run, progress)

    channel = Counting(site.dsn, "file_loader")
    channel.beside = lambda: Counting(site.dsn, "file_loader")  # type: ignore[method-assign]
    ends = time.monotonic() + 5
    with pytest.raises(RuntimeError), lr.claim(channel=channel) as run:
        run.stage("load", weight=8, total=10**10)
        for number in run.track(range(10**10)):
            if number % 1000 == 0 and time.monotonic() > ends:
                raise RuntimeError("stop here")
    assert 2 <= len(reports) <= 5
    assert site.run(file_id)["rows_done"] == reports[-1]["rows_done"] == number > 0


def test_progress_without_a_change_is_not_written_again(site: Site) -> None:
    site.submit()
    reports: list[Any] = []

    class Counting(lr.PostgresChannel):
        def report_progress(self, run: int, progress: Any) -> bool:
            reports.append(progress)
            return super().report_progress(run, progress)

    channel = Counting(site.dsn, "file_loader")
    channel.beside = lambda: Counting(site.dsn, "file_loader")  # type: ignore[method-assign]
    with lr.claim(channel=channel) as run:
        run.progress(5, 10)
        site.await_that(lambda: reports)
        threading.Event().wait(4.5)
        assert len(reports) == 1
    assert [r["percent"] for r in reports] == [50.0, 100.0]


def test_the_session_shows_progress_without_a_write(site: Site) -> None:
    file_id = site.submit()
    with lr.claim(channel=site.channel()) as run:
        run.stage("load", weight=10, total=100)
        run.progress(42)
        note = f"locaria run={run.id} 42% load"
        site.await_that(
            lambda: [
                r
                for r in site.rows(
                    "select live_note from locaria.running where file_id = %s", file_id
                )
                if r["live_note"] == note
            ]
        )


def test_no_secret_is_stored_anywhere(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "c4naryPassw0rd"
    monkeypatch.setenv("PGPASSWORD", canary)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", canary + "/k")
    site.submit()
    dsn = f"postgresql://u:{canary}@db.example/x"
    with pytest.raises(ValueError, match=canary), lr.claim(channel=site.channel()) as run:
        run.stage("load " + dsn)
        run.say(f"from {dsn}")
        run.progress(1)
        run.log.info("connecting to host=db password=%s", canary)
        run.log.warning("key %s and %s", "AKIAIOSFODNN7EXAMPLE", canary + "/k")
        run.reject({"url": dsn}, f"no answer from {dsn}")
        raise ValueError(f"could not open {dsn}")
    site.submit()
    with lr.claim(channel=site.channel()) as run:
        run.finish(message=dsn, result={"from": dsn, "list": [dsn]})
    for secret in (canary, "AKIAIOSFODNN7EXAMPLE"):
        assert secret not in _everything(site)


def _everything(site: Site) -> str:
    tables = site.rows(
        "select schemaname || '.' || quote_ident(tablename) as name from pg_tables"
        " where schemaname = 'locaria'"
    )
    return "\n".join(
        str(r["t"]) for t in tables for r in site.rows(f"select x::text as t from {t['name']} x")
    )


def test_a_cancel_reaches_a_tracking_loader_within_seconds(site: Site) -> None:
    file_id = site.submit()
    began = 0.0
    with pytest.raises(lr.Cancelled), lr.claim(channel=site.channel()) as run:
        site.owner.execute("select locaria.cancel(%s, 'wrong file')", [file_id])
        began = time.monotonic()
        for _ in run.track(iter(int, 1)):
            time.sleep(0.01)
    assert time.monotonic() - began < 3
    file = site.file(file_id)
    assert file["status"] == "CANCELLED" and "wrong file" in file["last_error"]


def test_a_cancel_reaches_a_loader_behind_a_deaf_pooler(site: Site) -> None:
    class Deaf(lr.PostgresChannel):
        @property
        def hears(self) -> bool:
            return False

        def wait_for_cancel(self, wake: int, seconds: float) -> set[int]:
            select.select([wake], [], [], max(0.0, seconds))
            return set()

    channel = Deaf(site.dsn, "file_loader")
    channel.beside = lambda: Deaf(site.dsn, "file_loader")  # type: ignore[method-assign]
    file_id = site.submit()
    with pytest.raises(lr.Cancelled), lr.claim(channel=channel) as run:
        site.owner.execute("select locaria.cancel(%s)", [file_id])
        began = time.monotonic()
        while True:
            run.check()
            time.sleep(0.05)
    assert time.monotonic() - began < 5


def test_a_cancel_interrupts_a_statement_of_the_loader(site: Site) -> None:
    file_id = site.submit()
    with pytest.raises(lr.Cancelled), lr.claim(channel=site.channel()) as run:
        connection = run.connection()
        site.owner.execute("select locaria.cancel(%s)", [file_id])
        began = time.monotonic()
        connection.execute("select pg_sleep(60)")
    assert time.monotonic() - began < 5
    assert site.file(file_id)["status"] == "CANCELLED"


def test_a_stopped_statement_keeps_the_lease(site: Site) -> None:
    site.configure(lease="1 s")
    file_id = site.submit()
    with lr.claim(channel=site.channel()) as run:
        for _ in range(3):
            run.connection().execute("select pg_sleep(1)")
            site.tick()
    assert site.file(file_id)["status"] == "FARGATE_PROCESSED"
    assert site.run(file_id)["attempt"] == 1


def test_a_taken_over_run_cannot_write(site: Site) -> None:
    site.configure(backoff="0 s")
    file_id = site.submit()
    with pytest.raises(lr.LeaseLost) as caught, lr.claim(channel=site.channel()) as run:
        table = run.staging("places", COLUMNS)
        table.copy_row(1, "a")
        table.flush()
        site.owner.execute("select locaria.fail_run(%s, 'internal', 'taken away')", [run.id])
        table.copy_row(2, "b")
        run.finish(swap=table)
    assert caught.value.code == 76
    assert site.file(file_id)["status"] == "REGISTERED"
    assert site.one("select to_regclass('public.places') as t")["t"] is None


def test_a_finish_whose_answer_was_lost_happens_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = site.submit()
    original = psycopg.Connection.transaction
    cut: list[bool] = []

    @contextlib.contextmanager
    def committed_but_cut(self: Any, *arguments: Any) -> Iterator[Any]:
        with original(self, *arguments) as transaction:
            yield transaction
        if not cut:
            cut.append(True)
            self.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with lr.claim(channel=site.channel()) as run:
        table = run.staging("places", COLUMNS, mode="create")
        table.copy_row(1, "a")
        table.flush()
        monkeypatch.setattr(psycopg.Connection, "transaction", committed_but_cut)
        run.finish(swap=table)
    assert cut
    assert site.file(file_id)["status"] == "FARGATE_PROCESSED"
    assert site.one("select count(*) as n from public.places")["n"] == 1


def test_a_block_whose_answer_was_lost_is_copied_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.submit()
    original = psycopg.Connection.transaction
    cuts: list[str] = []

    @contextlib.contextmanager
    def cut_before_and_after(self: Any, *arguments: Any) -> Iterator[Any]:
        with original(self, *arguments) as transaction:
            yield transaction
            if not cuts:
                cuts.append("before the commit")
                self.close()
                raise psycopg.OperationalError("server closed the connection unexpectedly")
        if len(cuts) == 1:
            cuts.append("after the commit")
            self.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with lr.claim(channel=site.channel()) as run:
        table = run.staging("places", COLUMNS, mode="create")
        monkeypatch.setattr(psycopg.Connection, "transaction", cut_before_and_after)
        table.write(b"1,a\n2,b\n")
        monkeypatch.undo()
        run.finish(swap=table)
    assert len(cuts) == 2
    assert site.one("select count(*) as n from public.places")["n"] == 2


def test_a_process_frozen_within_its_transaction_does_not_hold_its_file(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = site.submit()
    original = psycopg.Connection.transaction
    lock: list[str] = []

    @contextlib.contextmanager
    def freeze_before_the_commit(self: Any, *arguments: Any) -> Iterator[Any]:
        with original(self, *arguments) as transaction:
            yield transaction
            if not lock:
                lock.append("wanted")
                # What tick() needs of a run whose lease is over; waits for the process's lock.
                site.owner.execute("set lock_timeout = '30s'")
                site.one("select id from locaria.files where id = %s for update", file_id)
                lock.append("had")

    with lr.claim(channel=site.channel()) as run:
        table = run.staging("places", COLUMNS, mode="create")
        monkeypatch.setattr(psycopg.Connection, "transaction", freeze_before_the_commit)
        table.write(b"1,a\n2,b\n")
        monkeypatch.undo()
        run.finish(swap=table)
    assert lock == ["wanted", "had"]
    assert site.one("select count(*) as n from public.places")["n"] == 2
