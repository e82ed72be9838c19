create or replace function locaria.list_indexes(p_table regclass)
returns table (
  oid oid,
  name text,
  definition text,
  n bigint
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select x.indexrelid, c.relname::text, d.definition,
    row_number() over (partition by d.definition order by x.indexrelid)
  from pg_index x
  join pg_class c on c.oid = x.indexrelid
  cross join lateral (
    select concat_ws(' ', x.indisprimary, x.indisunique, x.indisexclusion,
      substring(pg_get_indexdef(x.indexrelid) from ' USING .*')) as definition
  ) as d
  where x.indrelid = p_table
$$;
comment on function locaria.list_indexes(regclass) is
  'The indexes of a table with their definitions; n numbers indexes with equal definitions.';
