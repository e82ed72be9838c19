create or replace function locaria.dispatch_backlog()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_container text;
  v_count integer := 0;
begin
  for v_container in
    select c.name from locaria.containers c
    where not c.paused
      and not exists (
        select from locaria.dispatches d where d.container = c.name and d.ended is null and d.status = 'pending'
      )
      and locaria.count_due_files(c.name, 1) > 0
      and locaria.count_tasks_to_ask(c.name) > 0
      and not exists (
        select from locaria.circuits x
        where x.function_arn = locaria.get_dispatch_circuit(c.name) and x.retry_at > locaria.clock()
      )
  loop
    perform locaria.request_dispatch(v_container, 'backlog');
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;
comment on function locaria.dispatch_backlog() is
  'Asks for tasks for due files that no living or starting task will claim: retries, scheduled files, lost '
  'dispatches. Returns the number of containers.';
