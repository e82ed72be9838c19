"""One fresh Postgres for all measurements of a run, durable as in production."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from locaria.install import install
from locaria.local.aws.standin import install_standin
from locaria.local.postgres.server import PostgresServer

OWNER, PASSWORD = "locaria", "only for this run"
Connection = psycopg.Connection[tuple[Any, ...]]


class BenchDatabase:
    """A migrated database; no runtime: dispatched Lambdas are queued and never delivered."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.name = "bench"
        with psycopg.connect(server.dsn, autocommit=True) as superuser:
            superuser.execute(
                sql.SQL("create role {} login createrole password {}").format(
                    sql.Identifier(OWNER), sql.Literal(PASSWORD)
                )
            )
            superuser.execute(
                sql.SQL("create database {} owner {}").format(
                    sql.Identifier(self.name), sql.Identifier(OWNER)
                )
            )
        install_standin(server.dsn_for(self.name), OWNER)
        install(self.dsn)
        with self.connect() as owner:
            owner.execute("select locaria.turn_log_partitions()")
            # Append-only; but each round begins afresh.
            owner.execute("alter table locaria.transitions disable trigger _100_refuse_truncate")
            owner.execute("select locaria.register_container('file_loader', '{}')")
            owner.execute(
                """
                update locaria.parameters set parameter = '{"default": {
                  "arn": "arn:aws:lambda:local:000000000000:function:ecsRunTask",
                  "region": "local", "cluster": "locaria", "subnets": [], "security_groups": []}}'
                where parameter_name = 'fargate_config'
                """
            )

    @property
    def dsn(self) -> str:
        """As the owner."""
        return self.server.dsn_for(self.name, OWNER, PASSWORD)

    def connect(self) -> Connection:
        """An autocommit connection as the owner."""
        return psycopg.connect(self.dsn, autocommit=True)

    def make_floor(self, connection: Connection) -> None:
        """Make `floor`: a bare table with the columns and indexes of files, without triggers."""
        connection.execute("drop table if exists public.floor")
        connection.execute(
            "create table public.floor (like locaria.files including defaults "
            "including indexes including identity including storage)"
        )
        connection.execute("alter table public.floor set (fillfactor = 85)")

    def checkpoint(self) -> None:
        """Write everything back now, so that no measurement pays for the one before it."""
        with psycopg.connect(self.server.dsn, autocommit=True) as superuser:
            superuser.execute("checkpoint")

    def empty(self, connection: Connection) -> None:
        """Start afresh: no files, runs, tasks or dispatches."""
        connection.execute(
            "truncate locaria.files, locaria.file_credentials, locaria.runs, "
            "locaria.run_progress, locaria.tasks, locaria.dispatches, locaria.transitions, "
            "locaria.circuits"
        )


@contextmanager
def bench_database() -> Iterator[BenchDatabase]:
    """Start a durable server in a temporary folder, stop it at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="locaria_bench_") as folder,
        PostgresServer(Path(folder) / "pg") as server,
    ):
        yield BenchDatabase(server)
