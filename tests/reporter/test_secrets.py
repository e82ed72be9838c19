"""A canary in everything that a run can say: it stands in no column of any table."""

import json
import os
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

import locaria_reporter as lr
from tests.reporter.conftest import Site

CANARY = "canary/42+x"
REPORT = f"{sys.executable} -m locaria_reporter"
# Where the application itself has put it, or where it belongs.
OF_THE_APPLICATION = {"files.attributes", "file_credentials.credentials"}


def columns_with(site: Site, text: str) -> set[str]:
    """table.column of each column in which a text stands; partitions by the name of their table."""
    tables = site.rows(
        "select c.relname, coalesce(p.relname, c.relname) as name from pg_class c"
        " left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent"
        " where c.relnamespace = 'locaria'::regnamespace and c.relkind = 'r'"
    )
    found = set()
    for table in tables:
        rows = site.rows(
            f"select distinct e.key from locaria.{table['relname']} as t,"
            " jsonb_each_text(to_jsonb(t)) as e where position(%s in e.value) > 0",
            text,
        )
        found |= {f"{table['name']}.{row['key']}" for row in rows}
    return found


def say_all(run: lr.Run, word: str) -> None:
    """Everything that a run says before its end."""
    run.plan(**{word: 1})
    run.stage(f"stage {word}", unit=f"unit {word}", total=3)
    run.progress(1, message=f"message {word}")
    run.log.info("log %s", word)
    run.reject({"row": word}, f"reason {word}", line=1)
    run.save_checkpoint(at=word, **{word: [word, {word}]})


def test_no_column_holds_a_secret_that_the_loader_has_named(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.configure(max_attempts=1)
    done, failed = site.submit(), site.submit()
    with lr.claim(channel=site.channel()) as run:
        run.mask(CANARY)
        say_all(run, CANARY)
        staging = run.staging("t", {"a": "text"}, labels={"from": CANARY})
        staging.copy(["x"], checkpoint={"at": CANARY})
        run.finish(swap=staging, message=CANARY, result={"a": ValueError(CANARY)}, checks={})
    with (
        pytest.raises(ValueError, match="canary"),
        lr.claim(channel=site.channel()) as run,
    ):
        run.mask(CANARY)
        say_all(run, CANARY)
        raise ValueError(CANARY)
    assert (site.run(done)["outcome"], site.run(failed)["outcome"]) == ("succeeded", "failed")
    assert columns_with(site, CANARY) == set()
    assert columns_with(site, "****") == {
        "files.last_error",
        "log_messages.message",
        "log_messages.stage",
        "published_tables.labels",
        "rejects.reason",
        "rejects.row_text",
        "runs.checkpoint",
        "runs.error",
        "runs.error_detail",
        "runs.message",
        "runs.result",
        "runs.stage",
    }
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err


def test_no_column_holds_what_stands_in_the_files_credentials(site: Site) -> None:
    """Whatever writes: here SQL by hand, which knows of no mask."""
    file_id = site.submit(credentials={"key": CANARY})
    loader = site.db.connect("loader")

    def call(function: str, *values: Any) -> Any:
        marks = ", ".join("%s" for _ in values)
        words = [json.dumps(each) if isinstance(each, dict | list) else each for each in values]
        return loader.execute(f"select * from locaria.{function}({marks})", words).fetchone()

    task = call("start_task", "file_loader")["task_id"]
    run = call("claim_files", task)["run_id"]
    call("report_progress", run, {"stage": CANARY, "unit": CANARY, "message": CANARY})
    call("report_progress", run, {"stages": [{"stage": CANARY, "ago": 0}]})
    call("log_run", run, [{"message": CANARY, "stage": CANARY}])
    call("reject_rows", run, [{"reason": CANARY, "row": CANARY, "line": 1}])
    call("checkpoint_run", run, {"at": CANARY})
    call("report_result", run, {"a": CANARY})
    call("report_listening", run, f"http://localhost/{CANARY}", CANARY)
    call("create_staging", run, "t", [{"name": "a"}], "replace", {"labels": {"a": CANARY}})
    assert columns_with(site, CANARY) <= OF_THE_APPLICATION
    assert columns_with(site, "***") >= {
        f"run_progress.{name}"
        for name in ("stage", "unit", "message", "checkpoint", "result", "endpoint", "command")
    } | {"staging_tables.options", "rejects.reason", "rejects.row_text", "log_messages.stage"}
    call("fail_run", run, "data", CANARY, CANARY)
    assert columns_with(site, CANARY) <= OF_THE_APPLICATION
    assert site.file(file_id)["last_error"] == "***"


def test_no_column_holds_a_secret_that_a_script_has_named(site: Site) -> None:
    file_id = site.submit()
    script = f"""
    printf %s '{CANARY}' | {REPORT} mask
    echo "::locaria mask other=one two"
    echo "::locaria stage {CANARY}"
    echo "{CANARY}, other=one two"
    {REPORT} progress 1/2 --message "{CANARY}"
    {REPORT} reject "{CANARY}" --row "{CANARY}"
    {REPORT} check "{CANARY}" t
    echo "{CANARY}" >&2; exit 65
    """
    process = site.start_report("run", "--", "sh", "-c", script)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 65, out
    assert columns_with(site, CANARY) == set() and CANARY not in out
    assert columns_with(site, "other=one") == set()
    assert columns_with(site, "****") >= {"log_messages.message", "runs.error", "rejects.reason"}
    assert site.file(file_id)["last_error"] == "the command exited with 65: ****"


def test_a_script_outside_a_run_does_not_print_what_it_masks() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LR_SOCKET"}
    done = subprocess.run(
        [sys.executable, "-m", "locaria_reporter", "mask"],
        input=CANARY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "mask:\n"


def test_a_listener_answers_without_secrets(site: Site) -> None:
    file_id = site.submit()
    script = f"""
def find():
    return {{"found": ["{CANARY}"], "link": lr.Link("https://x/{CANARY}")}}
for run in lr.claims():
    with run:
        run.mask("{CANARY}")
        run.listen({{"find": find}}, host="127.0.0.1", port=0)
"""
    site.start_python(script)
    endpoint = site.await_that(lambda: site.progress(file_id).get("endpoint"))
    asking = urllib.request.Request(
        endpoint,
        json.dumps({"command": "find"}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asking, timeout=30) as answer:
        found = json.load(answer)["result"]
    assert found == {"found": ["****"], "link": f"https://x/{CANARY}"}


def test_a_checkpoint_that_loses_a_secret_says_so_once_and_a_link_is_kept() -> None:
    channel = lr.RecordingChannel()
    with lr.claim(channel=channel) as run:
        link = "https://x/?X-Amz-Signature=abc"
        for page in range(2):
            run.save_checkpoint(page=page, next=link, kept=lr.Link(link))
        assert run.checkpoint["next"] == link, "the run itself goes on with what it has"
    masked = "https://x/?X-Amz-Signature=****"
    assert channel.checkpoints[-1] == {"page": 1, "next": masked, "kept": link}
    assert len([words for words in channel.logs if "checkpoint holds a secret" in words]) == 1
