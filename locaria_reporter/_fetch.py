"""Downloads with progress, resumption and a guard against addresses of the inner network."""

from __future__ import annotations

import email.utils
import http.client
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import url2pathname

from locaria_reporter._account import Account
from locaria_reporter._errors import Fatal, Retry

_CHUNK = 1 << 18
_TIMEOUT = 30.0
_REDIRECTS = 5
_LONGEST_NAME = 80
_ATTEMPTS = 5  # in a row that brought nothing
_LONGEST_WAIT = 60.0
_A_DAY = 86_400.0
# What they hold is about this process: its environment, with the database's password.
_NEVER = ("/proc", "/sys", "/dev")
_PORTS = {"http": 80, "https": 443}


def fetch(
    url: str,
    target: Path,
    account: Account,
    headers: Mapping[str, str],
    *,
    allow_private: bool | None,
    resume: bool = False,
) -> Path:
    """Download `url` to `target` (a file, or a directory in which the URL names the file)."""
    account.check()
    parts = urlsplit(url)
    if parts.scheme in ("file", ""):
        return _local(parts)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Fatal(f"cannot fetch {url!r}: http, https and file URLs only", kind="data")
    if allow_private is None:
        allow_private = os.environ.get("LOCARIA_FETCH_PRIVATE") == "1"
    if target.is_dir():
        target = target / _file_name(parts.path)
    mark = target.with_name(f"{target.name}.mark") if resume else None
    download = _Download(url, dict(headers), account, allow_private, mark)
    with target.open("ab" if resume else "wb") as file:
        download.into(file)
    if mark is not None:
        mark.unlink(missing_ok=True)
    return target


def _file_name(url_path: str) -> str:
    """A safe name for what is fetched: the last part of the URL's path."""
    name = Path(unquote(url_path)).name.replace("\0", "")[-_LONGEST_NAME:]
    return name if name.strip(".") else "download"


def _local(parts: SplitResult) -> Path:
    """A file that is here already; a URL is an application's text, so not every file is read."""
    path = Path(url2pathname(parts.path) if parts.scheme else parts.geturl())
    if not path.is_file():
        raise Fatal(f"there is no file {path}", kind="data")
    file = path.resolve()
    if any(file.is_relative_to(never) for never in _NEVER):
        raise Fatal(f"{path} is no file of data and is not read", kind="config")
    roots = [root for root in os.environ.get("LOCARIA_FILE_ROOTS", "").split(":") if root]
    if roots and not any(file.is_relative_to(Path(root).resolve()) for root in roots):
        raise Fatal(
            f"{path} is outside of what may be read here: {', '.join(roots)} (LOCARIA_FILE_ROOTS)",
            kind="config",
        )
    return path


class _PassingError(Exception):
    """The server or the line failed; another attempt may succeed, after `wait` seconds."""

    def __init__(self, words: str, wait: float = 0.0) -> None:
        super().__init__(words)
        self.wait = wait


class _Download:
    """A download over several connections, if need be.

    Args:
        mark: a file that identifies this version of the document, so that
            a later process can resume; None: none will.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        account: Account,
        allow_private: bool,
        mark: Path | None,
    ) -> None:
        self._url = url
        self._headers = headers
        self._account = account
        self._allow_private = allow_private
        self._mark = mark
        self._validator: str | None = None
        if mark is not None and mark.is_file():
            self._validator = mark.read_text(encoding="utf-8") or None

    def into(self, file: IO[bytes]) -> None:
        """All of it, behind what the file has already."""
        failures = 0
        while True:
            before = file.tell()
            try:
                self._transfer(file)
                return
            except http.client.InvalidURL as error:
                raise Fatal(f"cannot fetch {self._url!r}: {error}", kind="data") from error
            except (_PassingError, OSError, http.client.HTTPException) as error:
                failures = 1 if file.tell() > before else failures + 1
                wait = error.wait if isinstance(error, _PassingError) else 0.0
                too_long = wait > _LONGEST_WAIT
                if too_long or failures >= _ATTEMPTS:
                    words = f"could not fetch {self._url}: {error}"
                    raise Retry(words, in_=wait if too_long else None) from error
                self._sleep(max(wait, 0.2 * 2**failures))

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._account.check()
            time.sleep(min(left, 0.5))
        self._account.check()

    def _transfer(self, file: IO[bytes]) -> None:
        position = file.tell()
        headers = dict(self._headers)
        if position and self._validator:
            headers |= {"Range": f"bytes={position}-", "If-Range": self._validator}
        connection, answer = self._open(headers)
        try:
            given = answer.headers.get("Content-Range", "").removeprefix("bytes ")
            if answer.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._validator = None
                if position and given == f"*/{position}":
                    return  # All of it had come.
                raise _PassingError("the file changed while it was fetched")
            resumed = answer.status == http.client.PARTIAL_CONTENT
            if not resumed or (given and not given.startswith(f"{position}-")):
                position = 0
                file.seek(0)
                file.truncate()
            if position == 0 and resumed:
                self._validator = None
                raise _PassingError(f"the server sent {given} of the file, which was not requested")
            self._remember(answer.headers.get("ETag"), answer.headers.get("Last-Modified"))
            self._receive(answer, file, position)
        finally:
            connection.close()

    def _remember(self, tag: str | None, modified: str | None) -> None:
        # A weak tag says "much the same": not enough to join two halves (RFC 9110, 13.1.5).
        self._validator = modified if tag is None or tag.startswith("W/") else tag
        if self._mark is not None:
            self._mark.write_text(self._validator or "", encoding="utf-8")

    def _receive(self, answer: http.client.HTTPResponse, file: IO[bytes], position: int) -> None:
        progress = self._account.progress
        progress.bytes_total = None if answer.length is None else position + answer.length
        progress.bytes_done = position
        while chunk := answer.read(_CHUNK):
            self._account.check()
            file.write(chunk)
            progress.bytes_done = file.tell()
        if progress.bytes_total is not None and file.tell() < progress.bytes_total:
            raise _PassingError(f"the connection ended at byte {file.tell()}")

    def _open(
        self, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        url = self._url
        for _ in range(_REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme not in _PORTS:
                raise Fatal(f"{self._url} redirects to {parts.scheme!r}: refused", kind="data")
            connection = _connect(parts, self._allow_private)
            path = parts.path or "/"
            connection.request(
                "GET", f"{path}?{parts.query}" if parts.query else path, headers=headers
            )
            answer = connection.getresponse()
            if answer.status not in (301, 302, 303, 307, 308):
                _judge(answer, self._url)
                return connection, answer
            connection.close()
            where = urljoin(url, answer.headers.get("Location", ""))
            if urlsplit(where)[:2] != parts[:2]:
                # Keys are for the server that they were given for.
                headers = {k: v for k, v in headers.items() if k in ("Range", "If-Range")}
            url = where
        raise Fatal(f"{self._url} redirects more than {_REDIRECTS} times", kind="data")


def _judge(answer: http.client.HTTPResponse, url: str) -> None:
    if answer.status in (200, 206, http.client.REQUESTED_RANGE_NOT_SATISFIABLE):
        return
    words = f"the server answered {answer.status} {answer.reason}"
    if answer.status in (408, 425, 429) or answer.status >= 500:
        raise _PassingError(words, _seconds(answer.headers.get("Retry-After")))
    raise Fatal(f"{url}: {words}", kind="data")


def _seconds(retry_after: str | None) -> float:
    """How long a server asks to be left alone: a number of seconds, or a date."""
    given = (retry_after or "").strip()
    if given.isdecimal():
        return min(float(given), _A_DAY)
    try:
        wait = email.utils.parsedate_to_datetime(given).timestamp() - time.time()
        return min(max(0.0, wait), _A_DAY)
    except ValueError:
        return 0.0


def _check_address(host: str, address: str, allow_private: bool) -> None:
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_link_local:
        # On ECS a task's own credentials are served at a link-local address: never.
        raise Fatal(f"refused to fetch from {host}: {address} is link-local", kind="config")
    if not allow_private and not ip.is_global:
        raise Fatal(
            f"refused to fetch from {host}: {address} is not a public address "
            "(LOCARIA_FETCH_PRIVATE=1 allows it)",
            kind="config",
        )


def _connect(parts: SplitResult, allow_private: bool) -> http.client.HTTPConnection:
    """A connection to an address that was checked: the name is resolved once only."""
    host = parts.hostname or ""
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError as error:
        raise http.client.InvalidURL(str(error)) from None
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    _check_address(host, address, allow_private)
    connection: http.client.HTTPConnection
    raw = socket.create_connection((address, port), timeout=_TIMEOUT)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT)
        connection.sock = context.wrap_socket(raw, server_hostname=host)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        connection.sock = raw
    return connection
