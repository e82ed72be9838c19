create or replace function locaria.report_listening(
  p_run bigint,
  p_endpoint text,
  p_command text default null
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_file bigint := locaria.require_run(p_run);
  v_before text;
  v_cancel timestamptz;
  v_secrets text[];
begin
  if p_endpoint !~ '^[a-z][a-z0-9+.-]*://[^@[:space:]]+$' or length(p_endpoint) > 2000 then
    raise exception using errcode = 'LC007',
      message = format('report_listening: "%s" is not the URL of an endpoint', left(p_endpoint, 100)),
      hint = 'Like http://10.0.0.7:8080, without user and password.';
  end if;
  v_secrets := locaria.list_secrets(v_file);
  p_endpoint := locaria.hide_secrets(p_endpoint, v_secrets);
  p_command := locaria.hide_secrets(p_command, v_secrets);
  select endpoint into v_before from locaria.run_progress where run_id = p_run;
  insert into locaria.run_progress as p (run_id, heartbeat, lease_until, progressed, endpoint, command)
  select p_run, v_now, v_now + c.lease, v_now, p_endpoint, left(p_command, 1000)
  from locaria.runs r join locaria.containers c on c.name = r.container where r.id = p_run
  on conflict (run_id) do update
  set heartbeat = excluded.heartbeat, lease_until = excluded.lease_until, progressed = excluded.progressed,
    endpoint = excluded.endpoint, command = excluded.command
  returning p.cancel_requested into v_cancel;
  if p_endpoint is distinct from v_before then
    perform locaria.add_log_message(v_file, p_run, 'info', null,
      coalesce('listening on ' || p_endpoint, 'no longer listening'));
  end if;
  if locaria.is_watched() then
    perform locaria.notify_changes(array[v_file]);
  end if;
  return case when v_cancel is not null then 'cancel' else 'running' end;
end
$$;
comment on function locaria.report_listening(bigint, text, text) is
  'Where a listener takes commands (null: nowhere any more), and the command that it executes now (null: none). '
  'From then on its run has no timeout and is never stalled. Extends the lease. Returns running, or cancel: stop. '
  'Errors: LC001, LC002, LC007, LC008.';
