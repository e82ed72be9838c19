create or replace function locaria.report_progress(
  p_run bigint,
  p_progress jsonb
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
  v_old locaria.run_progress;
  v_new record;
  v_lease interval;
  v_stage record;
  v_secrets text[] := locaria.list_secrets(v_file);
begin
  if jsonb_typeof(p_progress) is distinct from 'object' then
    raise exception using errcode = 'LC007', message = 'report_progress: p_progress must be a JSON object';
  end if;
  select * into v_old from locaria.run_progress where run_id = p_run;
  select * into v_new from jsonb_to_record(p_progress) as n (
    stage text, stage_n integer, stage_of integer, percent numeric, rows_done bigint, rows_total bigint, unit text,
    rows_rejected bigint, bytes_done bigint, bytes_total bigint, message text
  );
  v_new.stage := locaria.hide_secrets(v_new.stage, v_secrets);
  select c.lease into v_lease from locaria.runs r join locaria.containers c on c.name = r.container where r.id = p_run;
  insert into locaria.run_progress as p (
    run_id, heartbeat, lease_until, progressed, stage, stage_n, stage_of, stage_started, percent,
    rows_done, rows_total, unit, rows_rejected, bytes_done, bytes_total, message
  ) values (
    p_run, v_now, v_now + v_lease, v_now, v_new.stage, v_new.stage_n, v_new.stage_of,
    case when v_new.stage is not null then v_now end, least(greatest(v_new.percent, 0), 100),
    v_new.rows_done, v_new.rows_total, locaria.hide_secrets(v_new.unit, v_secrets), v_new.rows_rejected,
    v_new.bytes_done, v_new.bytes_total, left(locaria.hide_secrets(v_new.message, v_secrets), 10000)
  )
  on conflict (run_id) do update
  set heartbeat = v_now,
    lease_until = excluded.lease_until,
    progressed = case
      when (p.stage, p.rows_done, p.bytes_done, p.percent) is distinct from (
        coalesce(excluded.stage, p.stage), coalesce(excluded.rows_done, p.rows_done),
        coalesce(excluded.bytes_done, p.bytes_done), coalesce(excluded.percent, p.percent))
      then v_now else p.progressed end,
    stage_started = case
      when excluded.stage is distinct from p.stage and excluded.stage is not null then v_now else p.stage_started
    end,
    stage = coalesce(excluded.stage, p.stage),
    stage_n = coalesce(excluded.stage_n, p.stage_n),
    stage_of = coalesce(excluded.stage_of, p.stage_of),
    percent = coalesce(excluded.percent, p.percent),
    rows_done = coalesce(excluded.rows_done, p.rows_done),
    rows_total = case when p_progress ? 'rows_total' then excluded.rows_total else p.rows_total end,
    unit = coalesce(excluded.unit, p.unit),
    rows_rejected = coalesce(excluded.rows_rejected, p.rows_rejected),
    bytes_done = coalesce(excluded.bytes_done, p.bytes_done),
    bytes_total = coalesce(excluded.bytes_total, p.bytes_total),
    message = coalesce(excluded.message, p.message);
  if jsonb_typeof(p_progress -> 'stages') = 'array' then
    for v_stage in
      select locaria.hide_secrets(e.s ->> 'stage', v_secrets) as stage, locaria.seconds_ago(e.s ->> 'ago', v_now) as at
      from jsonb_array_elements(p_progress -> 'stages') with ordinality as e (s, n)
      where e.s ->> 'stage' is not null
      order by e.n limit 1000
    loop
      perform locaria.add_log_message(v_file, p_run, 'stage', v_stage.stage, v_stage.stage, v_stage.at);
    end loop;
  elsif v_new.stage is not null and v_new.stage is distinct from v_old.stage then
    perform locaria.add_log_message(v_file, p_run, 'stage', v_new.stage, v_new.stage);
  end if;
  if locaria.is_watched() then
    perform locaria.notify_changes(array[v_file]);
  end if;
  return case when v_old.cancel_requested is not null then 'cancel' else 'running' end;
end
$$;
comment on function locaria.report_progress(bigint, jsonb) is
  'Updates the progress of a run and extends its lease. All keys are optional: stage, stage_n, stage_of, percent, '
  'rows_done, rows_total, unit, rows_rejected, bytes_done, bytes_total, message; stages: [{"stage", "ago"}], '
  'entered since the last report, ago in seconds. Returns running, or cancel if the run should stop. Errors: '
  'LC001, LC002, LC007, LC008.';
