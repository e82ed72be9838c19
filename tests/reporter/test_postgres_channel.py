"""Runs against the real SQL, in this process."""

import threading
import time
from typing import Any

import pytest

import locaria_reporter as lr
from tests.reporter.conftest import COLUMNS, Site


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
