"""An idle process that waits for work and prints when it begins: `python -m bench.listener KIND`.

The moments are of time.monotonic(), which all processes of one Linux machine share.
"""

from __future__ import annotations

import os
import sys
import time

import psycopg

import locaria_reporter as lr
from bench.claim import BARE_CLAIM, BARE_FINISH

LONG = 3600.0


def _say(word: object) -> None:
    print(word, flush=True)


def _ours() -> None:
    _say("ready")
    for run in lr.claims(idle=LONG):
        began = time.monotonic()
        with run:
            _say(began)


def _notify() -> None:
    with psycopg.connect(os.environ["LOCARIA_DSN"], autocommit=True) as connection:
        connection.execute("listen bench_notify")
        _say("ready")
        for _ in connection.notifies():
            _say(time.monotonic())


def _queue() -> None:
    with psycopg.connect(os.environ["LOCARIA_DSN"], autocommit=True) as connection:
        connection.execute("listen bench_queue")
        _say("ready")
        while True:
            claimed = connection.execute(BARE_CLAIM, [1], prepare=True).fetchall()
            began = time.monotonic()
            if claimed:
                _say(began)
                connection.execute(BARE_FINISH, [[row[0] for row in claimed]], prepare=True)
            else:
                list(connection.notifies(timeout=LONG, stop_after=1))


if __name__ == "__main__":
    {"ours": _ours, "notify": _notify, "queue": _queue}[sys.argv[1]]()
