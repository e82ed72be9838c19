"""Secrets never leave the process: masked by value (everything that it holds) and by pattern."""

from __future__ import annotations

import json
import math
import numbers
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

MASK = "****"
_SHORTEST_SECRET = 4
_SHORTEST_LINE = 8

_SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|PRIVATE_?KEY|API_?KEY|ACCESS_?KEY)", re.IGNORECASE
)
_NOT_SECRET_NAME = re.compile(r"(_FILE|_PATH|_URI|_URL|_ARN|_NAME|_ID)$", re.IGNORECASE)

# Each pattern keeps what makes the text readable (group 1) and hides the rest.
_PATTERNS: tuple[re.Pattern[str], ...] = (
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(?=@)", re.IGNORECASE),
    re.compile(
        r"(\b(?:password|passwd|pgpassword|passfile|secret|token|api_?key|"
        r"aws_secret_access_key|aws_session_token)\s*[=:]\s*)"
        r"(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,;&'\"]+)",
        re.IGNORECASE,
    ),
    re.compile(r"(\"(?:password|secret|token|api_?key)\"\s*:\s*)\"(?:[^\"\\]|\\.)*\"", re.I),
    re.compile(r"\b((?:AKIA|ASIA))[A-Z0-9]{16}\b"),
    re.compile(
        r"(\bX-Amz-(?:Signature|Credential|Security-Token)=)[^\s&'\"]+",
        re.IGNORECASE,
    ),
    re.compile(r"(\bAuthorization\s*:\s*\w+\s+)\S+", re.IGNORECASE),
    re.compile(r"(\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}"),
)


def secrets_of_dsn(dsn: str | None) -> set[str]:
    """The password in a libpq URL or keyword string, as written and as decoded."""
    if not dsn:
        return set()
    found = set(re.findall(r"://[^\s:/@]*:([^\s@]+)@", dsn))
    found |= set(re.findall(r"password\s*=\s*'((?:[^'\\]|\\.)*)'", dsn))
    found |= set(re.findall(r"password\s*=\s*([^\s'&]+)", dsn))
    return {text for word in found for text in (word, unquote(word), word.replace("\\", ""))}


def secrets_of_environment(environment: Mapping[str, str]) -> set[str]:
    """Values of variables whose name says that they are secret, and passwords in DSNs and URLs."""
    found: set[str] = set()
    for name, value in environment.items():
        if _SECRET_NAME.search(name) and not _NOT_SECRET_NAME.search(name):
            found.add(value)
        if "://" in value or "password" in value:
            found |= secrets_of_dsn(value)
    return found


class Link(str):
    """A text in a result, or a checkpoint, that is kept although it looks like a secret.

    A presigned link, for instance: whoever may read the run may use it; give it a short life.
    """

    __slots__ = ()


class Masker:
    """Removes secrets from text before it is stored or printed.

    Args:
        dsn: a connection string whose password must never be seen.
        environment: where other secrets are looked for; os.environ by default.
        more: further secret values.
    """

    def __init__(
        self,
        dsn: str | None = None,
        environment: Mapping[str, str] | None = None,
        more: Iterable[str] = (),
    ) -> None:
        self._known = secrets_of_dsn(dsn)
        self._known |= secrets_of_environment(os.environ if environment is None else environment)
        self._values: re.Pattern[str] | None = None
        self.add(more)

    def add(self, values: Iterable[str]) -> None:
        """Mask these, too, from now on; of one with many lines (a key) each line as well."""
        more = {line for value in values for line in (value, *_lines(value))} - self._known
        if not more and self._values is not None:
            return
        self._known |= more
        forms = {
            form
            for value in self._known
            if len(value) >= _SHORTEST_SECRET
            for form in (
                value,
                quote(value),
                quote(value, safe=""),
                quote_plus(value),
                json.dumps(value)[1:-1],
                json.dumps(value, ensure_ascii=False)[1:-1],
                repr(value)[1:-1],
            )
        }
        # Longest first: a secret may contain another one.
        ordered = sorted(forms, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, words: object) -> str:
        """`words` as text without secrets, surrogates and NUL (Postgres has no text with it)."""
        text = str(words)
        if self._values is not None:
            text = self._values.sub(MASK, text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1{MASK}", text)
        if "\x00" in text:
            text = text.replace("\x00", "\ufffd")
        return text.encode("utf-8", "replace").decode("utf-8")

    def value(self, value: Any) -> Any:
        """Any value as JSON has it, without secrets: what JSON doesn't know becomes text.

        NaN and the infinities, which JSON has no word for, become null.
        """
        if value is None or isinstance(value, bool | numbers.Real):
            return _number(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(item) for item in value]
        if isinstance(value, bytes | bytearray):
            value = value.decode("utf-8", "replace")
        return str(value) if isinstance(value, Link) else self.text(value)


def _number(value: Any) -> Any:
    """A number as JSON has it; also those of other libraries."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _lines(value: str) -> list[str]:
    lines = value.splitlines()
    return [each for each in lines if len(each) >= _SHORTEST_LINE] if len(lines) > 1 else []
