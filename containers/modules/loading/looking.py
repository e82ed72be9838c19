"""How far the look at a file is, before its rows are loaded.

Some formats have to be read once or more to be understood: nothing else tells how many features a
GeoJSON holds, or which types a JSON. Libraries that do so say nothing meanwhile; but the kernel
counts what this process reads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loading.compression import beginning, compression_of
from loading.formats import ARCHIVE, CSV, JSON, SHEETS, format_of
from loading.source import look_at

_HEAD = 64 << 10
# How often a file is read before its rows are, and which share of the whole time that takes.
_LOOKS = {
    ARCHIVE: (1.0, 0.3),
    JSON: (1.0, 0.6),
    "SQLite": (1.0, 0.4),
    SHEETS: (8.0, 0.8),
    "GeoJSON": (4.0, 0.5),
    "GeoJSONSeq": (4.0, 0.45),
    "LIBKML": (3.0, 0.6),
    "GML": (1.0, 0.3),
    "GPX": (5.0, 0.5),
    "OSM": (5.0, 0.45),
}
_QUICK = (1.0, 0.02)
# Compressed text of this kind unpacks to about so many times its size.
_UNPACKED = 6
# What is read as foreseen counts up to here; the rest is for what comes on top.
_FORESEEN = 0.9


def cost_of(path: Path, name: str) -> tuple[int, float]:
    """Bytes to be read to understand a file, and the share of looking in looking and loading.

    Raises:
        Fatal: it can't be read.
    """
    if path.is_dir():
        return 1, _QUICK[1]
    size, _, head = look_at(path, name)
    compression = compression_of(head)
    if compression is None:
        times, share = _of(format_of(head, name), path)
        return round(size * times), share
    inner = format_of(beginning(path, name, compression, _HEAD), str(Path(name).with_suffix("")))
    times, share = _LOOKS.get(inner, _QUICK)
    if inner == CSV:
        return size, share
    return round(size * (1 + times * _UNPACKED)), max(share, _LOOKS[ARCHIVE][1])


def _of(kind: str, path: Path) -> tuple[float, float]:
    if kind == ARCHIVE and path.suffix.lower() in (".xlsx", ".xlsb", ".ods"):
        kind = SHEETS
    return _LOOKS.get(kind, _QUICK)


def measure(expected: int) -> Callable[[], float]:
    """Tells how far the look is, by what the process has read since now.

    Args:
        expected: bytes to be read; where it is more, the measure still rises, and ends below 1.
    """
    begin = _bytes_read()

    def fraction() -> float:
        times = (_bytes_read() - begin) / max(1, expected)
        return _FORESEEN * times if times <= 1 else 1 - (1 - _FORESEEN) / times

    return fraction


def _bytes_read() -> int:
    """By this process, from files; 0 where the system does not count them."""
    try:
        facts = Path("/proc/self/io").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(facts.split(maxsplit=2)[1])
