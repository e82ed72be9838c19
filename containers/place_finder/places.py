"""Places in memory: found by how their names begin, or by where they are."""

from __future__ import annotations

import bisect
import heapq
import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

_EARTH_KM = 6371.0088  # mean radius, IUGG
_KM_PER_DEGREE = math.pi * _EARTH_KM / 180
_FIRST_RADIUS_KM = 25.0
_HALF_WAY_ROUND_KM = math.pi * _EARTH_KM

Place = dict[str, Any]


class Places:
    """An index over places; it never changes, a refresh makes another one.

    Args:
        rows: (name, latitude, longitude, what to show); a place without coordinates (degrees,
            WGS 84) is found by name only, one without a name by coordinates only.
    """

    def __init__(
        self, rows: Iterable[tuple[str | None, float | None, float | None, Place]]
    ) -> None:
        self._places: list[Place] = []
        names: list[tuple[str, int]] = []
        points: list[tuple[float, float, int]] = []
        for number, (name, latitude, longitude, place) in enumerate(rows):
            self._places.append(place)
            folded = fold(name or "")
            # From every word on: "zurich" finds "Flughafen Zürich".
            names += [(folded[start:], number) for start in _word_starts(folded)]
            if latitude is not None and longitude is not None and abs(latitude) <= 90:
                points.append((latitude, longitude, number))
        names.sort()
        points.sort()
        self._names = names
        self._points = points

    def __len__(self) -> int:
        return len(self._places)

    @property
    def located(self) -> int:
        """How many have coordinates."""
        return len(self._points)

    def find(self, beginning: str, limit: int) -> list[Place]:
        """Return the places that have a word of their name beginning with this text.

        Case and accents are ignored. Places whose first word matches come first.
        """
        wanted = fold(beginning)
        if not wanted:
            return []
        first = bisect.bisect_left(self._names, (wanted, -1))
        found: dict[int, tuple[bool, str]] = {}
        for at in range(first, len(self._names)):
            text, number = self._names[at]
            if not text.startswith(wanted):
                break
            whole = fold(str(self._places[number].get("name", "")))
            found.setdefault(number, (not whole.startswith(wanted), whole))
        best = heapq.nsmallest(limit, found.items(), key=lambda item: (*item[1], item[0]))
        return [self._places[number] for number, _ in best]

    def near(
        self, latitude: float, longitude: float, limit: int, within_km: float | None = None
    ) -> list[Place]:
        """The nearest places, each with `distance_km`, at most `within_km` away."""
        most = _HALF_WAY_ROUND_KM if within_km is None else min(within_km, _HALF_WAY_ROUND_KM)
        radius = min(_FIRST_RADIUS_KM, most)
        while True:
            found = self._within(latitude, longitude, radius)
            if len(found) >= limit or radius >= most:
                break
            radius = min(radius * 3, most)
        nearest = heapq.nsmallest(limit, found)
        return [self._places[n] | {"distance_km": round(km, 3)} for km, n in nearest]

    def _within(self, latitude: float, longitude: float, km: float) -> Sequence[tuple[float, int]]:
        # No place is nearer than its difference in latitude, so only a band has to be looked at.
        degrees = km / _KM_PER_DEGREE
        first = bisect.bisect_left(self._points, (latitude - degrees, -math.inf, -1))
        last = bisect.bisect_right(self._points, (latitude + degrees, math.inf, 0))
        return [
            (distance, number)
            for lat, lon, number in self._points[first:last]
            if (distance := distance_km(latitude, longitude, lat, lon)) <= km
        ]


def fold(text: str) -> str:
    """Lower case, without accents, single spaces: how names are compared."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def distance_km(latitude: float, longitude: float, lat: float, lon: float) -> float:
    """Along a great circle (haversine formula on a sphere), in kilometres."""
    phi, other = math.radians(latitude), math.radians(lat)
    half = math.sin((other - phi) / 2) ** 2
    half += math.cos(phi) * math.cos(other) * math.sin(math.radians(lon - longitude) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


def _word_starts(text: str) -> list[int]:
    return [n for n, c in enumerate(text) if c.isalnum() and (n == 0 or not text[n - 1].isalnum())]
