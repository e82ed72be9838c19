create or replace function locaria.publish_staging(
  p_run bigint,
  p_staging text,
  p_rows bigint default null
)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_staging locaria.staging_tables;
  v_target text;
  v_relation regclass;
  v_columns text;
  v_rows bigint := p_rows;
  v_lock_timeout text := current_setting('lock_timeout');
begin
  perform from locaria.files where claimed_by = p_run for update;
  if not found then
    perform locaria.require_run(p_run);
  end if;
  select * into v_staging from locaria.staging_tables
  where run_id = p_run and p_staging in (staging_name, format('locaria_staging.%I', staging_name));
  if not found then
    raise exception using errcode = 'LC008', message = format('run %s has no staging table %s', p_run, p_staging);
  end if;
  v_target := format('%I.%I', v_staging.target_schema, v_staging.target_table);
  perform set_config('lock_timeout', locaria.get_parameter('publish_config', 'lock_timeout_ms', '5000'), true);
  v_relation := to_regclass(v_target);
  -- Looked at again: the target may have changed since the load began.
  perform locaria.check_target(v_staging.target_schema, v_staging.target_table, v_relation, v_staging.mode);
  if v_staging.mode = 'append' then
    select string_agg(quote_ident(c ->> 'name'), ', ' order by n) into v_columns
    from jsonb_array_elements(v_staging.columns) with ordinality as e (c, n);
    execute format('insert into %s (%s) select %s from locaria_staging.%I', v_target, v_columns, v_columns, v_staging.staging_name);
    get diagnostics v_rows = row_count;
    execute format('drop table locaria_staging.%I', v_staging.staging_name);
  else
    if v_rows is null then
      execute format('select count(*) from locaria_staging.%I', v_staging.staging_name) into v_rows;
    end if;
    perform locaria.swap_table(v_staging.staging_name, v_staging.target_schema, v_staging.target_table, v_relation);
  end if;
  perform set_config('lock_timeout', v_lock_timeout, true);
  delete from locaria.staging_tables where staging_name = v_staging.staging_name;
  insert into locaria.published_tables as t (table_schema, table_name, run_id, file_id, mode, row_count, published)
  values (v_staging.target_schema, v_staging.target_table, p_run, v_staging.file_id, v_staging.mode, v_rows, locaria.clock())
  on conflict (table_schema, table_name) do update
  set run_id = excluded.run_id, file_id = excluded.file_id, mode = case excluded.mode when 'append' then t.mode else excluded.mode end, published = excluded.published,
    row_count = case when excluded.mode = 'append' then t.row_count else 0 end + excluded.row_count;
  return v_rows;
end
$$;
comment on function locaria.publish_staging(bigint, text, bigint) is
  'Makes what a run has loaded visible under its target; call finish_run in the same transaction. Returns the number of rows. Errors: LC001, LC008, LC009; 55P03 when readers hold the old table for longer than publish_config.lock_timeout_ms.';
