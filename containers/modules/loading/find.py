"""The file that is asked for: a local path that may be read, a URL, an object on S3."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from credentials import headers_for, resolve

from loading.source import unreadable
from locaria_reporter import Fatal, Retry, Run

# Pseudo files: what they hold is about this process, its environment among it.
_NEVER = (Path("/proc"), Path("/sys"), Path("/dev"))
_GEODATABASE = ".gdb"


def find(run: Run, path: str, given: Any = None) -> tuple[Path, str]:
    """The local file for a path or URL (which is downloaded), and its name for messages.

    Args:
        run: for progress, and whose temporary folder takes downloads.
        path: a local path, s3://bucket/key or http(s) URL.
        given: attribute `credentials`.

    Raises:
        Fatal: there is no such file, or it must not be read.
    """
    try:
        parts = urlsplit(path)
    except ValueError as error:
        raise Fatal(f"path {path!r}: {error}", kind="data") from None
    if parts.scheme in ("http", "https"):
        name = Path(unquote(parts.path)).name or parts.hostname or "the download"
        return run.fetch(path, headers=headers_for(resolve(run, given))), name
    if parts.scheme == "s3":
        credentials = resolve(run, given)
        return _fetch_object(run, path, parts.netloc, unquote(parts.path).lstrip("/"), credentials)
    if parts.scheme == "file":
        path = unquote(parts.path)
    elif parts.scheme and "://" in path:
        raise Fatal(
            f"path {path!r}: {parts.scheme} is not supported; a local path, s3, http or https is",
            kind="data",
        )
    return _local(path)


def _local(path: str) -> tuple[Path, str]:
    roots = [Path(root) for root in os.environ.get("LOCARIA_FILE_ROOTS", "").split(":") if root]
    given = Path(path)
    if not given.is_absolute():
        if not roots:
            raise Fatal(f"path {path!r} is relative: give it from the root on", kind="data")
        given = roots[0] / given
    try:
        file = given.resolve(strict=True)
        if roots and not any(file.is_relative_to(root.resolve()) for root in roots):
            raise Fatal(
                f"path {path!r} is outside of what may be read here: "
                f"{', '.join(map(str, roots))} (LOCARIA_FILE_ROOTS)",
                kind="config",
            )
        if any(file.is_relative_to(never) for never in _NEVER):
            raise Fatal(f"path {path!r} is no file of data and is not read", kind="config")
        mode = file.stat().st_mode
    except OSError as error:
        raise Fatal(unreadable(path, error), kind="data") from None
    if stat.S_ISDIR(mode) and given.name.lower().endswith(_GEODATABASE):
        return file, given.name
    if stat.S_ISDIR(mode):
        raise Fatal(f"{path} is a directory; insert one row for each file in it", kind="data")
    if not stat.S_ISREG(mode):
        raise Fatal(f"{path} is not a regular file", kind="data")
    return file, given.name


def _fetch_object(
    run: Run, path: str, bucket: str, key: str, credentials: Mapping[str, str]
) -> tuple[Path, str]:
    """An object of S3, below the run's folder for temporary files."""
    name = Path(key).name
    if not bucket or not name:
        raise Fatal(f"path {path!r}: s3://bucket/key is needed", kind="data")
    # boto3 is slow to import.
    from object_store import (  # noqa: PLC0415
        DeniedError,
        MissingError,
        StoreError,
        StoreFailedError,
        get_object,
        open_store,
    )

    target = run.temporary / "object"
    try:
        store = open_store(f"s3://{bucket}", credentials)
        size = store.size(key)
        with target.open("wb") as file:
            for piece in get_object(store, key):
                file.write(piece)
                run.count_bytes(file.tell(), size)
                run.check()
    except MissingError:
        raise Fatal(f"there is no object {path}", kind="data") from None
    except DeniedError as error:
        raise Fatal(f"{path} may not be read: {error}", kind="config") from None
    except StoreFailedError as error:
        raise Retry(f"{path} could not be read: {error}") from None
    except StoreError as error:
        raise Fatal(f"{path}: {error}", kind="config") from None
    return target, name
