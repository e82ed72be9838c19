"""`locaria serve`: the API and the dashboard over a database, without the rest of the runtime."""

from __future__ import annotations

import asyncio
import logging
import os

import click

from locaria.cli.connection import find_dsn
from locaria.cli.errors import CommandError, ExitCode
from locaria.cli.options import dsn_option
from locaria.web.sockets import DEFAULT_PORT, bind, url_of


@click.command(short_help="Serve the API and the dashboard.")
@dsn_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Interface to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="0: any free one.",
)
def serve(dsn: str | None, host: str, port: int) -> None:
    """Serve the API (WebSocket at /ws, POST /api) and the dashboard for a database.

    \b
    locaria serve --dsn postgresql://locaria_web@db.example.org/locaria
    LOCARIA_WEB_TOKENS=/etc/locaria/tokens.json locaria serve --host 0.0.0.0

    The login needs the roles locaria_reader, locaria_app, locaria_operator and locaria_web. Any
    interface but loopback needs identity, by variables: see docs/websocket_api.md.
    """
    from locaria.web.serve import serve as run  # noqa: PLC0415 - slow to import, for this alone
    from locaria.web.settings import SettingsError, read_settings  # noqa: PLC0415 - as above

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        settings = read_settings(find_dsn(dsn), host, os.environ)
        listening = bind(host, port)
        click.echo(f"Locaria serves {url_of(listening)} and {url_of(listening, 'ws')}/ws")
        asyncio.run(run(settings, listening))
    except SettingsError as error:
        raise CommandError(str(error), code=ExitCode.USAGE) from None
    except OSError as error:
        raise CommandError(f"can't listen on {host}:{port}: {error}") from None
