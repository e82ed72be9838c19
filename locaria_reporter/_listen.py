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
    """Be a listener: `listen({"find": find, "refresh": refresh})`.

    Takes the container's files: one without the attribute `command` is listened on until it is
    cancelled; one with it is a command. Where a handler needs what the file says, write the loop:

        for run in locaria_reporter.claims():
            with run:
                places = Places(run)
                run.listen({"find": places.find})

    Args:
        handler: name → function, called with the command's parameters as keyword arguments; or one
            function that takes a Command. What it returns is the reply (JSON). `Fatal` means that
            the command is wrong (422), `Retry` that it may be repeated (503), any other exception
            500; the listener goes on.
        port, host: where to listen, see bind_port().
        token: a bearer token that every HTTP request must bring; LOCARIA_LISTEN_TOKEN by default.
        limits: of requests, see Limits.
        grace: seconds from SIGTERM until the process is ended, even within a command.
        container: whose files; LOCARIA_CONTAINER by default.
        channel: for tests: a RecordingChannel.
    """
    for run in claims(container, channel=channel):
        with run:
            run.listen(handler, port=port, host=host, token=token, limits=limits, grace=grace)
