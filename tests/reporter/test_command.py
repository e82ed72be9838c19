"""locaria-report as a process, with real commands."""

import http.server
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reporter.conftest import ROOT, Site

REPORT = f"{sys.executable} -m locaria_reporter"


def output(process: "subprocess.Popen[str]") -> str:
    return process.communicate(timeout=60)[0]


@pytest.mark.parametrize(
    ("script", "code", "status", "kind", "words"),
    [
        ("exit 0", 0, "FARGATE_PROCESSED", None, None),
        ("echo busy >&2; exit 75", 75, "REGISTERED", "transient", "exited with 75: busy"),
        ("echo bad >&2; exit 65", 65, "ERROR", "fatal", "exited with 65: bad"),
        ("exit 143", 143, "CANCELLED", "cancelled", None),
        ("echo a; echo oops >&2; exit 3", 3, "REGISTERED", "internal", "exited with 3: oops"),
        (
            "printf 'psql:x:1: ERROR:  no b\\nLINE 1: a b\\n          ^\\n' >&2; exit 3",
            3,
            "REGISTERED",
            "internal",
            "the command exited with 3: psql:x:1: ERROR:  no b",
        ),
        ("kill -9 $$", 137, "REGISTERED", "internal", "SIGKILL (out of memory?)"),
        (
            "echo '::locaria error kind=data msg=bad CRS'; exit 1",
            1,
            "ERROR",
            "data",
            "bad CRS",
        ),
        (f"{REPORT} check full f", 65, "ERROR", "data", "check failed: full"),
    ],
)
def test_the_exit_code_decides(
    site: Site, script: str, code: int, status: str, kind: str | None, words: str | None
) -> None:
    file_id = site.submit()
    process = site.start_report("run", "--", "sh", "-c", script)
    assert process.wait(timeout=30) == code, output(process)
    run = site.run(file_id)
    assert site.file(file_id)["status"] == status
    assert run["error_kind"] == kind
    if words:
        assert words in run["error"]


def test_a_command_that_is_not_there_is_said(site: Site) -> None:
    file_id = site.submit()
    process = site.start_report("run", "--", "/no/such/command")
    assert process.wait(timeout=30) == 127, output(process)
    assert "could not run /no/such/command" in site.run(file_id)["error"]
    assert site.file(file_id)["status"] == "ERROR"


def test_a_command_finds_its_parameters_and_its_database(site: Site, tmp_path: Path) -> None:
    site.submit(url="http://x/é", n=3)
    process = site.start_report(
        "run",
        "--",
        "sh",
        "-c",
        f"env > {tmp_path}/env; cp $LR_PARAMETERS {tmp_path}/json; "
        f"cp $PGSERVICEFILE {tmp_path}/service; cp $PGPASSFILE {tmp_path}/pass; ls -l $PGPASSFILE",
    )
    assert process.wait(timeout=30) == 0, output(process)
    found = (tmp_path / "env").read_text()
    assert "P_url=http://x/é\n" in found and "P_n=3\n" in found
    assert "LOCARIA_DSN" not in found and "for tests only" not in found
    assert "[locaria]" in (tmp_path / "service").read_text()
    assert "for tests only" in (tmp_path / "pass").read_text()
    assert '"n": 3' in (tmp_path / "json").read_text()


def test_libpq_gets_in_by_the_service_alone(site: Site) -> None:
    site.submit()
    query = (
        "import psycopg; c = psycopg.connect('service=locaria'); "
        "print('I am', c.execute('select current_user').fetchone()[0])"
    )
    process = site.start_report("run", "--", sys.executable, "-c", query)
    words = output(process)
    assert process.returncode == 0 and "I am test_loader" in words


def test_subcommands_report_from_inside(site: Site, tmp_path: Path) -> None:
    file_id = site.submit()
    script = f"""
    set -eu
    {REPORT} stage load --weight 8 --total 1200
    {REPORT} progress 300/1200
    echo "::locaria stage index"
    {REPORT} reject "no geometry" --line 4 --row "1,2"
    {REPORT} log --level warning two rows look odd
    {REPORT} check fine t
    {REPORT} exec --parse gdal -- sh -c 'printf "0...10...20...30...40...50"'
    """
    process = site.start_report("run", "--", "sh", "-c", script)
    assert process.wait(timeout=60) == 0, output(process)
    run = site.run(file_id)
    assert run["result"] == {"checks": {"fine": True}}
    assert (run["stage"], run["rows_done"], run["rows_rejected"]) == ("index", 50, 1)
    assert site.one("select line, reason, row_text from locaria.rejects")["row_text"] == "1,2"
    logged = site.rows("select message, level from locaria.log where file_id = %s", file_id)
    assert {"message": "two rows look odd", "level": "warning"} in logged


def test_a_wrong_subcommand_says_so_and_fails(site: Site) -> None:
    site.submit()
    process = site.start_report("run", "--", "sh", "-c", f"{REPORT} progress many")
    words = output(process)
    assert process.returncode == 1 and "DONE/TOTAL" in words


def test_a_cancel_ends_the_whole_process_group(site: Site, tmp_path: Path) -> None:
    file_id = site.submit()
    process = site.start_report(
        "run",
        "--grace",
        "0.5",
        "--",
        "sh",
        "-c",
        f"trap '' TERM; (trap '' TERM; sleep 100) & echo $! > {tmp_path}/pid; "
        f"{REPORT} stage long; sleep 100; sleep 100",
    )
    site.await_that(lambda: site.progress(file_id).get("stage"))
    site.owner.execute("select locaria.cancel(%s, 'enough')", [file_id])
    assert process.wait(timeout=10) == 143, output(process)
    assert site.file(file_id)["status"] == "CANCELLED"
    pid = int((tmp_path / "pid").read_text())
    site.await_that(lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except OSError:
        return False


def test_sigterm_reaches_the_command_and_the_file_goes_back(site: Site, tmp_path: Path) -> None:
    file_id = site.submit()
    process = site.start_report(
        "run",
        "--",
        "sh",
        "-c",
        f"trap 'echo told > {tmp_path}/told; exit 1' TERM; {REPORT} stage long; "
        "while :; do sleep 0.1; done",
    )
    site.await_that(lambda: site.progress(file_id).get("stage"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 143, output(process)
    assert (tmp_path / "told").exists()
    file = site.file(file_id)
    assert (file["status"], file["attempts"]) == ("REGISTERED", 0)


def test_a_drain_takes_every_file(site: Site) -> None:
    files = [site.submit(n=n) for n in range(3)]
    process = site.start_report(
        "run", "--drain", "--idle", "0", "--", "sh", "-c", '[ "$P_n" != 1 ] || exit 65'
    )
    assert process.wait(timeout=30) == 0, output(process)
    assert [site.file(f)["status"] for f in files] == [
        "FARGATE_PROCESSED",
        "ERROR",
        "FARGATE_PROCESSED",
    ]


def test_nothing_to_do_ends_with_zero(site: Site) -> None:
    process = site.start_report("run", "--", "sh", "-c", "exit 9")
    assert process.wait(timeout=30) == 0, output(process)


def test_a_chattering_command_shows_no_secret(site: Site) -> None:
    file_id = site.submit()
    secret = "for tests only"
    script = f"""
    echo "connecting with {secret}"; echo "PG:password=c4nary" >&2
    printf '\\033[31mred\\033[0m\\n'; head -c 100000 /dev/zero | tr '\\0' x
    exit 3"""
    process = site.start_report("run", "--", "sh", "-c", script)
    words = output(process)
    kept = str(site.rows("select message from locaria.log where file_id = %s", file_id))
    kept += str(site.run(file_id))
    assert secret not in kept + words and "c4nary" not in kept + words
    assert "'red'" in kept


def test_outside_a_run_it_prints_and_succeeds(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LOCARIA", "LR_"))}
    for arguments in (["stage", "x"], ["progress", "1/2"], ["check", "a", "false"], ["log", "hi"]):
        done = subprocess.run(
            [sys.executable, "-m", "locaria_reporter", *arguments],
            env={**environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        assert arguments[0] in done.stderr
    script = "echo $P_n; exit 75"
    done = subprocess.run(
        [sys.executable, "-m", "locaria_reporter", "run", "--", "sh", "-c", script],
        env={**environment, "PYTHONPATH": str(ROOT), "P_n": "41"},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 75 and "41" in done.stderr


def test_help_teaches_with_an_example() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locaria_reporter", "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "locaria-report run --drain" in done.stdout and "75 retry" in done.stdout


BODY = bytes(range(256)) * 4096


class _Server(http.server.BaseHTTPRequestHandler):
    """Cuts the first answer in the middle; knows Range."""

    cuts = 0

    def do_GET(self) -> None:
        if self.path == "/gone":
            self.send_error(404)
            return
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://169.254.170.2/v2/credentials")
            self.end_headers()
            return
        given = self.headers.get("Range")
        start = int(given.split("=")[1].rstrip("-")) if given else 0
        body = BODY[start:]
        self.send_response(206 if given else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        if given:
            begin = 0 if self.path == "/liar" else start
            self.send_header("Content-Range", f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}")
        self.end_headers()
        if not given and self.path in ("/cut", "/liar") and not type(self).cuts:
            type(self).cuts += 1
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Silence."""


@pytest.fixture
def server() -> Iterator[str]:
    _Server.cuts = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_address[1]}"
        made.shutdown()


def fetch(url: str, target: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "locaria_reporter", "fetch", url, "-o", str(target), *more],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_download_goes_on_where_it_was_cut(server: str, tmp_path: Path) -> None:
    done = fetch(f"{server}/cut", tmp_path / "x", "--allow-private")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x").read_bytes() == BODY
    assert _Server.cuts == 1


def test_another_part_than_the_one_asked_for_is_not_taken(server: str, tmp_path: Path) -> None:
    done = fetch(f"{server}/liar", tmp_path / "x", "--allow-private")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x").read_bytes() == BODY


def test_inner_addresses_are_refused(server: str, tmp_path: Path) -> None:
    done = fetch(f"{server}/x", tmp_path / "x")
    assert done.returncode == 65 and "not a public address" in done.stderr


def test_a_redirect_to_the_credentials_of_the_task_is_refused_always(
    server: str, tmp_path: Path
) -> None:
    done = fetch(f"{server}/elsewhere", tmp_path / "x", "--allow-private")
    assert done.returncode == 65 and "link-local" in done.stderr


def test_a_missing_document_is_fatal(server: str, tmp_path: Path) -> None:
    done = fetch(f"{server}/gone", tmp_path / "x", "--allow-private")
    assert done.returncode == 65 and "404" in done.stderr


def test_other_schemes_are_refused(tmp_path: Path) -> None:
    done = fetch("ftp://h/x", tmp_path / "x")
    assert done.returncode == 65 and "http, https and file" in done.stderr


def test_a_file_url_is_copied_to_where_the_script_wants_it(tmp_path: Path) -> None:
    (tmp_path / "a b").write_text("x")
    assert fetch((tmp_path / "a b").as_uri(), tmp_path / "y").returncode == 0
    assert (tmp_path / "y").read_text() == "x"


def test_a_file_url_reads_data_and_only_where_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "environment").symlink_to("/proc/self/environ")
    for url in ("file:///proc/self/environ", (tmp_path / "environment").as_uri()):
        done = fetch(url, tmp_path / "y")
        assert done.returncode == 65 and "is not read" in done.stderr
    (tmp_path / "x").write_text("x")
    monkeypatch.setenv("LOCARIA_FILE_ROOTS", f"/nowhere:{tmp_path / 'roots'}")
    done = fetch((tmp_path / "x").as_uri(), tmp_path / "y")
    assert done.returncode == 65 and "LOCARIA_FILE_ROOTS" in done.stderr
    (tmp_path / "roots").mkdir()
    (tmp_path / "roots" / "x").write_text("x")
    assert fetch((tmp_path / "roots" / "x").as_uri(), tmp_path / "y").returncode == 0
