"""Small settings, secrets among them, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


class PrivateFile:
    """A JSON object in a file with mode 0600, always replaced in one step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[str, Any]:
        """All values; empty when there is no file."""
        try:
            loaded: dict[str, Any] = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        return loaded

    def get(self, name: str) -> Any:
        """One value; None when it isn't there."""
        return self.load().get(name)

    def save(self, **values: Any) -> None:
        """Set values, and keep the others."""
        kept = self.load()
        if kept | values == kept:
            return
        descriptor, name = tempfile.mkstemp(dir=self.path.parent)  # made 0600
        with os.fdopen(descriptor, "w") as file:
            json.dump(kept | values, file)
        Path(name).replace(self.path)

    def remove(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)
