"""Opens the store that a URL names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from object_store.folder import FolderStore
from object_store.interface import Store, StoreError

VARIABLE = "LOCARIA_OBJECT_STORE"


def open_store(
    url: str | None = None,
    credentials: Mapping[str, str] | None = None,
    *,
    private: bool = False,
) -> Store:
    """Open a store.

    Args:
        url: `s3://bucket/prefix`, `file:///path` or an absolute path; by default the environment
            variable LOCARIA_OBJECT_STORE.
        credentials: `access_key_id`, `secret_access_key` and perhaps `session_token`, in place of
            those that boto3 finds in the environment (S3 only).
        private: Whether only this user may read the files of a folder.

    Raises:
        StoreError: No URL is given, or it does not name a store.
    """
    url = url or os.environ.get(VARIABLE)
    if not url:
        raise StoreError(f"{VARIABLE} is not set: set it to s3://bucket/prefix or file:///path")
    parts = urlsplit(url)
    if parts.scheme in ("", "file") and not parts.netloc and parts.path.strip("/"):
        folder = Path(unquote(parts.path)) if parts.scheme else Path(url)
        if folder.is_absolute():
            return FolderStore(folder, private=private)
    elif parts.scheme == "s3" and parts.netloc:
        from object_store.s3 import S3Store, make_client  # noqa: PLC0415 - boto3 is slow to import

        return S3Store(parts.netloc, parts.path.strip("/"), make_client(credentials))
    raise StoreError(
        f"{VARIABLE} is {url!r}: it must be s3://bucket/prefix or file:///path (an absolute path)"
    )
