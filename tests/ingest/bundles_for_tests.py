"""Bundles as clients send them, and as they never should."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

CTIME = "Tue Nov 29 14:09:05 PST 2016"
FIELDS = [
    {"destinationTable": "Transactions.submitter", "value": 10},
    {"destinationTable": "Transactions.project", "value": "1234a"},
    {"destinationTable": "Transactions.instrument", "value": "54"},
    {"destinationTable": "TransactionKeyValue", "key": "Tag", "value": "foo"},
    {"destinationTable": "TransactionKeyValue", "key": "Temp C", "value": 27},
]


def entry(path: str, data: bytes, hashtype: str = "sha1", **changes: Any) -> dict[str, Any]:
    """The metadata of a file; a change to None leaves the key out."""
    folder, _, name = path.rpartition("/")
    made = {
        "destinationTable": "Files",
        "name": name,
        "subdir": f"data/{folder}" if folder else "data/",
        "size": len(data),
        "hashtype": hashtype,
        "hashsum": hashlib.new(hashtype, data).hexdigest(),
        "mimetype": "text/plain",
        "ctime": CTIME,
        "mtime": "2016-11-29T14:09:05",
        **changes,
    }
    return {key: value for key, value in made.items() if value is not None}


def document(files: Mapping[str, bytes], **changes: Any) -> list[dict[str, Any]]:
    """A whole metadata document."""
    return [*FIELDS, *(entry(path, data, **changes) for path, data in files.items())]


def tar(
    members: Mapping[str, bytes] | list[tuple[str, bytes]],
    metadata: Any = None,
    *,
    prefix: str = "data/",
    also: Callable[[tarfile.TarFile], None] = lambda _: None,
    format_: int = tarfile.PAX_FORMAT,
) -> bytes:
    """A tar with these members and, last, metadata.txt (of them, unless it is given)."""
    files = list(members.items()) if isinstance(members, Mapping) else members
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format_) as made:
        for name, data in files:
            add(made, prefix + name, data)
        also(made)
        if metadata is None:
            metadata = document(dict(files))
        if metadata is not False:
            text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
            add(made, "metadata.txt", text)
    return buffer.getvalue()


def add(made: tarfile.TarFile, name: str, data: bytes = b"", **facts: Any) -> None:
    """Add a member with any property."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in facts.items():
        setattr(info, key, value)
    made.addfile(info, io.BytesIO(data) if info.isreg() else None)
