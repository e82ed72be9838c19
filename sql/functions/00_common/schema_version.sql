create or replace function locaria.schema_version()
returns text
language sql
immutable
as $$ select '1' $$;
comment on function locaria.schema_version() is
  'Version of the contract between containers and this schema; start_task returns it to the container.';
