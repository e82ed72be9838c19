"""The text of a JSON document, a megabyte (or its longest value) at a time."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locaria_reporter import Fatal

_CHUNK = 1 << 20
_LONGEST = 64 << 20
_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n\x1e"


@dataclass(frozen=True)
class Broken:
    """A line that is no JSON object."""

    text: str
    reason: str


class Window:
    """A piece of the text that moves on."""

    def __init__(self, path: Path, name: str, encoding: str) -> None:
        self._file = path.open("rb")
        self._name = name
        head = self._file.read(4)
        self._file.seek(0)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._text, self._at, self.line = "", 0, 1
        self._ended = False

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def peek(self) -> str:
        """The next character that is no space; '' at the end."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in _SPACE:
                self.line += text[at] == "\n"
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._more():
                return ""

    def drop(self, count: int) -> None:
        """Go on."""
        self._at += count

    def value(self) -> Any:
        """The next JSON value.

        Raises:
            Fatal: it is none; nothing is dropped.
        """
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                line = self.line + self._text.count("\n", self._at, error.pos)
                problem = f"{self._name}, line {line:,}: {error.msg}"
                # What is broken at the very end of the window may be complete with more of it.
                cut = error.pos >= len(self._text) - 16 or error.msg.startswith("Unterminated")
                waiting = len(self._text) - self._at
                # As much again: read by the megabyte, a long value would be read again as often.
                if not cut or waiting > _LONGEST or not self._more(waiting):
                    raise Fatal(problem, kind="data") from None
                continue
            except (RecursionError, ValueError) as error:
                raise Fatal(
                    f"{self._name}, line {self.line:,}: {_why_refused(error)}", kind="data"
                ) from None
            if end == len(self._text) and self._more():
                continue  # A number may go on.
            self.line += self._text.count("\n", self._at, end)
            self._at = end
            return value

    def broken_line(self) -> Broken:
        """Drop the line that is no JSON."""
        while (end := self._text.find("\n", self._at)) < 0:
            if not self._more(len(self._text) - self._at):
                break
        end = end + 1 or len(self._text)
        text = self._text[self._at : end]
        self._at = end
        self.line += 1
        try:
            json.loads(text)
            reason = "is not understood"
        except json.JSONDecodeError as error:
            reason = f"{error.msg} at character {error.pos + 1}"
        except (RecursionError, ValueError) as error:
            reason = _why_refused(error)
        return Broken(text[:1000], f"no JSON: {reason}")

    def _more(self, wanted: int = 0) -> bool:
        if self._ended:
            return False
        data = self._file.read(max(_CHUNK, wanted))
        self._ended = not data
        try:
            text = self._decoder.decode(data, self._ended)
        except UnicodeDecodeError as error:
            offset = self._file.tell() - len(data) + error.start
            byte = error.object[error.start]
            raise Fatal(
                f"{self._name} is not {self._encoding.removesuffix('-sig')}: byte 0x{byte:02X} "
                f"at offset {offset:,}, near line {self.line:,}; "
                "say by attribute encoding what it is",
                kind="data",
            ) from None
        self._text = self._text[self._at :] + text
        self._at = 0
        return True


def _why_refused(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "a number of more than 4,300 digits"
