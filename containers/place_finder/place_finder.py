"""A listener that finds places in a loaded table, by name or by position, from memory.

Parameters and commands: ../README.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from places import Place, Places
from psycopg import sql

import locaria_reporter as lr

_MOST_ROWS = 2_000_000
_MOST_ANSWERS = 1000
_ROWS_A_FETCH = 5000
_LATITUDES = ("latitude", "latitude_deg", "lat", "y")
_LONGITUDES = ("longitude", "longitude_deg", "lon", "lng", "long", "x")


class PlaceFinder:
    """One table, read into memory, and the commands on it.

    Args:
        run: of the listening file; its parameters name the table and its columns.

    Raises:
        Fatal: there is no such table or column, or it may not be read; the text says what to do.
    """

    def __init__(self, run: lr.Run) -> None:
        self._run = run
        wanted = run.parameters
        self._table = str(wanted.get("table") or run.attributes.get("table") or "")
        if not self._table:
            hint = "no place_finder listens; " if "command" in run.attributes else ""
            raise lr.Fatal(f'{hint}which table? Submit {{"table": "airports"}}', kind="data")
        self._name = str(wanted.get("name") or "name")
        self._columns = [str(column) for column in wanted.get("columns") or []]
        self._places = self._read()

    def find(self, name: str, limit: int = 10) -> list[Place]:
        """Places whose name, or a word of it, begins so; case and accents don't matter."""
        return self._places.find(name, _checked(limit))

    def near(
        self, latitude: float, longitude: float, limit: int = 10, within_km: float | None = None
    ) -> list[Place]:
        """The places nearest to a position in degrees, with their distance in kilometres."""
        if not (abs(latitude) <= 90 and abs(longitude) <= 360):
            raise lr.Fatal("latitude is from -90 to 90, longitude from -180 to 180", kind="data")
        return self._places.near(latitude, longitude, _checked(limit), within_km)

    def refresh(self) -> dict[str, Any]:
        """Reads the table again, after a load; until it is read, the old places are kept."""
        before = len(self._places)
        self._places = self._read()
        return {"places": len(self._places), "before": before}

    def _read(self) -> Places:
        try:
            places = Places(self._run.track(self._rows(), unit="places"))
        except psycopg.errors.UndefinedTable as error:
            raise lr.Fatal(f"there is no table {self._table}: load it first") from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise lr.Fatal(
                f"{self._table} may not be read here; its owner can allow it: "
                f"grant select on {self._table} to locaria_loader",
                kind="config",
            ) from error
        except psycopg.errors.InvalidTextRepresentation as error:
            raise lr.Fatal(f"coordinates that are no numbers: {error}", kind="data") from error
        self._run.log.info(
            "%s: %s places, %s with coordinates", self._table, len(places), places.located
        )
        self._run.say(f"{len(places):,} places of {self._table}")
        return places

    def _rows(self) -> Iterator[tuple[str | None, float | None, float | None, Place]]:
        connection = self._run.connection()
        table = sql.Identifier(*self._table.split(".", 1))
        with (
            connection.transaction(),
            connection.cursor("places", row_factory=psycopg.rows.tuple_row) as cursor,
        ):
            query, shown = self._query(connection, table)
            cursor.itersize = _ROWS_A_FETCH
            cursor.execute(query)
            for number, (name, latitude, longitude, *more) in enumerate(cursor, start=1):
                if number > _MOST_ROWS:
                    raise lr.Fatal(f"{self._table} has more than {_MOST_ROWS:,} rows")
                place = {"name": name, "latitude": latitude, "longitude": longitude}
                place |= dict(zip(shown, more, strict=True))
                yield name, latitude, longitude, place

    def _query(
        self, connection: psycopg.Connection[Any], table: sql.Identifier
    ) -> tuple[sql.Composed, list[str]]:
        description = connection.execute(
            sql.SQL("select * from {} limit 0").format(table)
        ).description
        there = [column.name for column in description or ()]
        given = self._run.parameters
        latitude = _choose(there, given.get("latitude"), _LATITUDES, "latitude")
        longitude = _choose(there, given.get("longitude"), _LONGITUDES, "longitude")
        missing = [name for name in (self._name, *self._columns) if name not in there]
        if missing:
            raise lr.Fatal(
                f"{self._table} has no column {', '.join(missing)}; it has: {', '.join(there)}",
                kind="data",
            )
        shown = [c for c in self._columns if c not in ("name", "latitude", "longitude")]
        query = sql.SQL("select {}::text, {}::float8, {}::float8{} from {}").format(
            sql.Identifier(self._name),
            sql.Identifier(latitude),
            sql.Identifier(longitude),
            sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(c)) for c in shown),
            table,
        )
        return query, shown


def _choose(there: list[str], given: object, usual: tuple[str, ...], what: str) -> str:
    """The column that holds a coordinate: the one that is named, or one of the usual names."""
    names = (str(given),) if given else usual
    found = next((name for name in names if name in there), None)
    if found is None:
        raise lr.Fatal(
            f"no column of the {what} ({', '.join(names)}); name it with the parameter {what}; "
            f"there are: {', '.join(there)}",
            kind="data",
        )
    return found


def _checked(limit: int) -> int:
    if not 1 <= limit <= _MOST_ANSWERS:
        raise lr.Fatal(f"limit is from 1 to {_MOST_ANSWERS}", kind="data")
    return limit


def main() -> None:
    """Listen on the files of the queue, one after another."""
    for run in lr.claims():
        with run:
            finder = PlaceFinder(run)
            run.listen({"find": finder.find, "near": finder.near, "refresh": finder.refresh})


if __name__ == "__main__":
    main()
