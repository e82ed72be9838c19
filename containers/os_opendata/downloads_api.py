"""The OS Downloads API: which version of a product there is, and where its archive lies.

GET {api}/products/{product} tells the version, GET {api}/products/{product}/downloads?area=&format=
lists the archives with `fileName`, a `url` that redirects to the file and, mostly, `md5` and
`size`. OpenData needs no key. Described at https://docs.os.uk/os-apis/accessing-os-apis/os-downloads-api.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from locaria_reporter import Fatal, Retry, Run

API = "https://api.os.uk/downloads/v1"
_MOST_JSON = 5 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Archive:
    """A file of one version of a product.

    Attributes:
        version: like '2024-04'.
        md5: in lower-case hex, as the API says; None when it does not.
        size: bytes, likewise.
    """

    product: str
    version: str
    file_name: str
    url: str
    md5: str | None
    size: int | None

    @property
    def stored_as(self) -> str:
        """A file's name that no other archive has."""
        parts = (self.product, self.version, self.md5 or self.size or "", self.file_name)
        return re.sub(r"[^A-Za-z0-9.-]", "_", "-".join(map(str, parts)))[-200:]


class DownloadsApi:
    """The API, asked through a run: with its guards, its progress, its cancel.

    Args:
        run: the run.
        key: an API key, for products that need one; sent to the API alone.
    """

    def __init__(self, run: Run, key: str | None = None) -> None:
        self._run = run
        self._url = os.environ.get("LOCARIA_OS_DOWNLOADS_URL", API).rstrip("/")
        self._headers = {"key": key} if key else {}

    def find(self, product: str, format_: str, area: str) -> Archive:
        """The newest archive of a product in one format.

        Raises:
            Fatal: the API knows no such thing.
            Retry: it did not answer, or not as it should.
        """
        about = self._ask(f"products/{quote(product)}")
        wanted = urlencode({"area": area, "format": format_})
        listed = self._ask(f"products/{quote(product)}/downloads?{wanted}")
        if not isinstance(listed, list) or not isinstance(about, dict):
            raise Retry(f"the OS Downloads API's answer about {product} has another form")
        found = [_archive(product, about, each) for each in listed if _matches(each, format_, area)]
        if not found:
            raise Fatal(
                f"{product} has no download in the format {format_} for the area {area}",
                kind="data",
            )
        if len(found) > 1:
            names = ", ".join(archive.file_name for archive in found)
            raise Fatal(f"{product} has several downloads in {format_}: {names}", kind="data")
        return found[0]

    def fetch(self, archive: Archive, target: Path) -> None:
        """Download an archive behind what the target has of it, and check it.

        Raises:
            Retry: what came is not what the API announced; nothing of it stays.
        """
        if archive.md5 and target.is_file() and self._problem(archive, target) is None:
            self._run.log.info("%s is here from an earlier attempt", archive.file_name)
            return
        self._run.fetch(archive.url, target, headers=self._own_headers(archive.url), resume=True)
        problem = self._problem(archive, target)
        if problem is not None:
            target.unlink()
            raise Retry(problem)

    def _problem(self, archive: Archive, target: Path) -> str | None:
        size = target.stat().st_size
        if archive.size not in (None, size):
            announced = f"the API announced {archive.size:,}"
            return f"{archive.file_name} has {size:,} bytes, {announced}"
        digest = hashlib.md5(usedforsecurity=False)
        with target.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                self._run.check()
        if archive.md5 not in (None, digest.hexdigest()):
            return f"{archive.file_name} does not have the MD5 that the API announced"
        return None

    def _own_headers(self, url: str) -> dict[str, str]:
        return self._headers if urlsplit(url)[:2] == urlsplit(self._url)[:2] else {}

    def _ask(self, path: str) -> Any:
        target = self._run.temporary / "answer.json"
        self._run.fetch(f"{self._url}/{path}", target, headers=self._headers)
        if target.stat().st_size > _MOST_JSON:
            raise Retry(f"the OS Downloads API answered with more than {_MOST_JSON:,} bytes")
        try:
            return json.loads(target.read_bytes())
        except ValueError:
            raise Retry(f"the OS Downloads API did not answer {path} with JSON") from None


def _matches(listed: Any, format_: str, area: str) -> bool:
    return (
        isinstance(listed, Mapping)
        and listed.get("format") == format_
        and listed.get("area") == area
        and not listed.get("subformat")
    )


def _archive(product: str, about: Mapping[str, Any], listed: Mapping[str, Any]) -> Archive:
    if urlsplit(str(listed.get("url"))).scheme not in ("http", "https"):
        raise Retry(f"the OS Downloads API names no http(s) address for {product}")
    try:
        return Archive(
            product,
            str(about["version"]),
            str(listed["fileName"]),
            str(listed["url"]),
            str(listed["md5"]).lower() if listed.get("md5") else None,
            int(listed["size"]) if listed.get("size") else None,
        )
    except KeyError as error:
        raise Retry(f"the OS Downloads API's answer about {product} lacks {error}") from None
    except (TypeError, ValueError):
        raise Retry(
            f"the OS Downloads API says that {product} has {listed['size']!r} bytes"
        ) from None
