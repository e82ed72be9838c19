"""A container without work: the result of a run is the moment at which it began."""

import time

import locaria_reporter as lr

if __name__ == "__main__":
    for run in lr.claims():
        began = time.monotonic()
        with run:
            run.finish(result={"began": began})
