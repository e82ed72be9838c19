"""The identity of a client: role, name and expiry."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

DATABASE_ROLES = {
    "reader": "locaria_reader",
    "submitter": "locaria_app",
    "operator": "locaria_operator",
}
"""The roles of clients, least privileged first, each with its database role."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated client, or a local one that needs no authentication.

    Attributes:
        role: `reader`, `submitter` or `operator`.
        subject: The name of the client, for logs and audit columns. Never a secret.
        expires: Unix time at which the identity expires. None: never.
        entry: The entry of the token file that it comes from. None: from elsewhere.
    """

    role: str
    subject: str
    expires: float | None = None
    entry: str | None = None

    def __post_init__(self) -> None:
        if self.role not in DATABASE_ROLES:
            raise ValueError(f"unknown role {self.role!r}: use one of {', '.join(DATABASE_ROLES)}")

    @property
    def database_role(self) -> str:
        """The database role for `set local role`."""
        return DATABASE_ROLES[self.role]

    @property
    def json(self) -> str:
        """The identity argument of `locaria.api`."""
        return json.dumps({"role": self.role, "subject": self.subject})

    @property
    def is_expired(self) -> bool:
        """Whether the identity has expired."""
        return self.expires is not None and self.expires <= time.time()


LOCAL = Identity("operator", "local")
"""Every client on the loopback interface of a server without identity settings."""
