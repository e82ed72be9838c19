"""Downloads with progress, resumption and a guard against addresses of the inner network."""

from __future__ import annotations

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

from ._account import Account
from ._errors import Fatal, Retry

_CHUNK = 1 << 18
_TIMEOUT = 30.0
_REDIRECTS = 5
_LONGEST_NAME = 80
_ATTEMPTS = 5
_PORTS = {"http": 80, "https": 443}


def fetch(
    url: str,
    target: Path,
    account: Account,
    headers: Mapping[str, str],
    allow_private: bool | None,
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
    download = _Download(url, dict(headers), account, allow_private)
    with target.open("wb") as file:
        download.into(file)
    return target


def _file_name(url_path: str) -> str:
    """A safe name for what is fetched: the last part of the URL's path."""
    name = Path(unquote(url_path)).name.replace("\0", "")[-_LONGEST_NAME:]
    return name if name.strip(".") else "download"


def _local(parts: SplitResult) -> Path:
    path = Path(url2pathname(parts.path) if parts.scheme else parts.geturl())
    if not path.is_file():
        raise Fatal(f"there is no file {path}", kind="data")
    return path


class _PassingError(Exception):
    """The server or the line failed; another attempt may succeed."""


class _Download:
    def __init__(
        self, url: str, headers: dict[str, str], account: Account, allow_private: bool
    ) -> None:
        self._url = url
        self._headers = headers
        self._account = account
        self._allow_private = allow_private
        self._validator: str | None = None

    def into(self, file: IO[bytes]) -> None:
        """All of it, over several connections if need be."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._transfer(file)
                return
            except http.client.InvalidURL as error:
                raise Fatal(f"cannot fetch {self._url!r}: {error}", kind="data") from error
            except (_PassingError, OSError, http.client.HTTPException) as error:
                self._account.check()
                if attempt == _ATTEMPTS:
                    raise Retry(f"could not fetch {self._url}: {error}") from error
                time.sleep(0.2 * 2**attempt)

    def _transfer(self, file: IO[bytes]) -> None:
        position = file.tell()
        headers = dict(self._headers)
        if position and self._validator:
            headers |= {"Range": f"bytes={position}-", "If-Range": self._validator}
        connection, answer = self._open(headers)
        try:
            if answer.status != http.client.PARTIAL_CONTENT:
                position = 0
                file.seek(0)
                file.truncate()
            self._validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
            expected = answer.length
            progress = self._account.progress
            progress.bytes_total = None if expected is None else position + expected
            progress.bytes_done = position
            while chunk := answer.read(_CHUNK):
                self._account.check()
                file.write(chunk)
                progress.bytes_done = file.tell()
            if progress.bytes_total is not None and file.tell() < progress.bytes_total:
                raise _PassingError(f"the connection ended at byte {file.tell()}")
        finally:
            connection.close()

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
    if answer.status in (200, 206):
        return
    if answer.status in (408, 425, 429) or answer.status >= 500:
        raise _PassingError(f"the server answered {answer.status} {answer.reason}")
    if answer.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise _PassingError("the file changed while it was fetched")
    raise Fatal(f"{url}: the server answered {answer.status} {answer.reason}", kind="data")


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
    port = parts.port or _PORTS[parts.scheme]
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
