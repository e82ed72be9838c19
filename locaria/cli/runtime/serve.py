"""`locaria serve`: the API and the dashboard for a database, without the rest of the runtime."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from locaria.cli.connection import Session, find_dsn
from locaria.cli.errors import EXIT_CODE_HELP, CommandError, ExitCode
from locaria.cli.runtime.local import read_local_dsn, state_dir
from locaria.web.sockets import DEFAULT_PORT, bind, url_of

if TYPE_CHECKING:
    from locaria.web.settings import Settings


@click.command(epilog=EXIT_CODE_HELP, short_help="Serve the API and the dashboard.")
@click.option(
    "--dsn",
    metavar="DSN",
    envvar="LOCARIA_DSN",
    help="Database to serve: libpq URL or keywords. Default: $LOCARIA_DSN, else the database of "
    "the local runtime, with the runtime's own login for its web server.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Interface to listen on. Any but loopback requires tokens or an identity provider.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 takes any free port. The default port moves to the next free one.",
)
@click.pass_context
def serve(context: click.Context, dsn: str | None, host: str, port: int) -> None:
    """Serve the API (WebSocket at /ws, HTTP at POST /api) and the dashboard for a database.

    \b
    locaria serve                    # the database of the local runtime
    locaria serve --dsn postgresql://locaria_site_web@db.example.org/locaria
    LOCARIA_WEB_TOKENS=/etc/locaria/tokens.json locaria serve --host 0.0.0.0

    The login must be a member of the roles locaria_reader, locaria_app, locaria_operator and
    locaria_web. If it is not, the command prints the missing GRANT and ends with exit code 5.

    Environment variables such as LOCARIA_WEB_TOKENS define the clients that can connect; see
    docs/websocket_api.md. Ctrl-C or SIGTERM stops the server.
    """
    from locaria.web.settings import SettingsError, read_settings  # noqa: PLC0415 - slow to import

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        settings = read_settings(_find_dsn(dsn), host, os.environ)
    except SettingsError as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from None
    _check_login(settings.dsn)
    is_default_port = context.get_parameter_source("port") is ParameterSource.DEFAULT
    _listen(settings, port, next_free=is_default_port)


def _find_dsn(option: str | None) -> str:
    """Return the DSN to serve: the one given, else that of the local runtime's web login."""
    if option is None and read_local_dsn() is not None:
        from locaria.local.site import read_web_dsn  # noqa: PLC0415 - slow to import

        option = read_web_dsn(state_dir())
    return find_dsn(option)


def _check_login(dsn: str) -> None:
    """Check that the login of the server can take the roles of its clients.

    Raises:
        CommandError: The database can't be reached, or a GRANT is missing.
    """
    from locaria.web.login import MISSING_GRANT, ROLES  # noqa: PLC0415 - slow to import

    with Session(dsn, "serve") as session:
        found = session.row(MISSING_GRANT, [list(ROLES)])
    if found["absent"]:
        raise CommandError(
            f"Locaria is not installed in {session.place}: there is no role {found['absent'][0]}",
            "As the owner of Locaria, run: locaria db upgrade",
        )
    if found["missing"]:
        hint = f"A superuser, or the owner of Locaria, runs in psql: {found['grant']};"
        if dsn == read_local_dsn():
            hint += "\n      Or unset LOCARIA_DSN, to serve with the runtime's own web login."
        raise CommandError(
            f"the login {found['login']} can't take the roles {', '.join(found['missing'])}, "
            f"which the API needs ({session.place})",
            hint,
        )


def _listen(settings: Settings, port: int, *, next_free: bool) -> None:
    """Serve until a signal arrives.

    Raises:
        CommandError: The port can't be bound.
    """
    from locaria.web.serve import serve as run  # noqa: PLC0415 - slow to import

    try:
        listening = bind(settings.host, port, next_free=next_free)
    except OSError as error:
        raise CommandError(f"can't listen on {settings.host}:{port}: {error}") from None
    click.echo(f"Locaria serves {url_of(listening)} and {url_of(listening, 'ws')}/ws")
    asyncio.run(run(settings, listening))
