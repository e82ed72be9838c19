"""How a deployment ends when it can't go on.

DeployError        something failed; what is done is done, the same command goes on from there
├── Refused        AWS, the database or this machine is not ready; nothing was changed
├── BadInput       an option, locaria.toml or dockers.json is wrong; nothing was done
└── Unreachable    the database can't be reached or logged in to; nothing was changed
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from botocore.exceptions import ClientError


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


@contextmanager
def nothing_changed() -> Iterator[None]:
    """Whatever stops the command in here stops it before anything is changed, and says so.

    Raises:
        Refused: for what came as a failure of AWS or of the database.
    """
    try:
        yield
    except (BadInput, Refused, Unreachable):
        raise
    except DeployError as error:
        raise Refused(str(error), error.hint) from error
    except ClientError as error:
        raise Refused(str(error)) from error
    except psycopg.Error as error:
        raise Refused(f"the database said: {error.diag.message_primary or error}") from error
