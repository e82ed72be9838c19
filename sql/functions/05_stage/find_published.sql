create or replace function locaria.find_published(
  p_run bigint,
  p_labels jsonb
)
returns table (
  table_schema text,
  table_name text,
  row_count bigint,
  published timestamptz,
  labels jsonb,
  is_there boolean
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform locaria.require_run(p_run);
  return query
  select p.table_schema, p.table_name, p.row_count, p.published, p.labels,
    to_regclass(format('%I.%I', p.table_schema, p.table_name)) is not null
  from locaria.published_tables p
  where p.labels @> p_labels
  order by p.table_schema, p.table_name;
end
$$;
comment on function locaria.find_published(bigint, jsonb) is
  'The tables whose last load had these labels, and whether they still exist. A loader can skip a version of its '
  'source that is already loaded. Error: LC001.';
