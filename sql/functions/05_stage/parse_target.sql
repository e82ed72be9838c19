-- The name is split at the first dot and taken literally; quotes have no meaning, so nothing can be injected.
create or replace function locaria.parse_target(
  p_target text,
  out table_schema text,
  out table_name text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_dot integer := strpos(coalesce(p_target, ''), '.');
begin
  table_schema := case when v_dot > 0 then left(p_target, v_dot - 1) else locaria.get_default_schema() end;
  table_name := substr(p_target, v_dot + 1);
  if coalesce(table_name, '') = '' or coalesce(table_schema, '') = '' then
    raise exception using errcode = 'LC007', message = 'table: the name of the target table is missing',
      hint = 'Give "table" or "schema.table".';
  elsif octet_length(table_name) > 63 or octet_length(table_schema) > 63 then
    raise exception using errcode = 'LC007',
      message = format('table: "%s" is longer than 63 bytes, the limit of Postgres for names', left(p_target, 100));
  elsif p_target ~ '[[:cntrl:]]' then
    raise exception using errcode = 'LC007',
      message = 'table: the name of the target table contains control characters';
  end if;
end
$$;
comment on function locaria.parse_target(text) is
  'Splits "schema.table" or "table" into schema and table name. Error: LC007.';
