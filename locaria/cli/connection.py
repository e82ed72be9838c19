"""Which database the command talks to, and how.

The connection string is, in this order: --dsn, the environment variable LOCARIA_DSN, that of the
local runtime if one is running here. A password is never printed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.sql import Composed
from psycopg.types.datetime import TimestamptzLoader

from locaria.cli.errors import CommandError, ExitCode, translate
from locaria.cli.runtime.local import read_local_dsn

Row = dict[str, Any]
Query = LiteralString | Composed
FOREVER = datetime.max.replace(tzinfo=UTC)
CONNECT_TIMEOUT_S = 10
PATIENCE_S = 60.0
NO_DATABASE_HINT = (
    "Start a local one with: locaria up --detach\n"
    "      or name yours with: export LOCARIA_DSN=postgresql://user@host/database"
)


class MomentLoader(TimestamptzLoader):
    """Timestamps as Python has them; 'infinity', the run_after of a held file, as `FOREVER`."""

    def load(self, data: Any) -> datetime:
        """Parse one timestamp in text form."""
        return FOREVER if bytes(data) == b"infinity" else super().load(data)


def find_dsn(option: str | None) -> str:
    """The connection string to use.

    Parameters:
        option: what --dsn or LOCARIA_DSN said.

    Raises:
        CommandError: nothing names a database (exit code 4).
    """
    dsn = option or read_local_dsn()
    if dsn:
        return dsn
    raise CommandError(
        "no database: LOCARIA_DSN is not set and no local runtime is running",
        NO_DATABASE_HINT,
        ExitCode.UNREACHABLE,
    )


def describe(dsn: str) -> str:
    """The database in words: "database d at h:5432 as u"; no password.

    Raises:
        CommandError: the string is no libpq connection string; it is not repeated, since it may
            hold a password.
    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise _unreadable() from error
    port = str(parts.get("port") or "")
    if not port.replace(",", "").isdecimal() and port:
        raise _unreadable()  # user:password without a host: what stands there is the password
    host = str(parts.get("host") or "the local socket").rpartition("@")[2]
    words = f"database {parts.get('dbname') or parts.get('user') or 'of your login'} at {host}"
    words += f":{port}" if port else ""
    return words + (f" as {parts['user']}" if parts.get("user") else "")


def check_dsn(dsn: str, where: str) -> None:
    """See that a connection string can be read, before something shows it in an error.

    Raises:
        CommandError: it can't; `where` says which option and variable it is of.
    """
    try:
        describe(dsn)
    except CommandError as error:
        raise _unreadable(where) from error


def _unreadable(where: str = "--dsn or LOCARIA_DSN") -> CommandError:
    return CommandError(
        f"the connection string ({where}) can't be read",
        "Write postgresql://user@host:5432/database or host=… dbname=…; "
        "in a URL, write @ : / in a password as %40 %3A %2F.",
        ExitCode.UNREACHABLE,
    )


class Session:
    """One autocommit connection that survives a restart of the database while it only watches.

    Parameters:
        dsn: libpq connection string, URL or keywords.
        name: the command's name, shown in pg_stat_activity.application_name.
    """

    def __init__(self, dsn: str, name: str) -> None:
        self.dsn = dsn
        self.place = describe(dsn)
        self._name = name
        self._connection = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def rows(self, query: Query, values: Sequence[Any] | Row = ()) -> list[Row]:
        """Run a query in its own transaction and return its rows.

        Raises:
            CommandError: the database refused, or is gone.
        """
        try:
            cursor = self._connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise translate(error, self.place) from error

    def row(self, query: Query, values: Sequence[Any] | Row = ()) -> Row:
        """Run a query that returns one row."""
        return self.rows(query, values)[0]

    def watch_rows(
        self,
        query: Query,
        values: Sequence[Any] | Row = (),
        on_loss: Callable[[str], None] | None = None,
    ) -> list[Row]:
        """As rows(), but a broken connection is made anew, for a minute.

        Only for queries that change nothing.

        Parameters:
            on_loss: told once, in words, when the connection is lost.
        """
        give_up = time.monotonic() + PATIENCE_S
        told = False
        while True:
            try:
                if self._connection.closed:
                    self._connection = self._connect()
                return self.rows(query, values)
            except CommandError as error:
                if error.exit_code != ExitCode.UNREACHABLE or time.monotonic() > give_up:
                    raise
                if on_loss is not None and not told:
                    on_loss(f"{error.message}; trying again for {PATIENCE_S:.0f} s")
                    told = True
                self._connection.close()
                time.sleep(0.5)

    def _connect(self) -> psycopg.Connection[Row]:
        options: dict[str, Any] = {"application_name": f"locaria {self._name}"}
        if "connect_timeout" not in conninfo_to_dict(self.dsn):
            options["connect_timeout"] = CONNECT_TIMEOUT_S
        try:
            connection = psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row, **options)
            # The views cost little and are estimated high: compiling them would take longer.
            connection.execute("set jit = off")
        except psycopg.Error as error:
            raise CommandError(
                f"can't reach {self.place}: {_last_words(error, self.dsn)}",
                "Is it running, and are host, port and login right?",
                ExitCode.UNREACHABLE,
            ) from error
        connection.adapters.register_loader("timestamptz", MomentLoader)
        return connection


def _last_words(error: psycopg.Error, dsn: str) -> str:
    """The last line of a connection error, which says what was wrong; any password masked."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = next((x for x in lines if not x.startswith(("Multiple", "- host"))), "no answer")
    words = re.sub(r"^connection failed: |^connection to server at .*? failed: ", "", words)
    password = conninfo_to_dict(dsn).get("password")
    return words.replace(str(password), "***") if password else words
