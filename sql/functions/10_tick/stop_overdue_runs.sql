create or replace function locaria.stop_overdue_runs()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_run record;
  v_count integer := 0;
begin
  for v_run in
    select r.id, r.task_id, r.started, c.timeout, c.stall_timeout, c.cancel_grace, p.stage, p.cancel_requested,
      greatest(r.started, p.progressed) as progressed,
      case
        when p.cancel_requested + c.cancel_grace < v_now then 'cancelled'
        when r.started + c.timeout < v_now then 'timed_out'
        else 'stalled'
      end as outcome
    from locaria.files f
    join locaria.runs r on r.id = f.claimed_by
    join locaria.containers c on c.name = r.container
    left join locaria.run_progress p on p.run_id = r.id
    where f.claimed_by is not null
      and (p.cancel_requested + c.cancel_grace < v_now
        or p.endpoint is null and (r.started + c.timeout < v_now
          or greatest(r.started, p.progressed) + c.stall_timeout < v_now))
    order by f.claimed_by
    limit 1000
    for update of f skip locked
  loop
    perform locaria.end_run(v_run.id, v_run.outcome, 'timeout', case v_run.outcome
      when 'timed_out' then format('timed out: not done %s after it started (timeout %s)',
        locaria.in_words(v_now - v_run.started), locaria.in_words(v_run.timeout))
      when 'stalled' then format('no progress for %s%s (stall_timeout %s)', locaria.in_words(v_now - v_run.progressed),
        coalesce(' in stage ' || v_run.stage, ''), locaria.in_words(v_run.stall_timeout))
      else 'cancelled'
    end);
    -- Stop the task as well, because it may hang. Until it stops, the fence keeps it from writing.
    update locaria.tasks set stop_requested = v_now
    where id = v_run.task_id and stopped is null and stop_requested is null;
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;
comment on function locaria.stop_overdue_runs() is
  'Ends runs that exceed their timeout, make no progress for their stall_timeout, or ignore a cancel, and requests '
  'that their tasks be stopped. Listening runs have no time limit.';
