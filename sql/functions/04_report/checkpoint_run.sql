create or replace function locaria.checkpoint_run(
  p_run bigint,
  p_checkpoint jsonb,
  p_staging text default null
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_file bigint;
  v_cancel timestamptz;
begin
  -- The lock is a fence: no other run can take over the file until this transaction ends, and after a takeover this
  -- transaction, with the rows that it copied, can't commit.
  select id into v_file from locaria.files where claimed_by = p_run for share;
  if not found then
    perform locaria.require_run(p_run);
  end if;
  p_checkpoint := locaria.hide_json_secrets(p_checkpoint, locaria.list_secrets(v_file));
  insert into locaria.run_progress as p (run_id, heartbeat, lease_until, progressed, checkpoint)
  select p_run, v_now, v_now + c.lease, v_now, case when p_staging is null then p_checkpoint end
  from locaria.runs r join locaria.containers c on c.name = r.container where r.id = p_run
  on conflict (run_id) do update
  set checkpoint = case when p_staging is null then excluded.checkpoint else p.checkpoint end,
    heartbeat = excluded.heartbeat, lease_until = excluded.lease_until, progressed = excluded.progressed
  returning p.cancel_requested into v_cancel;
  if p_staging is not null then
    update locaria.staging_tables set checkpoint = p_checkpoint
    where run_id = p_run and p_staging in (staging_name, format('locaria_staging.%I', staging_name));
    if not found then
      raise exception using errcode = 'LC008', message = format('run %s has no staging table %s', p_run, p_staging);
    end if;
  end if;
  return case when v_cancel is not null then 'cancel' else 'running' end;
end
$$;
comment on function locaria.checkpoint_run(bigint, jsonb, text) is
  'Stores a checkpoint for the next attempt. Call it last in the transaction that writes the rows, so that both '
  'are committed or neither. Secrets of the file become ***. With p_staging, the checkpoint is stored with that '
  'table instead of the run, for runs that fill several tables. Returns running or cancel. Errors: LC001, LC002, '
  'LC008.';
