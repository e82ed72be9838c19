"""GDAL's text progress: `0...10...20...30... … 100 - done.`, a point for each 2.5 %."""

from __future__ import annotations

import re

_POINT = 2.5
_TOKEN = re.compile(r"\d+|\.")


class GdalProgress:
    """Fed with output as it comes, in pieces of any size; `percent` is how far it is (or -1)."""

    def __init__(self) -> None:
        self.percent = -1.0
        self._line = ""

    def feed(self, text: str) -> str:
        """Take output; the part of it that is no progress."""
        rest: list[str] = []
        for piece in re.split(r"(?<=[\r\n])", text):
            self._line += piece
            done = self._line.rstrip("\r\n")
            if self._is_progress(done):
                self._read(done)
                if self._line != done:
                    self._line = ""
            elif self._line != done or len(self._line) > 1000:
                rest.append(self._line)
                self._line = ""
        return "".join(rest)

    @staticmethod
    def _is_progress(line: str) -> bool:
        return re.fullmatch(r"0[\d.]*( - (d(o(n(e\.?)?)?)?)?)?", line) is not None

    def _read(self, line: str) -> None:
        percent = 0.0
        for word in _TOKEN.findall(line.removesuffix(" - done.")):
            percent = percent + _POINT if word == "." else float(word)
        if percent <= 100:
            self.percent = max(self.percent, percent)
