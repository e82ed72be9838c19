"""`locaria list`, `show`, `explain`, `logs`, `watch`, `queue`, `health`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Container, load, working
from tests.conftest import Database

STATUS_COLUMNS = (
    "select column_name from information_schema.columns "
    "where table_schema = 'locaria' and table_name = %s order by ordinal_position"
)


def columns(db: Database, view: str) -> list[str]:
    rows = db.connect().execute(STATUS_COLUMNS, [view]).fetchall()
    return [row["column_name"] for row in rows]


def insert(db: Database, **attributes: object) -> int:
    row = (
        db.connect("app")
        .execute(
            "insert into locaria.files (attributes) values (%s::jsonb) returning id",
            [json.dumps(attributes)],
        )
        .fetchone()
    )
    assert row is not None
    return int(row["id"])


def test_list_shows_the_newest_first_and_filters(
    locaria: Command, db: Database, container: Container
) -> None:
    done, failed, running, waiting = (insert(db, path=f"/{n}.csv") for n in range(4))
    container.finish(container.claim())
    container.fail(container.claim())
    container.claim()
    rows = locaria("list", "--json").json
    assert [row["file_id"] for row in rows] == [waiting, running, failed, done]
    assert list(rows[0]) == columns(db, "status")

    def found(*options: object) -> list[int]:
        return [row["file_id"] for row in locaria("list", "--json", *options).json]

    assert found("--phase", "done") == [done]
    assert found("--phase", "failed") == [failed]
    assert found("--phase", "running") == [running]
    assert found("--status", "ERROR") == [failed]
    assert found("--container", "file_loader", "--limit", 2) == [waiting, running]
    assert found("--container", "file_download") == []
    said = locaria("list")
    assert "row 7 is bad" in said.out
    assert locaria("list", "--status", "WRONG", code=2).err.count("FARGATE_PROCESSED") == 1


def test_list_finds_a_failed_file_in_a_status_of_the_site(locaria: Command, db: Database) -> None:
    file = insert(db, path="/a.csv")
    owner = db.connect()
    owner.execute(
        "insert into locaria.statuses (status, kind, description)"
        " values ('REFUSED', 'failed', 'Refused by the site.')"
    )
    owner.execute("update locaria.files set status = 'REFUSED' where id = %s", [file])
    rows = locaria("list", "--phase", "failed", "--json").json
    assert [(row["file_id"], row["phase"], row["state"]) for row in rows] == [
        (file, "failed", "REFUSED")
    ]


def test_a_held_file_can_be_listed_and_shown(locaria: Command, db: Database) -> None:
    file = insert(db)
    db.connect("operator").execute("select id from locaria.hold(array[%s]::bigint[])", [file])
    assert "held" in locaria("list").out
    assert locaria("show", file, "--json").json["status"]["run_after"] == "infinity"


def test_show_prints_the_reason_attempts_rejects_and_timeline(
    locaria: Command, db: Database, container: Container
) -> None:
    file = insert(db, path="/a.csv", table="a")
    run = container.claim()
    container.report(run, stage="load", rows_done=99)
    container.reject(run, 7, "too few columns", "1,2")
    container.fail(run, "data", "too many bad rows")
    result = locaria("show", file, "--json").json
    assert list(result) == ["status", "attempts", "rejects", "timeline"]
    assert result["status"]["why"] == "failed after 1 of 3 attempts: too many bad rows"
    assert list(result["attempts"][0]) == columns(db, "attempts")
    assert result["rejects"][0]["row_text"] == "1,2"
    assert {"inserted", "stage", "rejected"} <= {event["what"] for event in result["timeline"]}
    text = locaria("show", file).out
    for words in ("too many bad rows", "too few columns", "Timeline", "REGISTERED", "stage"):
        assert words in text


def test_text_of_a_container_cannot_move_the_cursor(
    locaria: Command, db: Database, container: Container
) -> None:
    insert(db, path="/\x1b[2J.csv")
    run = container.claim()
    container.log(run, "red \x1b[31m[bold]not markup[/bold]\x07")
    container.fail(run, error="bad \x1b[0m")
    for command in (("list",), ("show", 1), ("logs", 1)):
        result = locaria(*command)
        assert "\x1b" not in result.out
        assert "\x07" not in result.out
    assert "[bold]not markup[/bold]" in locaria("logs", 1).out


@pytest.mark.parametrize("command", ["show", "explain", "logs", "cancel", "retry"])
def test_a_file_that_does_not_exist_is_refused(locaria: Command, command: str) -> None:
    assert "locaria: there is no file 99" in locaria(command, 99, code=5).err


def test_explain_prints_sentences(locaria: Command, db: Database) -> None:
    file = insert(db)
    lines = locaria("explain", file).out.splitlines()
    assert lines[0].startswith(f"File {file} is dispatched (REGISTERED)")
    result = locaria("explain", file, "--json").json
    assert result["file_id"] == file
    assert any("Container file_loader" in line for line in result["lines"])


def test_logs_prints_and_follows_until_the_file_is_finished(
    locaria: Command, db: Database, container: Container
) -> None:
    file = insert(db)
    following = locaria.start("logs", file, "-f", "--json")
    assert following.stdout is not None
    run = container.claim()
    container.report(run, stage="load")
    container.log(run, "half way")
    container.log(run, "oh dear", level="warning")
    messages = [json.loads(following.stdout.readline())["message"] for _ in range(3)]
    assert messages == ["load", "half way", "oh dear"]
    container.log(run, "the end")
    container.fail(run)
    out, err = following.communicate(timeout=30)
    assert [json.loads(line)["message"] for line in out.splitlines()] == ["the end"]
    assert following.returncode == 1, err
    rows = locaria("logs", file, "--json").json
    assert [row["level"] for row in rows] == ["stage", "info", "warning", "info"]
    assert list(rows[0]) == columns(db, "log")
    assert "WARNING oh dear" in locaria("logs", file).out


def test_watch_follows_all_active_files_to_their_end(locaria: Command, db: Database) -> None:
    files = [insert(db, path=f"/{n}.csv") for n in range(3)]
    held = insert(db)
    db.connect("operator").execute("select id from locaria.hold(array[%s]::bigint[])", [held])
    watching = locaria.start("watch", "--json")
    assert watching.stdout is not None
    first = {json.loads(watching.stdout.readline())["file_id"] for _ in files}
    assert first == set(files)
    with working(db.dsn_of("loader"), load):
        out, err = watching.communicate(timeout=60)
    assert watching.returncode == 0, err
    last = {row["file_id"]: row["phase"] for row in map(json.loads, out.splitlines())}
    assert last == dict.fromkeys(files, "done")


def test_watch_reports_that_no_file_is_active(locaria: Command) -> None:
    assert "No file is active" in locaria("watch").err
    assert locaria("watch", "--json").out == ""


def test_watch_forever_outlives_an_empty_queue_and_ends_at_ctrl_c(
    locaria: Command, db: Database, container: Container
) -> None:
    insert(db)
    watching = locaria.start("watch", "--forever", "--json")
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["phase"] == "dispatched"
    container.finish(container.claim())
    while json.loads(watching.stdout.readline())["phase"] != "done":
        pass
    second = insert(db)
    assert json.loads(watching.stdout.readline())["file_id"] == second
    result = locaria.interrupt(watching)
    assert result.code == 130
    assert "Traceback" not in result.err


def test_queue_counts_per_container(locaria: Command, db: Database, container: Container) -> None:
    insert(db)
    insert(db)
    container.claim()
    rows = {row["container"]: row for row in locaria("queue", "--json").json}
    assert list(rows["file_loader"]) == columns(db, "queue")
    assert (rows["file_loader"]["due"], rows["file_loader"]["running"]) == (1, 1)
    assert rows["file_loader"]["oldest_due_age"] >= 0
    assert "file_loader" in locaria("queue").out


def test_health_is_critical_until_tick_has_run(locaria: Command, db: Database) -> None:
    result = locaria("health", code=1)
    assert "never ran" in result.out
    assert "select locaria.tick()" in result.out
    db.connect("operator").execute("select locaria.tick()")
    rows = locaria("health", "--json").json
    assert list(rows[0]) == columns(db, "health")
    assert {row["check"]: row["level"] for row in rows}["tick"] == "ok"


def test_a_pipe_that_is_closed_early_causes_no_traceback(locaria: Command, tmp_path: Path) -> None:
    listing = locaria.start("list", "--json")
    assert listing.stdout is not None
    listing.stdout.close()
    assert listing.stderr is not None
    assert "Traceback" not in listing.stderr.read()
    listing.wait(30)
