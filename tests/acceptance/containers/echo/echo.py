"""A listener for tests."""

import time
from typing import Any

import locaria_reporter as lr


def say(words: str, seconds: float = 0.0) -> dict[str, Any]:
    """Says it back, after a while."""
    time.sleep(seconds)
    return {"said": words}


def refuse(words: str = "no such thing") -> None:
    """Refuses."""
    raise lr.Fatal(words)


def stumble() -> None:
    """Fails."""
    raise ValueError("the shoe does not fit")


if __name__ == "__main__":
    lr.listen({"say": say, "refuse": refuse, "stumble": stumble})
