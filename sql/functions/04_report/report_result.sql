create or replace function locaria.report_result(
  p_run bigint,
  p_result jsonb
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_file bigint := locaria.require_run(p_run);
  v_result jsonb;
begin
  if jsonb_typeof(p_result) is distinct from 'object' then
    raise exception using errcode = 'LC007', message = 'report_result: p_result must be a JSON object';
  end if;
  v_result := locaria.hide_json_secrets(p_result, locaria.list_secrets(v_file));
  insert into locaria.run_progress as p (run_id, heartbeat, lease_until, result)
  select p_run, v_now, r.lease_until, v_result from locaria.runs r where r.id = p_run
  on conflict (run_id) do update set result = coalesce(p.result, '{}') || excluded.result;
end
$$;
comment on function locaria.report_result(bigint, jsonb) is
  'Merges an object into the result of a run. Errors: LC001, LC002, LC007, LC008.';
