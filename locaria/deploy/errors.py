"""How a deployment ends when it can't go on."""

from __future__ import annotations


class DeployError(Exception):
    """Something that a person has to put right; the message says what, the hint how."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
