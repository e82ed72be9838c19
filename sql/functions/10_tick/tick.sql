create or replace function locaria.tick()
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_step text;
  v_count integer;
  v_result jsonb := '{}';
begin
  if not pg_try_advisory_xact_lock(4242003, 0) then
    return '{"skipped": "another tick is running"}';
  end if;
  perform set_config('lock_timeout', '1000', true);
  -- An error in one step is reported and does not prevent the other steps.
  foreach v_step in array array[
    'expire_runs',
    'stop_overdue_runs',
    'expire_tasks',
    'ensure_listeners',
    'retry_dispatches',
    'dispatch_backlog',
    'stop_tasks',
    'drop_left_staging_tables',
    'drop_kept_tables',
    'turn_log_partitions',
    'count_throughput',
    'count_outcomes',
    'forget_old_rows',
    'forget_connections',
    'fail_lost_ingests'
  ] loop
    begin
      execute format('select locaria.%I()', v_step) into v_count;
      if v_count > 0 then
        v_result := v_result || jsonb_build_object(v_step, v_count);
      end if;
    exception when others then
      raise warning 'tick: % failed: %', v_step, sqlerrm;
      v_result := v_result || jsonb_build_object(
        'errors', coalesce(v_result -> 'errors', '{}') || jsonb_build_object(v_step, sqlerrm)
      );
    end;
  end loop;
  update locaria.ticks
  set last_tick = locaria.clock(),
    last_result = case when v_result = '{}' then last_result - 'errors' else v_result end;
  return v_result;
end
$$;
comment on function locaria.tick() is
  'Repairs the system: ends runs that have no heartbeat, are overdue or stalled; repeats failed launches; '
  'dispatches due files; drops leftovers. Idempotent; call it every few seconds up to once a minute (pg_cron, '
  'EventBridge, the local runtime). Returns what it did.';
