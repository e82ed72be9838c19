"""Subscribing: the state first, then each change and each log message, once."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from locaria.web.push.outbox import MAX_BYTES
from locaria.web.settings import Settings
from tests.conftest import Connection, Database
from tests.web.conftest import CONTAINER, Task, Web, insert, served


def logged(messages: list[Any]) -> list[str]:
    """The log messages in events."""
    return [
        each["log"]
        for message in messages
        for each in message.get("attributes", {}).get("log_messages", [])
        if each["level"] == "info"
    ]


def says(word: str) -> Any:
    """Whether a message is an event in whose log this was said."""
    return lambda message: word in logged([message])


def test_the_state_comes_first_and_the_log_goes_on_from_there(
    web: Web, app: Connection, task: Task
) -> None:
    [file] = insert(app)
    run = task.run(file)
    task.log(run, "one", "two")
    with web.connect() as client:
        assert client.ask({"method": "subscribe", "container_id": file, "request_id": 1}) == {
            "subscribed": file,
            "request_id": 1,
        }
        state = client.receive()
        assert state["event"] == "container_status"
        assert state["container_id"] == file
        assert logged([state]) == ["one", "two"]
        task.log(run, "three")
        task.log(run, "four")
        assert logged(client.until(says("four"))) == ["three", "four"]
        last = state["attributes"]["log_messages"][0]["id"]
    with web.connect() as client:
        client.send({"method": "subscribe", "container_id": file, "after_log": last})
        assert logged(client.until(says("four"))) == ["two", "three", "four"]
        task.finish(run)
        task_end = client.receive()
        assert task_end["container_id"] == file


def test_who_subscribes_to_all_hears_of_files_inserted_later(
    web: Web, app: Connection, task: Task
) -> None:
    with web.connect() as client:
        assert client.ask({"method": "subscribe"}) == {"subscribed": "all"}
        files = insert(app, 3)
        for file in files:
            task.log(task.run(file), f"of {file}")
            task.finish(task.run(file))
        wanted = {f"of {file}" for file in files}
        heard: list[str] = []
        while wanted - set(heard):
            heard += logged([client.receive()])
        assert sorted(x for x in heard if x in wanted) == sorted(wanted)


def test_unsubscribe_ends_it(web: Web, app: Connection, task: Task) -> None:
    first, second = insert(app, 2)
    runs = {file: task.run(file) for file in (first, second)}
    with web.connect() as client:
        for file in (first, second):
            client.ask({"method": "subscribe", "container_id": file})
            client.receive()
        client.send({"method": "unsubscribe", "container_id": first})
        client.until(lambda message: message.get("unsubscribed") == first)
        task.log(runs[first], "unheard")
        task.log(runs[second], "heard")
        assert logged(client.until(says("heard"))) == ["heard"]
        assert client.ask({"method": "unsubscribe"}) == {"unsubscribed": "all"}
    for run in runs.values():
        task.finish(run)


def test_an_unknown_file_is_not_found_and_a_wrong_number_is_refused(web: Web) -> None:
    with web.connect() as client:
        assert client.ask({"method": "subscribe", "container_id": 10**12})["code"] == 404
        for wrong in ("7", 0, -1, 1.5, True, [1], 2**63):
            reply = client.ask({"method": "subscribe", "container_id": wrong, "request_id": 1})
            assert (reply["code"], reply["request_id"]) == (422, 1)
        assert (
            client.ask({"method": "subscribe", "container_id": 1, "after_log": -1})["code"] == 422
        )


def test_a_claimed_last_message_that_never_was_spoils_nothing_for_others(
    web: Web, app: Connection, task: Task
) -> None:
    [file] = insert(app)
    run = task.run(file)
    task.log(run, "one")
    with web.connect() as liar, web.connect() as honest:
        liar.send({"method": "subscribe", "container_id": file, "after_log": 2**62})
        assert logged(liar.until(says("one"))) == ["one"]
        honest.send({"method": "subscribe", "container_id": file})
        assert logged(honest.until(says("one"))) == ["one"]
        task.log(run, "two")
        assert logged(honest.until(says("two"))) == ["two"]
    task.finish(run)


def listeners(site: Database) -> int:
    """How many connections listen."""
    row = (
        site.connect()
        .execute(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and application_name = 'locaria web listen'"
        )
        .fetchone()
    )
    assert row is not None
    return int(row["count"])


def test_any_number_of_subscribers_share_one_listening_connection_that_ends_with_them(
    web: Web, site: Database, app: Connection, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locaria.web.push.hub.LINGER_S", 0.3)
    [file] = insert(app)
    run = task.run(file)
    with ExitStack() as open_ones:
        for _ in range(8):
            client = open_ones.enter_context(web.connect())
            client.ask({"method": "subscribe", "container_id": file})
        assert listeners(site) == 1
    deadline = time.monotonic() + 20
    while listeners(site):
        task.log(run, "and still it goes on")
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with web.connect() as client:
        client.send({"method": "subscribe", "container_id": file})
        client.until(says("and still it goes on"))
        task.log(run, "watched again")
        client.until(says("watched again"))
    task.finish(run)


def cut(site: Database) -> None:
    """Cut every connection of the server, as a restart of Postgres does."""
    with psycopg.connect(site.superuser_dsn, autocommit=True) as root:
        root.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and application_name like 'locaria web%'"
        )


def test_a_restart_of_the_database_is_told_survived_and_caught_up(
    web: Web, site: Database, app: Connection, task: Task
) -> None:
    [file] = insert(app)
    run = task.run(file)
    with web.connect() as client:
        client.ask({"method": "subscribe", "container_id": file})
        client.receive()
        cut(site)
        task.log(run, "while nobody listened")
        assert logged(client.until(says("while nobody listened"))) == ["while nobody listened"]
        client.send({"method": "get_containers", "request_id": "after"})
        client.until(lambda message: message.get("request_id") == "after")
    task.finish(run)


def test_more_messages_than_are_told_at_once_all_arrive(
    web: Web, app: Connection, task: Task
) -> None:
    [file] = insert(app)
    run = task.run(file)
    task.log(run, "first")
    with web.connect() as client:
        client.send({"method": "subscribe", "container_id": file})
        client.until(says("first"))
        said = [f"message {number}" for number in range(2_500)]
        task.log(run, *said)
        assert logged(client.until(says(said[-1]))) == said
    task.finish(run)


def test_two_hundred_clients_each_submit_subscribe_and_miss_nothing(
    web: Web, app: Connection, task: Task
) -> None:
    files: dict[int, int] = {}
    with ExitStack() as open_ones:
        clients = [open_ones.enter_context(web.connect()) for _ in range(200)]

        def begin(number: int) -> None:
            asked = {"method": "add_file", "container": CONTAINER, "attributes": {}}
            files[number] = clients[number].ask(asked)["container_id"]
            clients[number].send({"method": "subscribe", "container_id": files[number]})

        def watch(number: int) -> list[str]:
            return logged(clients[number].until(says("last words")))

        with ThreadPoolExecutor(50) as pool:
            list(pool.map(begin, range(200)))
            watching = [pool.submit(watch, number) for number in range(200)]
            for word in ("first", "second", "third"):
                for file in files.values():
                    task.log(task.run(file), f"{word} of {file}")
            for file in files.values():
                task.log(task.run(file), "last words")
                task.finish(task.run(file))
            heard = [each.result(60) for each in watching]
    assert heard == [
        [*(f"{word} of {files[number]}" for word in ("first", "second", "third")), "last words"]
        for number in range(200)
    ]


def test_a_client_that_does_not_read_misses_nothing_in_the_end_and_fills_no_memory(
    settings: Settings, app: Connection, task: Task
) -> None:
    [file] = insert(app)
    run = task.run(file)
    said: list[str] = []
    with (
        served(settings, small_buffers=True) as web,
        small_socket(web) as narrow,
        web.connect(max_queue=1, sock=narrow) as slow,
        web.connect() as quick,
    ):
        for client in (slow, quick):
            client.ask({"method": "subscribe", "container_id": file})
            client.receive()
        for part in range(20):
            said += [f"{part} {number} " + "x" * 9_000 for number in range(10)]
            task.log(run, *said[-10:])
            quick.until(says(said[-1]))
        assert web.waiting_bytes() <= MAX_BYTES
        task.log(run, "last words")
        events = slow.until(says("last words"))
    assert logged(events) == [*said, "last words"]
    assert len(events) < 18, "it was never behind: the test proves nothing"
    task.finish(run)


def small_socket(web: Web) -> socket.socket:
    """A connection with next to no room for what is not read yet."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(web.address)
    return made
