"""A forked child has copies of the task's connections, pipes and signal handlers, none its own.

Without this, a `multiprocessing.Pool` that terminates its workers would tell the parent's heart
that the parent shall end, and a child that leaves the `with` block would end the parent's run.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """An object that a forked child must leave to its parent."""

    def leave_to_parent(self) -> None:
        """Called in the child, once."""
        ...


_watched: weakref.WeakSet[Forked] = weakref.WeakSet()


def watch(each: Forked) -> None:
    """Tell it in every child that is forked from now on."""
    _watched.add(each)


def _tell() -> None:
    for each in list(_watched):
        each.leave_to_parent()
    _watched.clear()


os.register_at_fork(after_in_child=_tell)
