create or replace function locaria.get_parameter(
  p_name text,
  p_key text,
  p_default text default null
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((select parameter ->> p_key from locaria.parameters where parameter_name = p_name), p_default)
$$;
comment on function locaria.get_parameter(text, text, text) is 'Returns one key of one parameter as text.';
