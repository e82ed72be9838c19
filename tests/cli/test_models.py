"""`locaria.models` against the database."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from locaria.install import connect_engine
from locaria.models import HELD, Base, File, Run, Status
from tests.cli.conftest import Container
from tests.conftest import Database

CATALOG = """
select a.attname as name, format_type(a.atttypid, null) as type, a.attnotnull as not_null,
  a.atthasdef or a.attidentity <> '' as has_default
from pg_attribute a
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""


@pytest.fixture
def engine(db: Database) -> Iterator[Engine]:
    """SQLAlchemy's engine, as an application's login."""
    engine = connect_engine(db.dsn_of("app"))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("name", sorted(Base.metadata.tables))
def test_a_model_has_the_columns_of_its_table(db: Database, name: str) -> None:
    table = Base.metadata.tables[name]
    catalog = db.connect().execute(CATALOG, [name]).fetchall()
    assert [column.name for column in table.columns] == [row["name"] for row in catalog]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    is_view = name == "locaria.status"
    for column, row in zip(table.columns, catalog, strict=True):
        assert column.type.compile(dialect).lower() == row["type"], column
        # A view has neither defaults nor constraints.
        if not is_view:
            assert column.nullable is not row["not_null"], column
            model_fills = column.server_default is not None or column.identity is not None
            # Filled by a default; or left alone because it is not the application's to write.
            assert model_fills is row["has_default"] or not row["not_null"], column


def test_every_table_that_an_application_uses_has_a_model() -> None:
    names = {"files", "runs", "containers", "tasks", "dispatches", "status"}
    assert {table.name for table in Base.metadata.tables.values()} == names


def test_an_application_inserts_through_a_session(
    engine: Engine, db: Database, container: Container
) -> None:
    with Session(engine) as session:
        file = File(attributes={"path": "/a.csv", "table": "a"}, priority=5)
        session.add(file)
        session.commit()
        assert (file.status, file.attempts, file.priority) == ("REGISTERED", 0, 5)
        status = session.get_one(Status, file.id)
        assert status.phase == "dispatched"
        container.finish(container.claim())
        session.refresh(status)
        assert (status.phase, status.percent) == ("done", 100)
    with Session(connect_engine(db.dsn)) as owner:
        run = owner.scalars(select(Run).where(Run.file_id == file.id)).one()
        assert run.outcome == "succeeded"


def test_a_held_file_can_be_inserted_and_read(engine: Engine, db: Database) -> None:
    with Session(engine) as session:
        file = File(attributes={}, run_after=HELD)
        session.add(file)
        session.commit()
        assert session.get_one(File, file.id).run_after == HELD
        assert session.get_one(Status, file.id).phase == "held"
        assert session.get_one(Status, file.id).run_after == HELD
    row = (
        db.connect().execute("select run_after = 'infinity' as held from locaria.files").fetchone()
    )
    assert row == {"held": True}


def test_a_thousand_files_in_one_flush_are_one_dispatch(engine: Engine, db: Database) -> None:
    with Session(engine) as session:
        session.add_all(File(attributes={"n": n}) for n in range(1000))
        session.commit()
    row = db.connect().execute("select count(*) as n from locaria.dispatches").fetchone()
    assert row == {"n": 1}
