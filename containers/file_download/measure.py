"""What must be known of a table's values before a file with types can be begun: one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql
from relation import SPATIAL, Column, Relation, wkb_columns
from snapshot import Snapshot

from locaria_reporter import Fatal


@dataclass(frozen=True)
class Digits:
    """Of a column of numbers: digits before and behind the point; None: not all are finite."""

    before: int
    behind: int

    @property
    def precision(self) -> int:
        """How many digits the largest and the finest value take together."""
        return max(1, self.before + self.behind)


@dataclass(frozen=True)
class Shape:
    """Of the geometry column.

    Attributes:
        kinds: as OGC names them, 'Point', 'MultiPolygon Z', …
        crs: 'EPSG:27700' or WKT; None: unknown.
        wkb: whether it is a column of bytes instead of PostGIS's type.
    """

    column: Column
    kinds: frozenset[str]
    crs: str | None
    wkb: bool = False


@dataclass(frozen=True)
class Measures:
    """Of one table.

    Attributes:
        numbers: by column; None where a value is NaN or infinite.
        fine: columns of times with parts of milliseconds.
        longest: bytes of the longest text, by column.
        shape: of the geometry column, if there is one.
    """

    numbers: Mapping[str, Digits | None]
    fine: frozenset[str]
    longest: Mapping[str, int]
    shape: Shape | None


FLOATS = ("real", "double precision")
TIMES = (
    "time without time zone",
    "timestamp without time zone",
    "timestamp with time zone",
)
_NUMBERS = ("numeric", "bigint", *FLOATS)


def measure(
    snapshot: Snapshot, relation: Relation, *, exactly: bool = False, texts: bool = False
) -> Measures:
    """Look at all values of numeric columns and of the geometry.

    Args:
        snapshot: to look into.
        relation: the table.
        exactly: look at every kind of number and time: for formats that can't hold all of them.
        texts: look at the length of texts, too.
    """
    kinds = (_NUMBERS, TIMES) if exactly else (("numeric",), ())
    numbers, times = ([c for c in relation.columns if c.plain in kind] for kind in kinds)
    text = [c for c in relation.columns if texts]
    asked: list[sql.Composable] = [sql.SQL("count(*)")]
    asked += [_DIGITS.format(_as_numeric(c)) for c in numbers]
    asked += [_FINE.format(c.identifier) for c in times]
    asked += [_LENGTH.format(c.identifier) for c in text]
    row = iter(
        snapshot.execute(
            sql.SQL("select {} from {}").format(sql.SQL(", ").join(asked), relation.rows())
        )[0][1:]
    )
    return Measures(
        {column.name: _digits(next(row)) for column in numbers},
        frozenset(column.name for column in times if next(row)),
        {column.name: next(row) or 0 for column in text},
        _shape(snapshot, relation),
    )


def _digits(found: list[int | None]) -> Digits | None:
    return None if found[2] else Digits(found[0] or 0, found[1] or 0)


def _as_numeric(column: Column) -> sql.Composable:
    """A number with all its digits: the cast of a float would keep 15 of them."""
    if column.plain not in FLOATS:
        return sql.SQL("cast({} as numeric)").format(column.identifier)
    return sql.SQL("cast(cast({} as text) as numeric)").format(column.identifier)


_DIGITS = sql.SQL(
    "(select array[max(length(ltrim(split_part(cast(abs({0}) as text), '.', 1), '0'))),"
    " max(scale({0})),"
    " max(case when cast({0} as text) in ('NaN', 'Infinity', '-Infinity') then 1 end)])"
)
_FINE = sql.SQL("bool_or(mod(cast(extract(microseconds from {0}) as numeric), 1000) <> 0)")
_LENGTH = sql.SQL("max(octet_length(cast({} as text)))")


def _shape(snapshot: Snapshot, relation: Relation) -> Shape | None:
    column = spatial_column(relation)
    if column is None:
        return None
    if column.plain == "bytea":
        return _wkb_shape(snapshot, relation, column)
    assert relation.postgis is not None, "there is no such type without PostGIS"
    geometry = relation.geometry_of(column)
    call = sql.SQL(
        "select distinct {0}.st_geometrytype({1}), {0}.st_zmflag({1}), {0}.st_srid({1})"
        " from {2} {3} {1} is not null"
    ).format(
        sql.Identifier(relation.postgis),
        geometry,
        relation.rows(),
        sql.SQL("and" if relation.request.filter and relation.request.limit is None else "where"),
    )
    rows = snapshot.execute(call)
    srids = {srid for _, _, srid in rows} or _declared(column)
    if len(srids) > 1:
        raise Fatal(
            f'column "{column.name}" of {relation.label} mixes the reference systems '
            f"{', '.join(map(str, sorted(srids)))}: a file has one; filter, or transform it in a "
            "view",
            kind="data",
        )
    kinds = frozenset(kind.removeprefix("ST_") + _SUFFIX[flag] for kind, flag, _ in rows)
    return Shape(column, kinds, _crs(snapshot, relation.postgis, next(iter(srids), 0)))


_SUFFIX = {0: "", 1: " M", 2: " Z", 3: " ZM"}


def spatial_column(relation: Relation) -> Column | None:
    """The geometry column: the one asked for, or the first of PostGIS's types, or of WKB."""
    wanted = relation.request.geometry
    if wanted is not None:
        column = relation.find(wanted, "geometry")
        if column.plain not in (*SPATIAL, "bytea"):
            raise Fatal(f"attribute geometry: {wanted} is of type {column.type}", kind="data")
        return column if column in relation.columns else None
    for column in relation.columns:
        if column.plain in SPATIAL and relation.postgis is not None:
            return column
    wkb = wkb_columns(relation.readable)
    return next((column for column in relation.columns if column.name in wkb), None)


def _wkb_shape(snapshot: Snapshot, relation: Relation, column: Column) -> Shape:
    """Of a column of WKB: its kinds from the headers (ISO's numbers or PostGIS's flags)."""
    header = sql.SQL("substring({} for 9)").format(column.identifier)
    rows = snapshot.execute(sql.SQL("select distinct {} from {}").format(header, relation.rows()))
    kinds, srids = set(), set()
    for (head,) in rows:
        if head is None:
            continue
        kind, srid = read_wkb_header(bytes(head), column.name)
        kinds.add(kind)
        srids.add(srid)
    srids.discard(0)
    if len(srids) > 1:
        raise Fatal(f'column "{column.name}" mixes the reference systems {srids}', kind="data")
    known = [*srids, relation.srid]
    crs = relation.request.srs or (f"EPSG:{known[0]}" if known[0] else None)
    return Shape(column, frozenset(kinds), crs, wkb=True)


_KINDS = (
    "Geometry",
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
)


def read_wkb_header(head: bytes, name: str) -> tuple[str, int]:
    """The kind of a WKB geometry and its SRID (0: none is given).

    Raises:
        Fatal: these bytes begin no WKB.
    """
    if len(head) < 5 or head[0] > 1:
        raise Fatal(f'column "{name}" holds no WKB', kind="data")
    order = "little" if head[0] else "big"
    number = int.from_bytes(head[1:5], order)  # type: ignore[arg-type]
    srid = 0
    if number & 0x20000000:
        srid = int.from_bytes(head[5:9], order)  # type: ignore[arg-type]
    with_z = bool(number & 0x80000000)
    with_m = bool(number & 0x40000000)
    number &= 0x0FFFFFFF
    with_z = with_z or number // 1000 in (1, 3)
    with_m = with_m or number // 1000 in (2, 3)
    kind = _KINDS[number % 1000] if number % 1000 < len(_KINDS) else "Geometry"
    return kind + ("", " Z", " M", " ZM")[with_z + 2 * with_m], srid


def _declared(column: Column) -> set[int]:
    """The SRID in geometry(Point,27700), for a table without rows."""
    inside = column.base.rpartition("(")[2].rstrip(")").split(",")
    return {int(inside[-1])} if inside[-1].isdigit() else set()


def _crs(snapshot: Snapshot, postgis: str, srid: int) -> str | None:
    if srid == 0:
        return None
    statement = sql.SQL("select auth_name, auth_srid, srtext from {} where srid = {}").format(
        sql.Identifier(postgis, "spatial_ref_sys"), sql.Literal(srid)
    )
    rows = snapshot.execute(statement)
    if not rows:
        return f"EPSG:{srid}"
    authority, number, text = rows[0]
    return f"{authority}:{number}" if authority == "EPSG" else str(text)
