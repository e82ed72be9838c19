"""Where a listener begins: `listen({"find": find})`."""

from __future__ import annotations

from locaria_reporter._channel import Channel
from locaria_reporter._claim import claims
from locaria_reporter._commands import Handler
from locaria_reporter._http import Limits


def listen(
    handler: Handler,
    *,
    port: int | None = None,
    host: str | None = None,
    token: str | None = None,
    limits: Limits | None = None,
    grace: float = 20.0,
    container: str | None = None,
    channel: Channel | None = None,
) -> None:
    """Take commands until the listener's file is cancelled.

    A file of the container without the attribute `command` starts the listener; a file with it is
    a command. If a handler needs the parameters of its file, write the loop yourself:

        for run in locaria_reporter.claims():
            with run:
                places = Places(run)
                run.listen({"find": places.find})

    Args:
        handler: name → function, called with the command's parameters as keyword arguments; or one
            function that takes a Command. Its return value is the reply (JSON). `Fatal` means that
            the command is wrong (422), `Retry` that it may be repeated (503), any other exception
            500; the listener keeps running.
        port: of the HTTP server; see bind_port().
        host: the address it listens on; see bind_port().
        token: a bearer token that every HTTP request must send; LOCARIA_LISTEN_TOKEN by default.
        limits: of requests, see Limits.
        grace: seconds from SIGTERM until the process exits, even during a command.
        container: claim this container's files; LOCARIA_CONTAINER by default.
        channel: for tests: a RecordingChannel.
    """
    for run in claims(container, channel=channel):
        with run:
            run.listen(handler, port=port, host=host, token=token, limits=limits, grace=grace)
