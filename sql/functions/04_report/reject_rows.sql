create or replace function locaria.reject_rows(
  p_run bigint,
  p_rejects jsonb
)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_file bigint := locaria.require_run(p_run);
  v_secrets text[] := locaria.list_secrets(v_file);
  v_total bigint;
begin
  if jsonb_typeof(p_rejects) is distinct from 'array' then
    raise exception using errcode = 'LC007',
      message = 'reject_rows: p_rejects must be a JSON array of {"line", "reason", "row"}';
  end if;
  insert into locaria.rejects (run_id, file_id, at, line, reason, row_text)
  select p_run, v_file, v_now, (r ->> 'line')::bigint,
    left(coalesce(locaria.hide_secrets(r ->> 'reason', v_secrets), 'no reason was given'), 2000),
    left(locaria.hide_secrets(r ->> 'row', v_secrets), 10000)
  from jsonb_array_elements(p_rejects) with ordinality as e (r, n)
  order by n;
  insert into locaria.run_progress as p (run_id, heartbeat, lease_until, rows_rejected)
  select p_run, v_now, r.lease_until, jsonb_array_length(p_rejects) from locaria.runs r where r.id = p_run
  on conflict (run_id) do update set rows_rejected = coalesce(p.rows_rejected, 0) + excluded.rows_rejected
  returning p.rows_rejected into v_total;
  return v_total;
end
$$;
comment on function locaria.reject_rows(bigint, jsonb) is
  'Stores rejected rows, [{"line", "reason", "row"}]. Returns how many rows the run has rejected in total; the '
  'limit is get_reject_limit(run). Errors: LC001, LC002, LC007, LC008.';
