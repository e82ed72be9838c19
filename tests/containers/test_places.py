"""The index of place_finder, against the plain way to find the same."""

import random
import sys

import pytest

from tests.containers.conftest import ROOT

sys.path.insert(0, str(ROOT / "containers" / "place_finder"))

from places import Place, Places, distance_km


def places(*rows: tuple[str | None, float | None, float | None]) -> Places:
    return Places((*row, {"name": row[0]}) for row in rows)


def names(found: list[Place]) -> list[str | None]:
    return [each["name"] for each in found]


def test_names_are_found_by_the_beginning_of_a_word_whatever_case_and_accents() -> None:
    index = places(
        ("Flughafen Zürich", 1, 1), ("ZURICH  Altstetten", 2, 2), ("Azur", 3, 3), (None, 4, 4)
    )
    assert names(index.find("zür", 9)) == ["ZURICH  Altstetten", "Flughafen Zürich"]
    assert names(index.find("flughafen zu", 9)) == ["Flughafen Zürich"]
    assert names(index.find("zurich alt", 9)) == ["ZURICH  Altstetten"]
    assert names(index.find("z", 1)) == ["ZURICH  Altstetten"]
    assert index.find("urich", 9) == index.find("  ", 9) == []


def test_a_place_without_coordinates_is_found_by_name_alone() -> None:
    index = places(("Here", None, None), ("There", 1.0, 2.0), ("Nowhere", 91.0, 0.0))
    assert (len(index), index.located) == (3, 1)
    assert names(index.near(0, 0, 9)) == ["There"]
    assert names(index.find("here", 9)) == ["Here"]


def test_distances_are_those_of_the_globe() -> None:
    assert distance_km(47.458, 8.548, 51.4706, -0.4619) == pytest.approx(787, abs=2)  # ZRH, LHR
    assert distance_km(0, 179.9, 0, -179.9) == pytest.approx(22.24, abs=0.01)
    assert distance_km(90, 0, 90, 77) == pytest.approx(0, abs=1e-6)
    assert distance_km(-90, 0, 90, 0) == pytest.approx(20015.1, abs=0.1)


def test_the_nearest_are_those_of_a_full_search_everywhere_on_the_globe() -> None:
    chance = random.Random(7)
    rows = [(str(n), chance.uniform(-90, 90), chance.uniform(-180, 180)) for n in range(400)]
    index = places(*rows)
    for _ in range(60):
        here = (chance.choice([-89.9, 0, 89.9, chance.uniform(-90, 90)]), chance.uniform(-180, 180))
        by_distance = sorted((distance_km(*here, lat, lon), name) for name, lat, lon in rows)
        assert names(index.near(*here, 5)) == [name for _, name in by_distance[:5]]
        within = [name for km, name in by_distance if km <= 1500]
        assert names(index.near(*here, 400, 1500)) == within
    assert len(index.near(0, 0, 1000)) == 400
