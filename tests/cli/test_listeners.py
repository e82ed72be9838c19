"""Listeners on the command line."""

from tests.cli.conftest import Command, Container, working
from tests.conftest import Database

HERE = "http://127.0.0.1:8123"


def listen(task: Container, run: int) -> None:
    """Listen on a file, or execute a command."""
    file = task.call(
        "select f.attributes ? 'command' as is_command from locaria.files f"
        " join locaria.runs r on r.file_id = f.id where r.id = %s",
        run,
    )
    if file["is_command"]:
        task.call("select locaria.finish_run(%s, 'done', '{\"result\": [\"Zürich\"]}')", run)
    else:
        task.call("select locaria.report_listening(%s, %s)", run, HERE)


def test_submit_waits_until_a_listener_listens_and_prints_the_result_of_a_command(
    locaria: Command, db: Database
) -> None:
    db.connect().execute(
        "update locaria.containers set type = 'listener', port = 1 where name = 'file_loader'"
    )
    with working(db.dsn, listen):
        result = locaria("submit", "-c", "file_loader", "-t", "airports", "--wait")
        assert f"file 1 airports: running  listening on {HERE}" in result.out
        result = locaria("submit", "-c", "file_loader", "-a", "command=find", "--wait")
        assert "file 2 file_loader find: done" in result.out
        assert '"Zürich"' in result.out
        assert '"Zürich"' in locaria("show", 2).out
        assert f"listening on {HERE}" in locaria("list").out
        assert HERE in locaria("show", 1).out
        assert locaria("show", 1, "--json").json["status"]["endpoint"] == HERE
        assert "listening" in locaria("watch").out, "and ends: it does not wait for a listener"
        db.connect().execute(
            "select locaria.report_listening(claimed_by, %s, 'find')"
            " from locaria.files where id = 1",
            [HERE],
        )
        assert "executing the command find" in locaria("list").out
