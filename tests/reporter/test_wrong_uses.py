"""What authors do wrong: it is said, and no file is lost, stuck or done too early."""

import os
from typing import Any

import pytest

import locaria_reporter as lr
from tests.reporter.conftest import Site


def test_a_pool_of_forked_workers_does_not_end_the_parents_run(site: Site) -> None:
    """Leaving the pool's block terminates the workers: not the parent's signal."""
    file_id = site.submit()
    process = site.start_python("""
import multiprocessing, time
def square(n):
    return n * n
with lr.claim() as run:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        total = sum(run.track(pool.imap(square, range(10)), total=10))
    time.sleep(1.5)  # the heart would hear of a signal within one
    run.finish(result={"total": total})
""")
    assert process.wait(timeout=60) == 0, process.communicate()[0]
    assert site.file(file_id)["status"] == "FARGATE_PROCESSED"
    assert site.run(file_id)["result"] == {"total": 285}


@pytest.mark.parametrize("end", ["pass", "raise SystemExit(3)", "run.progress(1)", "run.finish()"])
def test_a_child_that_leaves_the_block_says_nothing_for_the_parent(site: Site, end: str) -> None:
    file_id = site.submit()
    process = site.start_python(f"""
import os
with lr.claim() as run:
    child = os.fork()
    if child == 0:
        {end}
    else:
        os.waitpid(child, 0)
        run.log.info("the parent goes on")
        run.finish(message="done by the parent")
""")
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 0, out
    run = site.run(file_id)
    assert (run["outcome"], run["message"]) == ("succeeded", "done by the parent")
    if "run." in end:
        assert "belongs to the process that claimed it, not to its child" in out


@pytest.mark.parametrize(
    "use",
    ["run = lr.claim()", "for run in lr.claims(idle=0):"],
)
def test_a_run_that_is_never_finished_has_failed_and_counts(site: Site, use: str) -> None:
    """Given back uncounted, it would be claimed and left for ever."""
    site.configure(max_attempts=1)
    file_id = site.submit()
    process = site.start_python(f"""
{use}
    {"" if use.startswith("for") else "#"} run.progress(1, 2)
""")
    process.wait(timeout=60)
    file = site.file(file_id)
    assert (file["status"], file["attempts"]) == ("ERROR", 1)
    assert "use it as `with run:`, or call run.finish()" in file["last_error"]


def test_an_error_outside_the_block_is_why_the_run_failed(site: Site) -> None:
    site.configure(max_attempts=1)
    file_id = site.submit()
    process = site.start_python("""
for run in lr.claims(idle=0):
    prepared = int(run.parameters.get("n", "none"))
    with run:
        pass
""")
    process.wait(timeout=60)
    assert site.file(file_id)["status"] == "ERROR"
    assert site.file(file_id)["last_error"].startswith("ValueError: invalid literal")
    assert "loader.py" in site.run(file_id)["error_detail"]


@pytest.mark.parametrize("wrong", ["300/1200", b"3", [1]])
def test_progress_that_is_no_number_is_said_at_once_and_fails_the_run(wrong: Any) -> None:
    channel = lr.RecordingChannel()
    with pytest.raises(TypeError, match=r"takes numbers"), lr.claim(channel=channel) as run:
        run.progress(wrong)
    assert channel.failure is not None and "takes numbers" in channel.failure.error


def test_counts_that_are_unknown_hurt_nobody(site: Site) -> None:
    file_id = site.submit()
    with lr.claim(channel=site.channel()) as run:
        run.progress(float("nan"), None)
        run.progress(None, float("inf"))  # type: ignore[arg-type]
        run.progress(10**30)
        run.progress(3.7, 10.2)  # type: ignore[arg-type]
        run.finish(result={"mean": float("nan")})
    assert site.run(file_id)["result"] == {"mean": None}
    assert (site.run(file_id)["rows_done"], site.run(file_id)["rows_total"]) == (3, 10)


def test_a_line_that_is_not_understood_is_a_warning(site: Site) -> None:
    file_id = site.submit()
    script = "for w in check progress nonsense 'progress 1/x' mask; do echo \"::locaria $w\"; done"
    process = site.start_report("run", "--", "bash", "-c", script)
    assert process.wait(timeout=60) == 0, process.communicate()[0]
    rows = site.rows("select message from locaria.log where file_id = %s order by id", file_id)
    said = [row["message"].partition(": ")[2] for row in rows]
    assert said[0] == "check takes a name and true or false"
    assert said[1] == "progress is DONE/TOTAL, like 300/1200, not ''"
    assert len(said) == 5


def test_words_need_not_be_text() -> None:
    channel = lr.RecordingChannel()
    with lr.claim(channel=channel) as run:
        run.stage(7)  # type: ignore[arg-type]
        run.reject({"a": 1}, ValueError("not a number"), line=1)
        run.finish(message=ValueError("nothing new"))  # type: ignore[arg-type]
    assert channel.rejects[0]["reason"] == "not a number"
    assert channel.message == "nothing new"


def test_trouble_with_the_last_report_does_not_hide_why_the_run_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = lr.RecordingChannel()

    def broken(run: int, progress: Any) -> bool:
        raise TypeError("no JSON")

    monkeypatch.setattr(channel, "report_progress", broken)
    with pytest.raises(ValueError, match="of the loader"), lr.claim(channel=channel) as run:
        run.progress(1)
        raise ValueError("of the loader")
    assert channel.failure is not None
    assert channel.failure.error == "ValueError: of the loader"


def test_rows_given_to_write_are_refused_in_words() -> None:
    channel = lr.RecordingChannel()
    with (
        pytest.raises(TypeError, match=r"rows go to staging\.copy\(\)"),
        lr.claim(channel=channel) as run,
    ):
        run.staging("t", {"a": "int"}).write([["x"]])  # type: ignore[arg-type]


def test_the_process_that_was_forked_from_keeps_its_handlers() -> None:
    """The child gives them back, the parent does not."""
    import signal  # noqa: PLC0415

    before = signal.getsignal(signal.SIGTERM)
    with lr.claim(channel=lr.RecordingChannel()):
        mine = signal.getsignal(signal.SIGTERM)
        child = os.fork()
        if child == 0:
            os._exit(0 if signal.getsignal(signal.SIGTERM) is before else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert signal.getsignal(signal.SIGTERM) is mine is not before
