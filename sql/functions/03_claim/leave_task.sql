create or replace function locaria.leave_task(
  p_task bigint,
  p_exit_code integer default null,
  p_reason text default null
)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  update locaria.tasks
  set stopped = locaria.clock(), idle_since = null, last_status = 'STOPPED', exit_code = p_exit_code,
    stopped_reason = p_reason
  where id = p_task and stopped is null
$$;
comment on function locaria.leave_task(bigint, integer, text) is
  'Records that a task ends. tick() ends the runs that it still has.';
