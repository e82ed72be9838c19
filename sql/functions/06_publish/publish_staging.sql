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
  v_rows bigint := p_rows;
  v_changed bigint := 0;
  v_added bigint;
  v_kept text;
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
  -- Check again, because the target may have changed since the load began.
  perform locaria.check_target(v_staging.target_schema, v_staging.target_table, v_relation, v_staging.mode);
  if coalesce((v_staging.options ->> 'keep_previous')::boolean, false) and v_relation is not null
    and v_staging.mode in ('replace', 'merge')
  then
    v_kept := 'before_' || v_staging.staging_name;
  end if;
  if v_staging.mode = 'append' then
    v_added := locaria.append_staging(v_staging, v_relation);
    v_rows := v_added;
  elsif v_staging.mode = 'merge' and v_relation is not null then
    select m.added, m.changed into v_added, v_changed from locaria.merge_staging(v_staging, v_relation, v_kept) as m;
    v_rows := v_added + v_changed;
  else
    if v_staging.mode = 'merge' then
      perform locaria.check_merge_key(v_staging);
    end if;
    if v_rows is null then
      execute format('select count(*) from locaria_staging.%I', v_staging.staging_name) into v_rows;
    end if;
    v_added := v_rows;
    perform locaria.swap_table(
      v_staging.staging_name, v_staging.target_schema, v_staging.target_table, v_relation, v_kept
    );
  end if;
  perform set_config('lock_timeout', v_lock_timeout, true);
  delete from locaria.staging_tables where staging_name = v_staging.staging_name;
  perform locaria.record_publication(v_staging, v_relation, v_added, v_changed, v_kept);
  return v_rows;
end
$$;
comment on function locaria.publish_staging(bigint, text, bigint) is
  'Publishes the rows of a staging table to its target; call finish_run in the same transaction. Returns the '
  'number of rows. Errors: LC001, LC008, LC009, LC011 (duplicate or NULL key); 55P03 if other sessions lock the '
  'old table for longer than publish_config.lock_timeout_ms.';
