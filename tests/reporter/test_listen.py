"""Listeners as real processes: HTTP, signals, cancel; and their small parts."""

import http.client
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import locaria_reporter as lr
from locaria_reporter._traces import Traces
from tests.reporter.conftest import CONTAINER, Site

LISTENER = """
import os, threading, time
busy = threading.Lock()

def say(words: str, times: int = 1) -> list[str]:
    "Says it."
    return [words] * times

def slow(seconds: float) -> bool:
    alone = busy.acquire(blocking=False)
    time.sleep(seconds)
    if alone:
        busy.release()
    return alone

def hold(path):
    "Lasts until there is such a file."
    while not os.path.exists(path):
        time.sleep(0.02)
    return "let go"

def refuse():
    raise lr.Fatal("not this one")

def later():
    raise lr.Retry("busy", in_=7)

def fail():
    raise ValueError("password=verysecret")

def odd():
    return {"when": __import__("datetime").date(2024, 2, 29), "what": (1, 2)}

def impossible():
    return float("nan")

lr.listen(
    {"say": say, "slow": slow, "hold": hold, "refuse": refuse, "later": later, "fail": fail,
     "odd": odd, "impossible": impossible},
    limits=lr.Limits(body=1000, waiting=1), grace=GRACE,
)
"""


class Caller:
    """A client of one listener."""

    def __init__(self, endpoint: str) -> None:
        self.address = endpoint.removeprefix("http://")

    def send(
        self, body: Any = None, method: str = "POST", path: str = "/", **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, JSON and headers of an answer; a str is sent as it is."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        data = body if isinstance(body, str | None) else json.dumps(body)
        sent = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            assert answer.headers["Content-Type"] == "application/json"
            return answer.status, json.load(answer), answer.headers
        finally:
            connection.close()

    def do(self, command: str, **parameters: Any) -> tuple[int, Any]:
        """A command: status and reply."""
        return self.send({"command": command, "parameters": parameters})[:2]


@pytest.fixture
def place(site: Site) -> Iterator[Site]:
    site.owner.execute(
        "update locaria.containers set type = 'listener', port = 1, lease = '3 seconds'"
        " where name = %s",
        [CONTAINER],
    )
    yield site


def start(
    place: Site, grace: float = 20.0, **environment: str
) -> tuple[int, Caller, "subprocess.Popen[str]"]:
    """A listener that listens: its file, a client, the process."""
    file = place.submit()
    process = place.start_python(
        LISTENER.replace("GRACE", str(grace)), **{"LOCARIA_PORT": "0", **environment}
    )
    endpoint = place.await_that(lambda: place.progress(file).get("endpoint"))
    return file, Caller(endpoint), process


def executing(place: Site, file: int, words: str | None) -> Any:
    return place.await_that(lambda: place.progress(file).get("command", "?") == words)


def test_every_answer_is_json_and_says_what_was_wrong(place: Site) -> None:
    file, caller, _ = start(place)
    status, said, _ = caller.send(method="GET")
    assert (status, said["state"], said["container_id"]) == (200, "listening", file)
    assert said["commands"]["say"] == {
        "description": "Says it.",
        "parameters": {"words": "required", "times": 1},
    }
    assert caller.do("say", words="ja", times=2)[1]["result"] == ["ja", "ja"]
    assert caller.do("odd")[1]["result"] == {"when": "2024-02-29", "what": [1, 2]}
    echoed = caller.send({"command": "refuse", "request_id": 7})
    assert echoed[:2] == (422, {"code": 422, "message": "not this one", "request_id": 7})
    status, said, headers = caller.send({"command": "later"})
    assert (status, said["message"], headers["Retry-After"]) == (503, "busy", "7")
    status, said = caller.do("fail")
    assert (status, said["message"]) == (500, "ValueError: password=****")
    assert caller.do("impossible")[0] == 500
    wrong = caller.do("say", times="2", tone="high")[1]["errors"]
    assert {each["path"]: each["reason"] for each in wrong} == {
        "parameters.words": "is required",
        "parameters.tone": "is unknown; known: words, times",
        "parameters.times": "must be a whole number",
    }
    assert "there are: say, slow, hold" in caller.do("dance")[1]["message"]
    for expected, body, more in (
        (400, "{", {}),
        (400, "[]", {}),
        (400, "[" * 900, {}),
        (413, " " * 1001, {}),
        (415, "command=say", {"Content_Type": "application/x-www-form-urlencoded"}),
        (421, {"command": "say"}, {"Host": "evil.example:80"}),
        (422, {}, {}),
        (422, {"command": 1}, {}),
        (422, {"command": "say", "parameters": []}, {}),
        (422, {"command": "say", "parmeters": {}}, {}),
        (404, {"command": "say"}, {"path": "/other"}),
        (405, {"command": "say"}, {"method": "PUT"}),
    ):
        status, said, _ = caller.send(body, **more)  # type: ignore[arg-type]
        assert (status, said["code"]) == (expected, expected), (body, said)
    place.await_that(
        lambda: (
            {m["level"] for m in place.rows("select level from locaria.log")}
            == {"info", "warning", "error"}
        )
    )
    text = " ".join(m["message"] for m in place.rows("select message from locaria.log"))
    assert "verysecret" not in text
    assert re.search(r"refuse from 127.0.0.1: 422, not this one \(\d\.\d{3} s\)", text)


def test_one_command_at_a_time_a_second_waits_a_third_is_turned_away(
    place: Site, tmp_path: Path
) -> None:
    file, caller, _ = start(place)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(caller.do, "hold", path=str(tmp_path / "go"))
        executing(place, file, "hold")
        second = pool.submit(caller.do, "slow", seconds=0)
        place.await_that(lambda: caller.send(method="GET")[1]["waiting"] == 1)
        status, said, headers = caller.send({"command": "say", "parameters": {"words": "x"}})
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "waiting already" in said["message"]
        (tmp_path / "go").touch()
        assert first.result()[1]["result"] == "let go"
        assert second.result()[1]["result"] is True
    executing(place, file, None)


def test_sigterm_lets_the_command_in_hand_end_and_gives_the_file_back(
    place: Site, tmp_path: Path
) -> None:
    file, caller, process = start(place)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(caller.do, "hold", path=str(tmp_path / "go"))
        executing(place, file, "hold")
        process.send_signal(signal.SIGTERM)
        place.await_that(lambda: caller.send(method="GET")[1]["state"] == "stopping")
        assert place.file(file)["status"] == "FARGATE_PROCESSING", "not given back too early"
        (tmp_path / "go").touch()
        assert held.result()[1]["result"] == "let go"
    assert process.wait(timeout=20) == 143
    row = place.file(file)
    assert (row["status"], row["attempts"]) == ("REGISTERED", 0)
    assert place.run(file)["outcome"] == "released"


def test_a_command_that_never_ends_does_not_outlive_the_grace(place: Site) -> None:
    file, caller, process = start(place, grace=0.5)
    with ThreadPoolExecutor() as pool:
        endless = pool.submit(caller.do, "slow", seconds=60)
        executing(place, file, "slow")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143
        with pytest.raises(OSError):
            endless.result()
    row = place.file(file)
    assert (row["status"], row["attempts"]) == ("REGISTERED", 0)


def test_a_cancel_lets_the_command_in_hand_end(place: Site, tmp_path: Path) -> None:
    file, caller, process = start(place)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(caller.do, "hold", path=str(tmp_path / "go"))
        executing(place, file, "hold")
        place.owner.execute("select locaria.cancel(%s, 'enough')", [file])
        place.await_that(lambda: caller.send(method="GET")[1]["state"] == "stopping")
        assert "enough" in caller.do("say", words="x")[1]["message"]
        (tmp_path / "go").touch()
        assert held.result()[1]["result"] == "let go"
    place.await_that(lambda: place.file(file)["status"] == "CANCELLED")
    assert "enough" in place.file(file)["last_error"]
    process.terminate()
    process.wait(timeout=20)


def test_a_listener_that_lost_its_lease_stops(place: Site) -> None:
    file, caller, process = start(place)
    place.owner.execute("update locaria.files set status = 'CANCELLED' where id = %s", [file])
    assert process.wait(timeout=20) == 76
    with pytest.raises(OSError):
        caller.do("say", words="x")


def test_a_command_without_a_listener_is_done_all_the_same(place: Site) -> None:
    place.configure(idle_timeout="0")
    file = place.submit(command="say", words="ho")
    other = place.submit(command="say")
    process = place.start_python(LISTENER.replace("GRACE", "20"))
    assert process.wait(timeout=20) == 0, process.communicate()[0]
    assert place.run(file)["result"] == {"result": ["ho"]}
    assert place.run(file)["message"].startswith("say: done (")
    row = place.file(other)
    assert (row["status"], row["last_error"]) == ("ERROR", "say: parameters.words: is required")


SCRIPT = """
case "$LR_COMMAND" in
  greet) locaria-report log "greeting $P_name"; echo "hello $P_name of $P_town" ;;
  count) cat ;;
  refuse) echo "not this one" >&2; exit 65 ;;
  fail) echo "out of paper" >&2; exit 3 ;;
  sleep) sleep 60 ;;
esac
"""


def test_a_shell_script_is_a_listener(place: Site, tmp_path: Path) -> None:
    tool = tmp_path / "locaria-report"
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m locaria_reporter "$@"\n')
    tool.chmod(0o755)
    file = place.submit(town="Thun")
    process = place.start_report(
        "listen", "--port", "0", "--grace", "2", "--", "sh", "-c", SCRIPT,
        PATH=f"{tmp_path}:{os.environ['PATH']}",
    )  # fmt: skip
    caller = Caller(place.await_that(lambda: place.progress(file).get("endpoint")))
    assert caller.do("greet", name="Anna")[1]["result"] == "hello Anna of Thun"
    assert caller.do("count", words=["a", 1])[1]["result"] == {"words": ["a", 1]}
    assert caller.do("refuse") == (422, {"code": 422, "message": "not this one"})
    assert caller.do("fail") == (500, {"code": 500, "message": "out of paper"})
    row = place.submit(command="sleep")
    executing(place, file, "sleep")
    place.owner.execute("select locaria.cancel(%s)", [row])
    place.await_that(lambda: place.file(row)["status"] == "CANCELLED")
    place.await_that(
        lambda: place.rows("select from locaria.log_messages where message = 'greeting Anna'")
    )
    executing(place, file, None)
    row = place.submit(command="sleep")
    executing(place, file, "sleep")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 143
    assert (place.file(row)["status"], place.file(row)["attempts"]) == ("REGISTERED", 0)
    assert place.file(file)["status"] == "REGISTERED"


def test_a_token_is_asked_for_and_never_logged(place: Site) -> None:
    _, caller, process = start(place, LOCARIA_LISTEN_TOKEN="openthedoor")
    status, _, headers = caller.send(method="GET")
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert caller.send({"command": "odd"}, Authorization="Bearer wrong")[0] == 401
    allowed = {"command": "say", "parameters": {"words": "openthedoor"}}
    assert caller.send(allowed, Authorization="Bearer openthedoor")[0] == 200
    process.terminate()
    assert "openthedoor" not in process.communicate(timeout=20)[0]


def test_outside_locaria_a_listener_listens_until_ctrl_c(place: Site) -> None:
    process = place.start_python(LISTENER.replace("GRACE", "20"), LOCARIA_DSN="", LOCARIA_PORT="0")
    assert process.stdout is not None
    line = next(line for line in process.stdout if "listening on" in line)
    caller = Caller(line.split("listening on ")[1].split(";")[0])
    assert caller.do("say", words="home")[1]["result"] == ["home"]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 143


def test_a_recording_channel_plays_a_listener() -> None:
    channel = lr.RecordingChannel(files=[{"table": "t"}, {"command": "add", "a": 1, "b": 2}])
    lr.listen({"add": lambda a, b: a + b}, channel=channel, port=0)
    command, _ = (what for name, what in channel.calls if name == "finish_run")
    assert command.result == {"result": 3}
    endpoint, command = next(what for name, what in channel.calls if name == "report_listening")
    assert endpoint.startswith("http://127.0.0.1:") and command is None


def test_one_function_takes_all_commands() -> None:
    def handle(command: lr.Command) -> str:
        return f"{command.name} {sorted(command.parameters)}"

    channel = lr.RecordingChannel({"command": "go", "parameters": {"far": 1}})
    lr.listen(handle, channel=channel)
    assert channel.result == {"result": "go ['far']"}


def test_a_taken_port_is_replaced_and_a_task_is_called_by_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ECS_CONTAINER_METADATA_URI_V4", raising=False)
    first, endpoint = lr.bind_port(0)
    taken = int(endpoint.rpartition(":")[2])
    second, other = lr.bind_port(taken)
    assert first.getsockname()[0] == "127.0.0.1" and other != endpoint

    class Metadata(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            network = {"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.3.7"]}
            body = {"Containers": [{"Name": "x"}, {"Name": "y", "Networks": [network]}]}
            self.wfile.write(json.dumps(body).encode())

    server = HTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.handle_request, daemon=True).start()
    uri = f"http://127.0.0.1:{server.server_port}/v4/abc"
    monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", uri)
    third, announced = lr.bind_port(0)
    assert third.getsockname()[0] == "0.0.0.0"
    assert announced == f"http://10.0.3.7:{third.getsockname()[1]}"
    for each in (first, second, third, server):
        each.close() if each is not server else each.server_close()


def test_of_many_commands_only_some_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    traces = Traces(logging.getLogger("x"))
    for number in range(100):
        traces.add(f"command {number}", failed=number % 10 == 0)
    assert len(caplog.records) == 20 and traces.pause() > 0
    traces.flush()
    assert caplog.messages[-1] == "80 more commands, 8 of them failed"
    assert traces.pause() == float("inf")
