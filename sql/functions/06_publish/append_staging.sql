create or replace function locaria.append_staging(
  p_staging locaria.staging_tables,
  p_target regclass
)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_columns text;
  v_rows bigint;
begin
  select string_agg(quote_ident(c ->> 'name'), ', ' order by n) into v_columns
  from jsonb_array_elements(p_staging.columns) with ordinality as e (c, n);
  execute format('insert into %s (%s) select %s from locaria_staging.%I',
    p_target, v_columns, v_columns, p_staging.staging_name);
  get diagnostics v_rows = row_count;
  execute format('drop table locaria_staging.%I', p_staging.staging_name);
  return v_rows;
end
$$;
comment on function locaria.append_staging(locaria.staging_tables, regclass) is
  'Adds the rows of a staging table to its target and drops the staging table; returns the number of rows.';
