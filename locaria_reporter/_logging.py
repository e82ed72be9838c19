"""A loader logs with the standard library; what it says from INFO up is kept with its run."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType

from locaria_reporter._account import Account
from locaria_reporter._masking import Masker

LOADER_LOGGER = "locaria.loader"
_LONGEST = 8_000
_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))


def clip(text: str, limit: int = _LONGEST) -> str:
    """`text`, at most `limit` characters, with a mark where something is missing."""
    if len(text) <= limit:
        return text
    return f"{text[: limit - 40]} … [{len(text) - limit + 40} characters more]"


def level_name(number: int) -> str:
    """debug, info, warning or error: the levels that the database knows."""
    return next((name for floor, name in _LEVELS if number >= floor), "debug")


class RunHandler(logging.Handler):
    """On the root logger: puts records into the account of the run that is under way."""

    def __init__(self, masker: Masker) -> None:
        super().__init__(logging.INFO)
        self.account: Account | None = None
        self._masker = masker
        self._busy = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        account = self.account
        if account is None or account.stop == "closed" or getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            text = record.getMessage()
            if record.exc_info and record.exc_info[1] is not None:
                text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
            account.add_message(
                {
                    "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
                    "level": level_name(record.levelno),
                    "stage": account.progress.stage,
                    "message": clip(self._masker.text(text)),
                }
            )
        except Exception:  # noqa: BLE001 - logging must not end a load; stdlib reports it
            self.handleError(record)
        finally:
            self._busy.now = False


class MaskingFormatter(logging.Formatter):
    """For the process's own stderr, which ends in a log store, too."""

    def __init__(self, masker: Masker) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._masker = masker

    def format(self, record: logging.LogRecord) -> str:
        return self._masker.text(super().format(record))


class Logs:
    """Sets up logging for the life of a task, and puts everything back afterwards."""

    def __init__(self, masker: Masker) -> None:
        self.handler = RunHandler(masker)
        self._masker = masker
        self._console: logging.Handler | None = None
        self._root_level = logging.WARNING
        self._excepthook = sys.excepthook

    def install(self) -> None:
        """Attach to the root logger at INFO; where nobody prints messages, print them, masked."""
        root = logging.getLogger()
        self._root_level = root.level
        if root.level > logging.INFO or root.level == logging.NOTSET:
            root.setLevel(logging.INFO)
        if not root.handlers:
            self._console = logging.StreamHandler()
            self._console.setFormatter(MaskingFormatter(self._masker))
            root.addHandler(self._console)
        root.addHandler(self.handler)
        sys.excepthook = self._print_masked

    def restore(self) -> None:
        """Detach; twice is fine. Uncaught exceptions stay masked until the process ends."""
        root = logging.getLogger()
        root.removeHandler(self.handler)
        if self._console is not None:
            root.removeHandler(self._console)
            self._console = None
        root.setLevel(self._root_level)

    def _print_masked(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(self._masker.text(text))
