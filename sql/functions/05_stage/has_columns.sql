create or replace function locaria.has_columns(
  p_relation regclass,
  p_columns jsonb
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select (
    select jsonb_agg(jsonb_build_object('name', attname, 'type', format_type(atttypid, atttypmod)) order by attnum)
    from pg_attribute where attrelid = p_relation and attnum > 0 and not attisdropped
  ) = p_columns
$$;
comment on function locaria.has_columns(regclass, jsonb) is
  'Whether a table has exactly these columns, in this order.';
