"""Which database the command talks to, and how.

The connection string is, in this order: --dsn, the environment variable LOCARIA_DSN, that of the
local runtime if one is running here. A password is never printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import Composed
from psycopg.types.datetime import TimestamptzLoader

from locaria.cli.errors import CommandError, ExitCode, translate
from locaria.cli.runtime.local import read_local_dsn
from locaria_reporter.session import Session as ReconnectingSession
from locaria_reporter.session import SessionFailure, connector

Row = dict[str, Any]
Query = LiteralString | Composed
FOREVER = datetime.max.replace(tzinfo=UTC)
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

    Args:
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
    """An autocommit connection that raises CommandError, and that can wait for its database.

    Args:
        dsn: libpq connection string, URL or keywords.
        name: the command's name, shown in pg_stat_activity.application_name.
    """

    def __init__(self, dsn: str, name: str) -> None:
        self.dsn = dsn
        self.place = describe(dsn)
        self._connect = connector(dsn)
        self._session = ReconnectingSession(
            self._open,
            # The views cost little and are estimated high: compiling them would take longer.
            settings={"application_name": f"locaria {name}", "jit": "off"},
            patience=0,
            longest_pause=0.5,
            translate=self._translate,
        )
        self._session.attempt(lambda _: None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def rows(self, query: Query, values: Sequence[Any] | Row = ()) -> list[Row]:
        """Run a query in its own transaction and return its rows.

        Raises:
            CommandError: the database refused, or can't be reached.
        """
        return self._session.attempt(_fetch(query, values))

    def row(self, query: Query, values: Sequence[Any] | Row = ()) -> Row:
        """Run a query that returns one row."""
        return self.rows(query, values)[0]

    def watch_rows(
        self,
        query: Query,
        values: Sequence[Any] | Row = (),
        on_loss: Callable[[str], None] | None = None,
    ) -> list[Row]:
        """Run a query that changes nothing; repeat it for a minute if the connection breaks.

        Args:
            query: run again after each reconnection.
            values: of the query's parameters.
            on_loss: called once, with a message, when the connection is lost.
        """

        def report(error: BaseException) -> None:
            if on_loss is not None:
                on_loss(f"{error}; trying again for {PATIENCE_S:.0f} s")

        return self._session.attempt(_fetch(query, values), patience=PATIENCE_S, on_loss=report)

    def _open(self) -> psycopg.Connection[Row]:
        connection = self._connect()
        connection.adapters.register_loader("timestamptz", MomentLoader)
        return connection

    def _translate(self, failure: SessionFailure) -> CommandError:
        if failure.connected:
            error = translate(failure.error, self.place)
        else:
            error = CommandError(
                f"can't reach {self.place}: {_last_words(failure.error, self.dsn)}",
                "Is it running, and are host, port and login right?",
                ExitCode.UNREACHABLE,
            )
        error.__cause__ = failure.error
        return error


def _fetch(
    query: Query, values: Sequence[Any] | Row
) -> Callable[[psycopg.Connection[Row]], list[Row]]:
    def fetch(connection: psycopg.Connection[Row]) -> list[Row]:
        cursor = connection.execute(query, values or None)
        return cursor.fetchall() if cursor.description else []

    return fetch


def _last_words(error: psycopg.Error, dsn: str) -> str:
    """The last line of a connection error, which says what was wrong; any password masked."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = next((x for x in lines if not x.startswith(("Multiple", "- host"))), "no answer")
    words = re.sub(r"^connection failed: |^connection to server at .*? failed: ", "", words)
    password = conninfo_to_dict(dsn).get("password")
    return words.replace(str(password), "***") if password else words
