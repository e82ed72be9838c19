"""How a deployment ends when it can't go on.

DeployError        something failed; what is done is done, the same command goes on from there
├── Refused        AWS, the database or this machine is not ready; nothing was changed
├── BadInput       an option, locaria.toml or dockers.json is wrong; nothing was done
└── Unreachable    the database can't be reached or logged in to; nothing was changed
"""

from __future__ import annotations


class DeployError(Exception):
    """Something that a person has to put right; the message says what, the hint how."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Refused(DeployError):  # noqa: N818 - named as the command's exit codes are
    """Said before anything is changed."""


class BadInput(DeployError):  # noqa: N818
    """What a person gave is wrong; said before anything is asked of AWS."""


class Unreachable(DeployError):  # noqa: N818
    """No connection to the database; said before anything is changed."""
