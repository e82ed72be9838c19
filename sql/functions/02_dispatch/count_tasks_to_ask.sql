create or replace function locaria.count_tasks_to_ask(p_container text)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_type text;
  v_max_tasks integer;
  v_living integer;
  v_idle integer;
  v_starting integer;
begin
  select c.type, c.max_tasks, w.living, w.idle into v_type, v_max_tasks, v_living, v_idle
  from locaria.containers c,
    lateral (
      select count(*) as living, count(t.idle_since) as idle from locaria.tasks t
      where t.container = c.name and t.stopped is null and t.started is not null and t.lease_until > v_now
    ) as w
  where c.name = p_container and not c.paused;
  if not found then
    return 0;
  end if;
  if v_living >= v_max_tasks then
    return 0;
  end if;
  select coalesce(sum(greatest(0, d.asked - (
    select count(*) from locaria.tasks t
    where t.dispatch_id = d.id and t.launch = d.launch and (t.started is not null or t.stopped is not null)
  ))), 0) into v_starting
  from locaria.dispatches d
  where d.container = p_container and d.ended is null and d.status = 'invoked' and d.deadline > v_now;
  if v_living + v_starting >= v_max_tasks then
    return 0;
  end if;
  if v_type = 'listener' then
    return least(
      locaria.count_listeners_to_ask(p_container, v_living, v_idle, v_starting),
      v_max_tasks - v_living - v_starting
    );
  end if;
  -- An idle or starting task will claim at least one file; a busy task may claim none.
  return greatest(0, least(
    locaria.count_due_files(p_container, v_max_tasks + v_idle + v_starting) - v_idle - v_starting,
    v_max_tasks - v_living - v_starting
  ));
end
$$;
comment on function locaria.count_tasks_to_ask(text) is
  'How many more tasks a container needs: least(due files that no idle or starting task will claim, max_tasks - '
  'living - starting).';
