"""Loaders as real processes: blocked, stopped, terminated, killed; and a database that restarts."""

import os
import signal
import subprocess

from tests.reporter.conftest import Site

COLUMNS = "{'id': 'bigint'}"


def output(process: "subprocess.Popen[str]") -> str:
    return process.communicate(timeout=60)[0]


def test_a_blocked_main_thread_keeps_its_lease(site: Site) -> None:
    site.configure(lease="1.5 s")
    file_id = site.submit()
    process = site.start_python("""
import time
with lr.claim() as run:
    time.sleep(6)
""")
    while process.poll() is None:
        site.tick()
        site.await_that(lambda: True)
    assert process.returncode == 0, output(process)
    assert site.file(file_id)["status"] == "FARGATE_PROCESSED"
    assert site.one("select count(*) as n from locaria.runs")["n"] == 1


SLOW_LOAD = f"""
import time
with lr.claim() as run:
    table = run.staging("places", {COLUMNS}, mode="create")
    for number in run.track(range(run.checkpoint.get("next", 0), 4000), total=4000):
        table.copy((number,), checkpoint={{"next": number + 1}})
        if number % 100 == 99:
            table.flush()
            time.sleep(0.1)
    run.finish(swap=table)
"""


def restart_in_the_middle(site: Site, file_id: int) -> "subprocess.Popen[str]":
    process = site.start_python(SLOW_LOAD)
    site.await_that(lambda: site.progress(file_id).get("rows_done"))
    site.db.close()
    site.db.server.restart("immediate")
    site.owner = site.db.connect()
    process.wait(timeout=60)
    return process


def every_row_is_there_once(site: Site) -> None:
    found = site.one("select count(*) as n, count(distinct id) as d from public.places")
    assert (found["n"], found["d"]) == (4000, 4000)


def test_a_database_restart_in_the_middle_ends_in_a_complete_load(site: Site) -> None:
    file_id = site.submit()
    site.set_role("loader", synchronous_commit="on")
    process = restart_in_the_middle(site, file_id)
    assert process.returncode == 0, output(process)
    assert site.file(file_id)["status"] == "FARGATE_PROCESSED"
    assert site.run(file_id)["attempt"] == 1
    every_row_is_there_once(site)


def test_a_database_that_lost_committed_rows_is_noticed(site: Site) -> None:
    file_id = site.submit()
    site.set_role("loader", synchronous_commit="off")
    process = restart_in_the_middle(site, file_id)
    if process.returncode == 75:
        assert "lost rows that it had committed" in site.run(file_id)["error"]
        assert site.start_python(SLOW_LOAD).wait(timeout=60) == 0
    every_row_is_there_once(site)


def test_sigterm_gives_the_file_back_at_once_and_does_not_count(site: Site) -> None:
    file_id = site.submit()
    process = site.start_python("""
import time
with lr.claim() as run:
    for _ in run.track(iter(int, 1)):
        time.sleep(0.05)
""")
    site.await_that(lambda: site.progress(file_id).get("rows_done"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 143, output(process)
    file, run = site.file(file_id), site.run(file_id)
    assert (file["status"], file["attempts"], file["claimed_by"]) == ("REGISTERED", 0, None)
    assert run["outcome"] == "released"
    assert run["rows_done"] > 0
    assert site.one("select exit_code from locaria.tasks")["exit_code"] == 143


def test_sigterm_gives_the_file_back_while_the_main_thread_is_deaf(site: Site) -> None:
    file_id = site.submit()
    process = site.start_python("""
import ctypes
with lr.claim() as run:
    run.stage("deep in C")
    libc = ctypes.CDLL(None)
    while True:
        libc.sleep(100)   # returns early at a signal, Python's handler comes later
        libc.sleep(100)
""")
    site.await_that(lambda: site.progress(file_id).get("stage"))
    process.send_signal(signal.SIGTERM)
    site.await_that(lambda: site.file(file_id)["status"] == "REGISTERED", seconds=5)
    assert site.run(file_id)["outcome"] == "released"
    assert process.wait(timeout=20) == 143, output(process)


def test_sigterm_ends_a_waiting_statement(site: Site) -> None:
    file_id = site.submit()
    process = site.start_python("""
with lr.claim() as run:
    run.connection().execute("select pg_sleep(100)")
""")
    site.await_that(lambda: site.active("select pg_sleep(100)"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 143, output(process)
    assert site.file(file_id)["status"] == "REGISTERED"
    site.await_that(lambda: not site.active("select pg_sleep(100)"))


def test_an_idle_task_leaves_at_sigterm(site: Site) -> None:
    process = site.start_python("""
for run in lr.claims(idle=100):
    with run: pass
""")
    site.await_that(lambda: site.rows("select 1 from locaria.tasks where idle_since is not null"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 143, output(process)
    assert site.one("select exit_code from locaria.tasks")["exit_code"] == 143


def test_an_idle_task_takes_a_new_file_at_once(site: Site) -> None:
    process = site.start_python("""
for run in lr.claims(idle=100):
    with run: pass
""")
    site.await_that(lambda: site.rows("select 1 from locaria.tasks where idle_since is not null"))
    file_id = site.submit()
    site.await_that(lambda: site.file(file_id)["status"] == "FARGATE_PROCESSED", seconds=1.5)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=5)


def test_a_zombie_loses_its_lease_and_cannot_write(site: Site) -> None:
    site.configure(lease="1 s", backoff="0 s")
    file_id = site.submit()
    script = f"""
import time
with lr.claim() as run:
    table = run.staging("places", {COLUMNS}, mode="replace")
    for number in range(100):
        table.copy((number,), checkpoint={{"next": number}})
        table.flush()
        run.progress(number, 100)
        time.sleep(0.05)
    run.finish(swap=table)
"""
    zombie = site.start_python(script)
    site.await_that(lambda: site.progress(file_id).get("checkpoint"))
    os.kill(zombie.pid, signal.SIGSTOP)

    def expired() -> bool:
        site.tick()
        return bool(site.file(file_id)["status"] == "REGISTERED")

    site.await_that(expired)
    assert site.run(file_id)["outcome"] == "lost"
    successor = site.start_python(script.replace("range(100)", "range(3)"))
    assert successor.wait(timeout=20) == 0, output(successor)
    os.kill(zombie.pid, signal.SIGCONT)
    assert zombie.wait(timeout=20) == 76, output(zombie)
    assert site.file(file_id)["status"] == "FARGATE_PROCESSED"
    assert site.one("select count(distinct id) as n from public.places")["n"] < 100
    assert site.one("select count(*) as n from locaria.runs")["n"] == 2


def test_a_killed_loader_leaves_nothing_and_its_retry_completes(site: Site) -> None:
    site.configure(lease="1 s", backoff="0 s")
    file_id = site.submit()
    script = f"""
import time
with lr.claim() as run:
    start = run.checkpoint.get("next", 0)
    table = run.staging("places", {COLUMNS}, mode="create")
    run.log.info("starting at %s", start)
    for number in range(start, 200):
        table.copy((number,), checkpoint={{"next": number + 1}})
        if number % 10 == 9:
            table.flush()
            time.sleep(0.02)
    run.finish(swap=table)
"""
    process = site.start_python(script)
    site.await_that(lambda: (site.progress(file_id).get("checkpoint") or {}).get("next", 0) >= 50)
    process.kill()
    process.wait()
    assert site.one("select to_regclass('public.places') as t")["t"] is None

    def expired() -> bool:
        site.tick()
        return bool(site.file(file_id)["status"] == "REGISTERED")

    site.await_that(expired)
    assert site.start_python(script).wait(timeout=20) == 0
    found = site.one("select count(*) as n, count(distinct id) as d from public.places")
    assert (found["n"], found["d"]) == (200, 200)
    starts = [
        r["message"]
        for r in site.rows(
            "select message from locaria.log where message like 'starting at%%' order by id"
        )
    ]
    assert int(starts[-1].split()[-1]) >= 50


def test_an_exit_without_finish_is_no_success(site: Site) -> None:
    site.configure(lease="1 s", backoff="1 hour")
    orderly, abrupt = site.submit(how="sys"), site.submit(how="os")
    process = site.start_python("""
import os, sys
for run in lr.claims(idle=0):
    with run:
        if run.parameters["how"] == "os":
            os._exit(0)
        sys.exit(0)
""")
    assert process.wait(timeout=20) == 0
    assert "exited with 0 inside the block" in site.run(orderly)["error"]

    def expired() -> bool:
        site.tick()
        return bool(site.file(abrupt)["status"] == "REGISTERED")

    site.await_that(expired)
    assert site.run(abrupt)["outcome"] == "lost"


def test_exit_codes_of_uncaught_outcomes(site: Site) -> None:
    site.configure(max_attempts=1)
    for words, code in (
        ("raise lr.Retry('later')", 75),
        ("raise lr.Fatal('never')", 65),
        ("raise lr.Cancelled('stop')", 143),
        ("raise ValueError('x')", 1),
        ("import sys; sys.exit(0)", 1),
        ("pass", 0),
    ):
        site.submit()
        process = site.start_python(f"with lr.claim() as run:\n    {words}\n")
        assert process.wait(timeout=20) == code, (words, output(process))
    assert site.start_python("lr.claim()\n").wait(timeout=20) == 0


def test_a_reporting_failure_never_hides_the_loaders_own_exception(site: Site) -> None:
    site.submit()
    process = site.start_python("""
import locaria_reporter.session as session
with lr.claim() as run:
    run._channel._session.patience = 0.5
    run._channel._session._open = session.connector(
        "host=127.0.0.1 port=1 connect_timeout=1"
    )
    run._channel._session.close()
    raise KeyError("the loader's own")
""")
    words = output(process)
    assert process.returncode == 1
    assert 'KeyError: "the loader\'s own"' in words
    assert "could not be reported" in words


def test_uncaught_tracebacks_show_no_secret(site: Site) -> None:
    site.submit()
    process = site.start_python("""
with lr.claim() as run:
    raise ValueError("postgresql://u:c4nary@h/x")
""")
    words = output(process)
    assert "ValueError" in words and "c4nary" not in words
