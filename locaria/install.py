"""Install and upgrade Locaria in a database, and register its containers."""

import io
import json
from pathlib import Path
from typing import Any, TextIO

import psycopg
from alembic.config import Config
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from alembic import command
from locaria.resources import ALEMBIC_INI, DOCKERS_JSON


def connect_engine(dsn: str) -> Engine:
    """Return alembic's engine for a libpq connection string of either form."""
    return create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool
    )


def alembic_config(dsn: str | None = None, output: TextIO | None = None) -> Config:
    """Return the configuration of alembic/, for one database."""
    config = Config(str(ALEMBIC_INI))
    if output is not None:
        config.output_buffer = output
    config.attributes["dsn"] = dsn
    return config


def install(dsn: str) -> None:
    """Bring a database up to date: `alembic upgrade head`. Twice is fine.

    Parameters:
        dsn: libpq connection string of the owner. It needs CREATE on the database, and CREATEROLE
            unless the group roles exist; it need not be a superuser.
    """
    command.upgrade(alembic_config(dsn), "head")


def plain_sql() -> str:
    """Return all that an installation does as one SQL script, for a DBA who runs no alembic."""
    buffer = io.StringIO()
    command.upgrade(alembic_config(output=buffer), "head", sql=True)
    return buffer.getvalue()


def read_dockers(path: Path = DOCKERS_JSON) -> dict[str, dict[str, Any]]:
    """Return the containers of a dockers.json, by name.

    Raises:
        ValueError: the file is not a JSON object of objects; the message says where.
    """
    try:
        dockers = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    except KeyError as error:
        raise ValueError(f"{path}: {error.args[0]} stands there twice") from error
    if not isinstance(dockers, dict):
        raise ValueError(f"{path}: must be an object of containers by name")
    for name, entry in dockers.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{path}: {name}: must be an object")
    return dockers


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of which no key stands twice: the first would be lost without a word."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise KeyError(key)
        found[key] = value
    return found


def register_containers(
    connection: psycopg.Connection[Any], path: Path = DOCKERS_JSON
) -> list[str]:
    """Register the containers of a dockers.json, or bring them up to date; returns their names.

    What lies in `<name>/scripts/*.sql` beside it is registered with them.

    Raises:
        ValueError: dockers.json, or a script, can't be read; the message says where.
    """
    dockers = container_entries(path)
    with connection.transaction():
        for name, entry in dockers.items():
            connection.execute(
                "select locaria.register_container(%s, %s::jsonb)", (name, json.dumps(entry))
            )
    return list(dockers)


def container_entries(path: Path = DOCKERS_JSON) -> dict[str, dict[str, Any]]:
    """What is registered of each container: its entry, and its scripts. Raises as read_dockers."""
    return {
        name: {**entry, **_scripts(path.parent / name)}
        for name, entry in read_dockers(path).items()
    }


def _scripts(folder: Path) -> dict[str, dict[str, str]]:
    """What a container ships for preSQL and postSQL; nothing is said of one without its folder."""
    if not folder.is_dir():
        return {}
    found = {}
    for file in sorted((folder / "scripts").glob("*.sql")):
        try:
            found[file.name] = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{file}: not UTF-8: {error}") from error
    return {"scripts": found}
