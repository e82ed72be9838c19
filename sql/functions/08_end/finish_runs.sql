-- For the planner settings see claim_files.
create or replace function locaria.finish_runs(p_runs bigint[])
returns bigint[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_now timestamptz := locaria.clock();
  v_finished bigint[];
begin
  perform set_config('locaria.hot_path', 'on', true);
  with done as (
    update locaria.files f
    set status = s.done_status, claimed_by = null, finished = v_now, last_update = v_now, last_error = null
    from unnest(p_runs) as p (run_id), locaria.runs r, locaria.statuses s
    where f.claimed_by = p.run_id and r.id = p.run_id and s.status = r.requested_status
    returning r.id as run_id, s.done_status
  ), progress as (
    delete from locaria.run_progress p using done d where p.run_id = d.run_id returning p.*
  ), ended as (
    update locaria.runs r
    set ended = v_now, outcome = 'succeeded', end_status = d.done_status,
      message = coalesce(p.message, r.message), stage = p.stage, rows_done = p.rows_done, rows_total = p.rows_total,
      rows_rejected = p.rows_rejected, bytes_done = p.bytes_done, bytes_total = p.bytes_total,
      checkpoint = p.checkpoint, result = coalesce(p.result, r.result)
    from done d left join progress p on p.run_id = d.run_id
    where r.id = d.run_id
    returning r.id
  )
  select coalesce(array_agg(id), '{}') into v_finished from ended;
  perform set_config('locaria.hot_path', '', true);
  if locaria.is_watched() then
    perform locaria.notify_changes(array(
      select r.file_id from locaria.runs r where r.id = any (v_finished) limit 201
    ));
  end if;
  return v_finished;
end
$$;
comment on function locaria.finish_runs(bigint[]) is
  'Ends several runs as succeeded in one statement: their files get the done status. Returns the runs that were '
  'alive; the others have lost their lease or have ended.';
