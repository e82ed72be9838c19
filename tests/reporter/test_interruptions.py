"""A load that is cancelled, taken over, frozen, or whose answers are lost."""

import contextlib
import select
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import locaria_reporter as lr
from tests.reporter.conftest import COLUMNS, Site


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
