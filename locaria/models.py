"""Typed SQLAlchemy models, for applications that insert files through an ORM.

    with Session(engine) as session:
        file = File(attributes={"path": "/data/airports.csv", "table": "airports"})
        session.add(file)
        session.commit()                              # committed = submitted
        print(session.get(Status, file.id).why)

An application inserts `File` rows and reads the rest; everything else is written by the functions
of the database. The tables are made by `locaria db upgrade`, never by `create_all`. That these
models say what the database has is proven by tests/cli/test_models.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    FetchedValue,
    Identity,
    Integer,
    Interval,
    MetaData,
    Numeric,
    SmallInteger,
    Text,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator, UserDefinedType

HELD = datetime(9999, 12, 31, tzinfo=UTC)
"""What `run_after` of a held file reads and writes as: the database's `infinity`."""


class Moment(TypeDecorator[datetime]):
    """timestamptz that may be `infinity`, which no Python datetime can hold: `HELD` instead."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write HELD, and whatever is later, as infinity."""
        del dialect
        return "infinity" if value is not None and value >= HELD else value

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Read infinity as HELD."""
        held: ColumnElement[Any] = literal_column(f"'{HELD.isoformat()}'::timestamptz")
        return func.least(column, held, type_=self)


class Xid8(UserDefinedType[str]):
    """A transaction id, as text."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The name of the type in SQL."""
        return "XID8"


Key = Annotated[int, mapped_column(BigInteger, Identity(always=True), primary_key=True)]
Big = Annotated[int, mapped_column(BigInteger)]
Small = Annotated[int, mapped_column(SmallInteger)]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
When = Annotated[datetime, mapped_column(DateTime(timezone=True))]


class Base(DeclarativeBase):
    """All models of Locaria; a MetaData of their own, so that your create_all leaves them alone."""

    metadata = MetaData(schema="locaria")
    type_annotation_map = {  # noqa: RUF012 - read once, by SQLAlchemy
        str: Text,
        int: Integer,
        timedelta: Interval,
    }


def given() -> Any:
    """A column that is the database's to write: an INSERT does not name it unless it was set."""
    return mapped_column(server_default=FetchedValue())


class File(Base):
    """One piece of requested work: `container`, `priority`, `run_after`, `attributes` are yours."""

    __tablename__ = "files"

    id: Mapped[Key]
    container: Mapped[str | None]
    status: Mapped[str] = given()
    priority: Mapped[Small] = given()
    run_after: Mapped[datetime] = mapped_column(Moment, server_default=FetchedValue())
    attempts: Mapped[int] = given()
    created: Mapped[When] = given()
    last_update: Mapped[When] = given()
    finished: Mapped[When | None] = given()
    claimed_by: Mapped[Big | None] = given()
    submitted_by: Mapped[str] = given()
    debug: Mapped[bool] = given()
    last_error: Mapped[str | None] = given()
    attributes: Mapped[Json] = given()


class Run(Base):
    """One attempt of one task at one file."""

    __tablename__ = "runs"

    id: Mapped[Key]
    file_id: Mapped[Big]
    container: Mapped[str]
    task_id: Mapped[Big]
    attempt: Mapped[int]
    requested_status: Mapped[str]
    started: Mapped[When]
    lease_until: Mapped[When]
    ended: Mapped[When | None]
    outcome: Mapped[str | None]
    end_status: Mapped[str | None]
    error_kind: Mapped[str | None]
    error: Mapped[str | None]
    error_detail: Mapped[str | None]
    exit_code: Mapped[int | None]
    message: Mapped[str | None]
    stage: Mapped[str | None]
    rows_done: Mapped[Big | None]
    rows_total: Mapped[Big | None]
    rows_rejected: Mapped[Big | None]
    bytes_done: Mapped[Big | None]
    bytes_total: Mapped[Big | None]
    checkpoint: Mapped[Json | None]
    result: Mapped[Json | None]


class Container(Base):
    """A kind of job, with its limits."""

    __tablename__ = "containers"

    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str] = given()
    type: Mapped[str] = given()
    port: Mapped[int | None]
    paused: Mapped[bool] = given()
    retired: Mapped[datetime | None]
    max_tasks: Mapped[int] = given()
    max_attempts: Mapped[int] = given()
    max_launches: Mapped[int] = given()
    lease: Mapped[timedelta] = given()
    timeout: Mapped[timedelta | None]
    stall_timeout: Mapped[timedelta | None]
    idle_timeout: Mapped[timedelta] = given()
    launch_timeout: Mapped[timedelta] = given()
    cancel_grace: Mapped[timedelta] = given()
    backoff: Mapped[timedelta] = given()
    reject_limit: Mapped[int] = given()
    log_limit: Mapped[int] = given()
    autostart: Mapped[bool] = given()
    autostart_file: Mapped[Big | None]
    parameters: Mapped[Json] = given()
    parameter_schema: Mapped[Json | None]
    defaults: Mapped[Json] = given()
    last_update: Mapped[When] = given()


class Task(Base):
    """One container process (ECS task) that reported, or that ECS reported of."""

    __tablename__ = "tasks"

    id: Mapped[Key]
    container: Mapped[str]
    task_arn: Mapped[str]
    last_status: Mapped[str] = given()
    dispatch_id: Mapped[Big | None]
    launch: Mapped[int | None]
    created: Mapped[When] = given()
    started: Mapped[When | None]
    idle_since: Mapped[When | None]
    lease_until: Mapped[When | None]
    stop_requested: Mapped[When | None]
    stop_sent: Mapped[When | None]
    stopped: Mapped[When | None]
    exit_code: Mapped[int | None]
    stop_code: Mapped[str | None]
    stopped_reason: Mapped[str | None]
    event_version: Mapped[Big] = given()
    host: Mapped[str | None]
    info: Mapped[Json] = given()


class Dispatch(Base):
    """One invocation of the Lambda function that starts tasks."""

    __tablename__ = "dispatches"

    id: Mapped[Key]
    container: Mapped[str]
    status: Mapped[str] = given()
    reason: Mapped[str]
    files: Mapped[Big | None]
    asked: Mapped[int] = given()
    launch: Mapped[int] = given()
    created: Mapped[When] = given()
    invoked: Mapped[When | None]
    deadline: Mapped[When | None]
    next_try: Mapped[When | None]
    ended: Mapped[When | None]
    failures: Mapped[int] = given()
    status_code: Mapped[int | None]
    error: Mapped[str | None]
    xact: Mapped[str] = mapped_column(Xid8, server_default=FetchedValue())


class Status(Base):
    """What happened to a file: a row of the view `status`. Read it, never write it."""

    __tablename__ = "status"

    file_id: Mapped[Big] = mapped_column(primary_key=True)
    container: Mapped[str | None]
    state: Mapped[str | None]
    phase: Mapped[str | None]
    why: Mapped[str | None]
    percent: Mapped[Decimal | None] = mapped_column(Numeric)
    stage: Mapped[str | None]
    rows_done: Mapped[Big | None]
    rows_total: Mapped[Big | None]
    unit: Mapped[str | None]
    rows_rejected: Mapped[Big | None]
    rate_per_s: Mapped[Decimal | None] = mapped_column(Numeric)
    eta: Mapped[When | None]
    last_message: Mapped[str | None]
    last_error: Mapped[str | None]
    attempt: Mapped[int | None]
    max_attempts: Mapped[int | None]
    priority: Mapped[Small | None]
    run_after: Mapped[datetime | None] = mapped_column(Moment)
    queued_at: Mapped[When | None]
    started_at: Mapped[When | None]
    finished_at: Mapped[When | None]
    wait_s: Mapped[Decimal | None] = mapped_column(Numeric)
    run_s: Mapped[Decimal | None] = mapped_column(Numeric)
    run_id: Mapped[Big | None]
    task_arn: Mapped[str | None]
    attributes: Mapped[Json | None]
    endpoint: Mapped[str | None]
    command: Mapped[str | None]
    last_update: Mapped[When | None]
    submitted_by: Mapped[str | None]
    bytes_done: Mapped[Big | None]
    bytes_total: Mapped[Big | None]
    code: Mapped[int | None]
