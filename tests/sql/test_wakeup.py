"""No wake-up is lost and no application waits, tested with real sessions.

Writers insert and commit. For each invocation that the Lambda stand-in accepts, a thread acts as a task: it
reports, claims, finishes, asks what to do, and leaves at the first pause. tick() never runs.
"""

import threading

import psycopg

from tests.sql.scenario import Scenario, Threads, blocked, one, wait_until

WRITERS, EACH = 3, 300


class Fleet:
    """Tasks as threads, started for each invocation like Lambda and ECS do."""

    def __init__(self, scene: Scenario, threads: Threads, idle: str) -> None:
        self.scene = scene
        self.threads = threads
        self.idle = idle
        self.left = 0
        self.launched = 0
        self.stop = threading.Event()
        self._lock = threading.Lock()

    def serve(self, root: psycopg.Connection[dict[str, object]]) -> None:
        """Start the tasks of all invocations since the last call."""
        seen: set[int] = (
            set()
        )  # A set, not a mark: sessions commit in another order than they count.
        while not self.stop.is_set():
            rows = root.execute(
                "select id, payload from aws_lambda.invocations where id <> all (%s)", [list(seen)]
            ).fetchall()
            for row in rows:
                seen.add(int(str(row["id"])))
                payload = row["payload"]
                assert isinstance(payload, dict)
                for _ in range(payload["count"]):
                    self.launched += 1
                    self.threads.start(self.live, payload)
            self.stop.wait(0.002)

    def live(self, payload: dict[str, object]) -> None:
        """Run the main loop of a task."""
        with psycopg.connect(self.scene.db.dsn_of("loader"), autocommit=True) as session:
            task = session.execute(
                "select task_id, accepted from locaria.start_task(%s, null, %s, %s)",
                [payload["container"], payload["dispatch"], payload["launch"]],
            ).fetchone()
            assert task is not None
            if not task[1]:
                return
            xact = payload["xact"]
            while True:
                runs = [
                    row[0]
                    for row in session.execute(
                        "select run_id from locaria.claim_files(%s, 3)", [task[0]]
                    )
                ]
                if runs:
                    xact = None
                    session.execute("select locaria.finish_runs(%s)", [runs])
                    continue
                answer = session.execute(
                    "select what, for_s from locaria.wait_for_files(%s, %s, %s)",
                    [task[0], xact, self.idle],
                ).fetchone()
                assert answer is not None
                if answer[0] == "leave":
                    with self._lock:
                        self.left += 1
                    return
                if answer[0] == "wait":
                    self.stop.wait(min(0.002, answer[1]))
                if self.stop.is_set():
                    return


def nothing_waits(session: psycopg.Connection[dict[str, object]]) -> bool:
    """Return whether no file is waiting or being processed."""
    row = session.execute(
        "select not exists (select from locaria.files where finished is null) as yes"
    ).fetchone()
    return row is not None and bool(row["yes"])


def run_experiment(scene: Scenario, max_tasks: int, idle: str) -> Fleet:
    scene.set_limits(max_tasks=max_tasks)
    threads, writers = Threads(), Threads()
    fleet = Fleet(scene, threads, idle)
    assert scene.root
    threads.start(fleet.serve, scene.root)

    def write(session: psycopg.Connection[dict[str, object]], n: int) -> None:
        for i in range(EACH):
            if i % 3:  # At the worst moment: nothing is left to do, a task is about to leave.
                wait_until(
                    lambda: nothing_waits(session) or fleet.stop.is_set(), "files are taken", 60
                )
            scene.insert_files(1 + (i + n) % 3, session)

    for n in range(WRITERS):
        writers.start(write, scene.session("app"), n)
    try:
        writers.join()

        wait_until(lambda: nothing_waits(scene.owner), "every file is done without tick()", 60)
    finally:
        fleet.stop.set()
    threads.join()
    return fleet


def test_no_wake_up_is_lost_if_tasks_leave_at_every_pause(scene: Scenario) -> None:
    fleet = run_experiment(scene, max_tasks=1, idle="0")
    assert fleet.left > 20, "tasks left often enough"
    count = one(scene.owner, "select count(*) as n, count(distinct file_id) as d from locaria.runs")
    assert count["n"] == count["d"] > WRITERS * EACH


def test_no_wake_up_is_lost_if_tasks_idle_briefly(scene: Scenario) -> None:
    run_experiment(scene, max_tasks=3, idle="5 milliseconds")


def test_a_leaving_task_and_a_commit_never_wait_for_each_other(scene: Scenario) -> None:
    task = scene.start_task()
    committer = scene.session("app", autocommit=False)
    scene.insert_file(connection=committer)
    committer.execute("set constraints all immediate")
    scene.loader.execute("set lock_timeout = '2s'")
    assert scene.wait(task, idle="0") == "wait", "a commit that may rely on it is in progress"
    scene.app.execute("set lock_timeout = '2s'")
    scene.insert_file()
    assert scene.wait(task, idle="0") == "claim"
    committer.commit()
    scene.finish(scene.claim(task)[0]["run_id"])
    scene.finish(scene.claim(task)[0]["run_id"])
    assert scene.wait(task, idle="0") == "leave"


def test_a_commit_during_the_exit_of_a_task_does_not_rely_on_it(scene: Scenario) -> None:
    """The task decides first, and the commit waits only for this decision."""
    task = scene.start_task()
    leaving = scene.session("loader", autocommit=False)
    assert leaving.execute(
        "select what from locaria.wait_for_files(%s, null, '0')", [task]
    ).fetchone() == {"what": "leave"}
    app = scene.session("app")
    threads = Threads()
    threads.start(lambda: scene.insert_file(connection=app) and None)
    wait_until(
        lambda: blocked(scene.owner, app.info.backend_pid), "the committer waits for the decision"
    )
    assert scene.invocations() == []
    leaving.commit()
    threads.join()
    assert len(scene.invocations()) == 1, "the task has left: another one is asked for"


def test_a_task_does_not_leave_while_another_is_refused_because_of_it(scene: Scenario) -> None:
    """A commit in between would count on the refused task, and no task would process its files."""
    scene.set_limits(max_tasks=1)
    living = scene.start_task()
    late = scene.session("loader", autocommit=False)
    assert not scene.report_task(connection=late)["accepted"]
    assert scene.wait(living, idle="0") == "wait"
    scene.app.execute("set lock_timeout = '2s'")
    scene.insert_file()
    assert scene.invocations() == []
    late.commit()
    assert scene.wait(living, idle="0") == "claim"
    scene.finish(scene.claim_one(living)["run_id"])
    assert scene.wait(living, idle="0") == "leave"
