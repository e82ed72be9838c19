create or replace function locaria.name_indexes(
  p_table regclass,
  p_staging text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_index record;
  v_name text;
begin
  for v_index in
    select i.oid::regclass as index, n.nspname, c.relname as table_name, x.indisprimary, (
      select string_agg(a.attname, '_' order by k.n) from unnest(x.indkey) with ordinality as k (attnum, n)
      join pg_attribute a on a.attrelid = p_table and a.attnum = k.attnum) as columns
    from locaria.list_indexes(p_table) as i
    join pg_index x on x.indexrelid = i.oid
    join pg_class c on c.oid = p_table
    join pg_namespace n on n.oid = c.relnamespace
    where starts_with(i.name, left(p_staging, 50))
  loop
    for n in 1 .. 1000 loop
      v_name := left(concat_ws('_', v_index.table_name, v_index.columns), 50)
        || case when v_index.indisprimary then '_pkey' else '_idx' end
        || case when n > 1 then n::text else '' end;
      exit when to_regclass(format('%I.%I', v_index.nspname, v_name)) is null;
    end loop;
    execute format('alter index %s rename to %I', v_index.index, v_name);
  end loop;
end
$$;
comment on function locaria.name_indexes(regclass, text) is
  'Renames the indexes of a published table that still have the name of its staging table, after the table and '
  'their columns.';
