"""A container for tests: does what attributes.do says."""

import os
import signal
import sys
import threading
import time

import locaria_reporter as lr


def act(run: lr.Run) -> None:
    """Do one thing that containers do, well or badly."""
    match run.attributes.get("do"):
        case "work":
            for _ in run.track(range(int(run.attributes.get("steps", 3)))):
                pass
        case "work until cancelled":
            for _ in run.track(iter(int, 1)):
                time.sleep(0.01)
        case "raise":
            raise ValueError("the shoe does not fit")
        case "refuse":
            raise lr.Fatal("column geom is missing")
        case "retry":
            if run.attempt == 1:
                raise lr.Retry("the server was busy", in_=0)
        case "exit":
            os._exit(int(run.attributes["code"]))
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            threading.Event().wait()
        case "ignore":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            threading.Event().wait()
        case "eat":
            eaten = [bytearray(2**20) for _ in range(2**13)]
            raise AssertionError(f"nobody objected to {len(eaten)} MiB")


def main() -> None:
    """Drain the queue."""
    for run in lr.claims():
        with run:
            act(run)


if __name__ == "__main__":
    sys.exit(main())
