create or replace function locaria.checkpoint_run(
  p_run bigint,
  p_checkpoint jsonb
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
  -- The lock makes it a fence: until this transaction ends nobody takes the file over, and after a
  -- take-over this transaction, with the rows that it copied, can't commit.
  select id into v_file from locaria.files where claimed_by = p_run for share;
  if not found then
    perform locaria.require_run(p_run);
  end if;
  p_checkpoint := locaria.hide_json_secrets(p_checkpoint, locaria.list_secrets(v_file));
  insert into locaria.run_progress as p (run_id, heartbeat, lease_until, progressed, checkpoint)
  select p_run, v_now, v_now + c.lease, v_now, p_checkpoint
  from locaria.runs r join locaria.containers c on c.name = r.container where r.id = p_run
  on conflict (run_id) do update
  set checkpoint = excluded.checkpoint, heartbeat = excluded.heartbeat, lease_until = excluded.lease_until, progressed = excluded.progressed
  returning p.cancel_requested into v_cancel;
  return case when v_cancel is not null then 'cancel' else 'running' end;
end
$$;
comment on function locaria.checkpoint_run(bigint, jsonb) is
  'Stores how far a run has come, for the next attempt; call it last in the transaction that wrote the rows, so that both are committed or neither. Secrets of its file become ***. Returns running or cancel. Errors: LC001, LC002, LC008.';
