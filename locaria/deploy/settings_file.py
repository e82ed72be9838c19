"""`locaria.toml` on disk: read as a whole, written stage by stage, all of it or nothing."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from locaria.deploy.errors import BadInput
from locaria.deploy.settings import Settings, make_settings

FILE = Path("locaria.toml")
HEADER = "The stages of Locaria. No secrets here: see docs/aws.md."


def read_stages(path: Path = FILE) -> dict[str, dict[str, Any]]:
    """All stages of a locaria.toml as they stand there; empty without a file.

    Raises:
        BadInput: the file can't be read, or holds something else than stages.
    """
    stages = _parse(path).unwrap().get("stages", {})
    if not isinstance(stages, dict):
        raise BadInput(f"{path}: stages must be tables: [stages.test]")
    for name, stage in stages.items():
        if not isinstance(stage, dict):
            raise BadInput(f"{path}: stages.{name} must be a table: [stages.{name}]")
    return dict(stages)


def load_settings(stage: str, path: Path = FILE, **changes: Any) -> Settings:
    """One stage, checked.

    Parameters:
        changes: what the command line says instead; None for what it does not say.

    Raises:
        BadInput: there is no such stage, or its settings are wrong; every fault is named.
    """
    stages = read_stages(path)
    if stage not in stages:
        known = ", ".join(sorted(stages)) or "none"
        raise BadInput(
            f'there is no stage "{stage}" in {path} (known: {known})',
            f"Make it with: locaria configure --stage {stage}",
        )
    given = stages[stage] | {name: value for name, value in changes.items() if value is not None}
    return make_settings(stage, given, str(path))


def save_settings(settings: Settings, path: Path = FILE) -> None:
    """Write one stage into a locaria.toml; other stages and people's comments stay.

    Whoever reads meanwhile sees the old file or the new one; who writes at the same time waits.

    Raises:
        BadInput: the file that is there can't be read, or the folder can't be written to.
    """
    target = path.resolve()
    try:
        with _alone_in(target.parent):
            document = _parse(path)
            _put(document, settings)
            _replace(target, tomlkit.dumps(document))
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}") from error


def _parse(path: Path) -> tomlkit.TOMLDocument:
    if not path.exists():
        return tomlkit.document()
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
    except (TOMLKitError, OSError, ValueError) as error:
        raise BadInput(f"{path} can't be read: {error}") from error
    others = sorted(document.keys() - {"stages"})
    if others:
        raise BadInput(f"{path}: {', '.join(others)}: only [stages.<name>] belongs here")
    return document


def _put(document: tomlkit.TOMLDocument, settings: Settings) -> None:
    if not document:
        document.add(tomlkit.comment(HEADER))
    stages = document.setdefault("stages", tomlkit.table(is_super_table=True))
    table = stages.setdefault(settings.name, tomlkit.table())
    defaults = {
        each.name: each.default_factory() if each.default_factory is not MISSING else each.default
        for each in fields(settings)
    }
    for name, value in asdict(settings).items():
        if name == "name":
            continue
        if name in table and table[name] == value:
            continue  # as it is: with its comment, even where it is the default
        if value == defaults[name]:
            table.pop(name, None)
        else:
            table[name] = value


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One writer at a time; the lock is the folder's own, so that no file is left of it."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _replace(target: Path, text: str) -> None:
    """Put a file in place of another, with its permissions, in one step."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(handle, target.stat().st_mode & 0o7777 if target.exists() else _usual_mode())
            os.fsync(handle)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise


def _usual_mode() -> int:
    """The permissions that this process gives to a new file."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
