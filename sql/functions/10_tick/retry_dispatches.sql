create or replace function locaria.retry_dispatches()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_dispatch record;
  v_asked integer;
  v_circuit text;
  v_retry_at timestamptz;
  v_count integer := 0;
begin
  for v_dispatch in
    select d.*, (
      select count(*) from locaria.tasks t where t.dispatch_id = d.id and t.launch = d.launch and t.started is not null
    ) as tasks_started
    from locaria.dispatches d
    where d.ended is null
    order by d.id
    limit 100
    for update skip locked
  loop
    if v_dispatch.status = 'invoked' and v_dispatch.tasks_started >= v_dispatch.asked then
      update locaria.dispatches set status = 'started', ended = v_now, error = null where id = v_dispatch.id;
    elsif v_dispatch.status = 'invoked' and v_dispatch.deadline < v_now then
      -- A task that runs but has never reported hangs: stop it, so that it costs no more.
      update locaria.tasks set stop_requested = v_now, stopped_reason = 'never reported to the database'
      where dispatch_id = v_dispatch.id and launch = v_dispatch.launch
        and started is null and stopped is null and stop_requested is null;
      if locaria.count_tasks_to_ask(v_dispatch.container) = 0 then
        update locaria.dispatches set status = 'unneeded', ended = v_now where id = v_dispatch.id;
      else
        perform locaria.relaunch_dispatch(v_dispatch.id, v_dispatch.launch,
          format('no task has reported %s after launch %s',
            locaria.in_words(v_now - v_dispatch.invoked), v_dispatch.launch));
      end if;
    elsif v_dispatch.status = 'pending' and coalesce(v_dispatch.next_try, v_now) <= v_now then
      v_asked := locaria.count_tasks_to_ask(v_dispatch.container);
      v_circuit := locaria.get_dispatch_circuit(v_dispatch.container);
      select retry_at into v_retry_at from locaria.circuits where function_arn = v_circuit;
      if v_asked = 0 then
        update locaria.dispatches set status = 'unneeded', ended = v_now where id = v_dispatch.id;
      elsif v_retry_at > v_now then
        update locaria.dispatches set next_try = v_retry_at where id = v_dispatch.id;
      elsif locaria.invoke_dispatch(v_dispatch.id, v_asked) then
        delete from locaria.circuits where function_arn = v_circuit;
        v_count := v_count + 1;
      end if;
    end if;
  end loop;
  return v_count;
end
$$;
comment on function locaria.retry_dispatches() is
  'Invokes pending dispatches that are due, relaunches those whose tasks did not start, and ends those that are '
  'started or no longer needed. Returns how many it invoked.';
