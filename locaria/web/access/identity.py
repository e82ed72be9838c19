"""Who a client is: its role and name, and until when."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

DATABASE_ROLES = {
    "reader": "locaria_reader",
    "submitter": "locaria_app",
    "operator": "locaria_operator",
}
"""The roles of clients, least first, and the group role under which SQL runs for each."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A client that has proven who it is, or that needs not.

    Attributes:
        role     reader, submitter or operator.
        subject  who, for the record; never a secret.
        expires  Unix time after which it is nobody any more; None: never.
        entry    which entry of the file of tokens it comes from; None: from none.
    """

    role: str
    subject: str
    expires: float | None = None
    entry: str | None = None

    def __post_init__(self) -> None:
        if self.role not in DATABASE_ROLES:
            raise ValueError(f"{self.role!r} is none of {', '.join(DATABASE_ROLES)}")

    @property
    def database_role(self) -> str:
        """The group role for `set local role`."""
        return DATABASE_ROLES[self.role]

    @property
    def json(self) -> str:
        """As `locaria.api` takes it."""
        return json.dumps({"role": self.role, "subject": self.subject})

    @property
    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= time.time()


LOCAL = Identity("operator", "local")
"""Whoever reaches the loopback interface of a machine on which identity is not configured."""
