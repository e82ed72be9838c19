create or replace function locaria.end_runs_of_task(
  p_task locaria.tasks,
  p_exit_code integer,
  p_reason text
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run bigint;
  v_count integer := 0;
  v_interrupted boolean := coalesce(p_task.stop_code in ('SpotInterruption', 'TerminationNotice'), false);
  v_error text;
begin
  v_error := case
    when v_interrupted then format('the task was interrupted (%s)', p_task.stop_code)
    when p_reason like '%OutOfMemory%' then
      format('the container ran out of memory (exit code %s): raise memory in containers/dockers.json',
        coalesce(p_exit_code::text, 'none'))
    when p_exit_code = 0 then 'the container exited with code 0 without calling finish()'
    when p_exit_code is null then 'the task stopped without an exit code'
    when p_exit_code > 128 then
      format('the container was killed by signal %s (exit code %s)', p_exit_code - 128, p_exit_code)
    else format('the container exited with code %s', p_exit_code)
  end || case when coalesce(p_reason, '') = '' then '' else ' · ' || p_reason end;
  for v_run in
    select r.id from locaria.files f join locaria.runs r on r.id = f.claimed_by
    where f.claimed_by is not null and r.task_id = p_task.id
  loop
    perform locaria.end_run(v_run, case when v_interrupted then 'released' else 'lost' end, 'infrastructure', v_error,
      p_exit_code => p_exit_code);
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;
comment on function locaria.end_runs_of_task(locaria.tasks, integer, text) is
  'Ends the runs of a task that has stopped, with the reason.';
