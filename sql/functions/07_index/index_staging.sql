create or replace function locaria.index_staging(
  p_run bigint,
  p_staging text,
  p_wanted jsonb default '[]'
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_staging locaria.staging_tables;
  v_relation regclass;
  v_missing text;
begin
  perform locaria.require_run(p_run);
  select * into v_staging from locaria.staging_tables
  where run_id = p_run and p_staging in (staging_name, format('locaria_staging.%I', staging_name));
  if not found then
    raise exception using errcode = 'LC008', message = format('run %s has no staging table %s', p_run, p_staging);
  end if;
  select c into v_missing from jsonb_array_elements(p_wanted) as e, jsonb_array_elements_text(e -> 'columns') as c
  where not exists (
    select from pg_attribute
    where attrelid = format('locaria_staging.%I', v_staging.staging_name)::regclass and attname = c and attnum > 0
  );
  if found then
    raise exception using errcode = 'LC007', message = format('index: there is no column "%s"', left(v_missing, 80));
  end if;
  v_relation := to_regclass(format('%I.%I', v_staging.target_schema, v_staging.target_table));
  if v_staging.mode in ('create', 'replace') or v_relation is null then
    begin
      perform locaria.build_indexes(
        format('locaria_staging.%I', v_staging.staging_name)::regclass, v_relation, p_wanted
      );
    exception when unique_violation then
      declare
        v_detail text;
      begin
        get stacked diagnostics v_detail = pg_exception_detail;
        raise exception using errcode = 'LC011', message = format('key: a value occurs more than once: %s', v_detail),
          hint = 'Correct the source, or give more columns as key.';
      end;
    end;
  end if;
  execute format('analyze locaria_staging.%I', v_staging.staging_name);
end
$$;
comment on function locaria.index_staging(bigint, text, jsonb) is
  'Creates the indexes of a filled staging table: those of the table that it replaces, and the wanted ones '
  '([{"columns", "unique", "method"}]); none for append and merge. Errors: LC001, LC007, LC008, LC011 duplicate '
  'key.';
