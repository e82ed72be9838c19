"""A database that records what `taskEvents` tells it."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow


class RecordingDatabase:
    """A database in which `locaria.record_task_event` keeps what it is given."""

    def __init__(self, superuser_dsn: str, name: str) -> None:
        self.dsn = make_conninfo(superuser_dsn, dbname=name)

    def execute(self, statement: sql.SQL | sql.Composed) -> list[TupleRow]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def recorded(self) -> list[Any]:
        return [row[0] for row in self.execute(sql.SQL("select event from got order by id"))]

    def cut_connections(self) -> int:
        """Cut every other connection, as a restart of the server does."""
        return len(
            self.execute(
                sql.SQL(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
            )
        )


STUB = """
    create schema locaria;
    create table got (id bigserial, event jsonb);
    create function locaria.record_task_event(p_event jsonb) returns void language plpgsql as $$
    begin
      if p_event #>> '{detail,taskArn}' = 'refused' then
        raise exception using errcode = 'LC007', message = 'no such task';
      end if;
      insert into public.got (event) values (p_event);
    end $$;
    create function locaria.tick() returns jsonb language sql as
      $$ select '{"expire_runs": 2}'::jsonb $$;
"""
