"""What a run does with what happens in its block, told by the recording channel."""

import gzip
import io
import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import locaria_reporter as lr
from locaria_reporter import RecordingChannel, claim, claims
from tests.reporter.conftest import COLUMNS


def names(channel: RecordingChannel) -> list[str]:
    return [name for name, _ in channel.calls]


def test_a_normal_exit_finishes() -> None:
    channel = RecordingChannel({"n": 1})
    with claim(channel=channel) as run:
        assert run.parameters == {"n": 1}
    assert channel.outcome == "finished"
    assert names(channel)[-2:] == ["finish_run", "leave_task"]


def test_an_empty_file_costs_two_calls_between_start_and_leave() -> None:
    channel = RecordingChannel()
    with claim(channel=channel):
        pass
    assert names(channel) == ["start_task", "claim_files", "finish_run", "leave_task"]


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ValueError("x"), "internal", "ValueError: x"),
        (lr.Retry("later"), "transient", "later"),
        (lr.Fatal("bad file"), "fatal", "bad file"),
        (lr.Fatal("bad file", kind="data"), "data", "bad file"),
        (lr.Cancelled(), "cancelled", "cancelled"),
        (SystemExit(75), "transient", "the loader exited with 75"),
        (SystemExit(65), "fatal", "the loader exited with 65"),
        (SystemExit("words"), "internal", "the loader exited with words"),
    ],
)
def test_each_exception_has_its_outcome(error: BaseException, kind: str, words: str) -> None:
    channel = RecordingChannel()
    with pytest.raises(type(error)), claim(channel=channel):
        raise error
    assert channel.failure is not None
    assert (channel.failure.kind, channel.failure.error) == (kind, words)


def test_an_exit_with_zero_inside_the_block_is_an_error() -> None:
    channel = RecordingChannel()
    with pytest.raises(lr.NotFinished, match="no success"), claim(channel=channel):
        raise SystemExit(0)
    assert channel.outcome == "failed"


@pytest.mark.parametrize(
    "retry",
    [
        lr.Retry("x", in_=60),
        lr.Retry(in_=timedelta(minutes=1)),
        lr.Retry(**{"in": 60}),  # type: ignore[arg-type]
    ],
)
def test_a_retry_says_when(retry: lr.Retry) -> None:
    channel = RecordingChannel()
    with pytest.raises(lr.Retry), claim(channel=channel):
        raise retry
    assert channel.failure is not None and channel.failure.retry_in == timedelta(seconds=60)


def test_a_retry_refuses_what_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="after"):
        lr.Retry(after=3)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), lr.Terminated("SIGTERM")])
def test_an_interrupted_run_is_given_back(error: BaseException) -> None:
    channel = RecordingChannel()
    with pytest.raises(type(error)), claim(channel=channel):
        raise error
    assert channel.outcome == "released"


def test_finishing_twice_is_fine_and_reporting_afterwards_is_an_error() -> None:
    channel = RecordingChannel()
    with claim(channel=channel) as run:
        run.finish(message="done")
        run.finish()
        for report in (
            lambda: run.progress(1),
            lambda: run.stage("x"),
            lambda: run.reject("row", "bad"),
            lambda: run.save_checkpoint(n=1),
            lambda: run.staging("t", COLUMNS),
            lambda: run.track([1]),
        ):
            with pytest.raises(lr.RunClosed, match="has ended"):
                report()
    assert names(channel).count("finish_run") == 1


def test_an_exception_after_finish_leaves_the_success() -> None:
    channel = RecordingChannel()
    with pytest.raises(ValueError, match="late"), claim(channel=channel) as run:
        run.finish()
        raise ValueError("late")
    assert channel.outcome == "finished" and channel.failure is None


def test_a_false_check_fails_the_run_and_publishes_nothing() -> None:
    channel = RecordingChannel()
    with pytest.raises(lr.CheckFailed, match="not_empty"), claim(channel=channel) as run:
        with run.staging("places", COLUMNS) as table:
            pass
        run.finish(swap=table, checks={"not_empty": table.rows > 0, "fine": True})
    assert channel.published == {} and channel.failure is not None
    assert channel.failure.kind == "data"


def test_staged_rows_are_published_in_order() -> None:
    channel = RecordingChannel()
    with claim(channel=channel) as run, run.staging("places", COLUMNS) as table:
        table.copy_row(1, "a")
        table.copy({"name": "b", "id": 2}, checkpoint={"id": 2})
        table.write(b'3,"c"\n')
        run.finish(swap=table)
    assert channel.published == {"places": [(1, "a"), (2, "b"), ("3", "c")]}
    assert channel.checkpoints == [{"id": 2}]
    assert channel.result == {"rows": 3}


def test_too_many_rejects_fail_the_file() -> None:
    channel = RecordingChannel(reject_limit=1)
    with pytest.raises(lr.TooManyRejects), claim(channel=channel) as run:
        for line in range(1000):
            run.reject("x", "bad", line=line)
    assert channel.failure is not None and channel.failure.kind == "data"
    assert len(channel.rejects) < 1000


def test_a_cancel_is_raised_at_the_next_report() -> None:
    channel = RecordingChannel(cancel_after=0)
    with pytest.raises(lr.Cancelled), claim(channel=channel) as run:
        run.save_checkpoint(n=1)
    assert channel.failure is not None and channel.failure.kind == "cancelled"


def test_a_lost_lease_reports_nothing_more() -> None:
    channel = RecordingChannel()
    with pytest.raises(lr.LeaseLost), claim(channel=channel) as run:
        channel.lease_lost = True
        run.save_checkpoint(n=1)
    assert channel.outcome is None and "fail_run" not in names(channel)


def test_a_loader_that_swallows_exceptions_still_hears_of_a_cancel() -> None:
    channel = RecordingChannel(cancel_after=0)
    with pytest.raises(lr.Cancelled), claim(channel=channel) as run:
        for number in range(3):
            try:
                run.save_checkpoint(n=number)
            except Exception:  # noqa: BLE001
                continue


def test_the_last_progress_is_written_after_a_failure() -> None:
    channel = RecordingChannel()
    with pytest.raises(ValueError, match="x"), claim(channel=channel) as run:
        run.stage("load", weight=10, total=10)
        for number in run.track(range(10)):
            if number == 7:
                raise ValueError("x")
    assert channel.progress[-1]["rows_done"] == 7
    assert channel.progress[-1]["percent"] == 70


def test_reading_a_file_is_progress_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("é\n" * 1000)
    channel = RecordingChannel()
    with claim(channel=channel) as run:
        with run.open(path) as lines:
            assert sum(1 for _ in run.track(lines)) == 1000
        with run.open(path, "rb") as raw:
            raw.seek(-3, io.SEEK_END)
            assert raw.read() == "é\n".encode()
    last = channel.progress[-1]
    assert (last["bytes_done"], last["bytes_total"]) == (3000, 3000)
    assert last["rows_done"] == 1000


def test_a_compressed_file_counts_what_is_read_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"a\n" * 10_000))
    channel = RecordingChannel()
    with claim(channel=channel) as run, gzip.open(run.open(path, "rb")) as lines:
        assert sum(1 for _ in lines) == 10_000
    assert channel.progress[-1]["bytes_done"] == path.stat().st_size


def test_the_temporary_directory_goes_with_the_run() -> None:
    with claim(channel=RecordingChannel()) as run:
        (run.temporary / "x").write_text("x")
        directory = run.temporary
    assert not directory.exists()


def test_log_messages_of_any_logger_are_kept_and_clipped() -> None:
    channel = RecordingChannel()
    with claim(channel=channel) as run:
        run.log.info("hello %s", "you")
        logging.getLogger("some.library").warning("careful")
        run.log.debug("not this")
        run.log.info("x" * 100_000)
        run.log.info("nul \0 byte")
    assert channel.logs[:2] == ["hello you", "careful"]
    assert len(channel.logs[2]) < 10_000 and channel.logs[2].endswith("characters more]")
    assert channel.logs[3] == "nul \ufffd byte"


def test_a_burst_of_messages_is_bounded_and_the_drop_is_said() -> None:
    channel = RecordingChannel()
    with claim(channel=channel) as run:
        for number in range(50_000):
            run._account.add_message({"message": str(number)})
    assert len(channel.logs) < 10_000
    assert any("log messages were dropped" in line for line in channel.logs)


def test_the_root_logger_is_as_before() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with claim(channel=RecordingChannel()):
        pass
    assert (root.level, list(root.handlers)) == before


def test_a_drain_goes_on_after_a_bad_file_and_stops_at_a_lost_lease() -> None:
    channel = RecordingChannel(files=[{"n": n} for n in range(4)])
    seen: list[Any] = []
    with pytest.raises(lr.LeaseLost):
        for run in claims(channel=channel):
            with run:
                seen.append(run.parameters["n"])
                if run.parameters["n"] == 0:
                    raise ValueError("bad")
                if run.parameters["n"] == 2:
                    raise lr.LeaseLost
    assert seen == [0, 1, 2]


def test_a_loop_that_is_left_gives_the_rest_back() -> None:
    channel = RecordingChannel(files=[{"n": n} for n in range(4)])
    for run in claims(channel=channel, batch=4):
        with run:
            break
    assert names(channel).count("release_run") == 3
    assert ("finish_runs", [1]) in channel.calls


def test_an_inherited_checkpoint_without_its_rows_starts_over() -> None:
    class Gone(RecordingChannel):
        def create_staging(self, *arguments: Any) -> Any:
            made = super().create_staging(*arguments)
            return type(made)(made.name)

    with claim(channel=Gone(checkpoint={"next": 5})) as run:
        table = run.staging("places", COLUMNS)
        assert run.checkpoint == {}
        run.finish(swap=table)
    with (
        pytest.raises(lr.Retry, match="starting over"),
        claim(channel=Gone(checkpoint={"next": 5})) as run,
    ):
        assert run.checkpoint["next"] == 5
        run.staging("places", COLUMNS)


def test_tracking_an_item_costs_less_than_a_microsecond() -> None:
    with claim(channel=RecordingChannel()) as run:
        began = time.perf_counter()
        for _ in run.track(range(1_000_000)):
            pass
        assert time.perf_counter() - began < 1.0


def test_a_run_cancelled_before_its_turn_is_not_worked_on() -> None:
    channel = RecordingChannel(files=[{"n": n} for n in range(3)])
    seen: list[int] = []
    for run in claims(channel=channel, batch=3):
        with run:
            seen.append(run.parameters["n"])
            if run.parameters["n"] == 0:
                for account in list(run._task._open.values()):
                    if account.id == 2:
                        account._account.order("cancel", "not needed")
    assert seen == [0, 2]
    assert channel.failure is not None and channel.failure.kind == "cancelled"
    assert ("finish_runs", [1, 3]) in channel.calls
