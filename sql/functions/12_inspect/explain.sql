create or replace function locaria.explain(p_file bigint)
returns setof text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_status locaria.status;
  v_queue locaria.queue;
  v_before bigint;
begin
  select * into v_status from locaria.status where file_id = p_file;
  if not found then
    raise exception using errcode = 'LC008', message = format('there is no file %s', p_file);
  end if;
  return next format('File %s is %s (%s): %s.', p_file, v_status.phase, v_status.state, v_status.why);
  return next format('It was inserted %s ago for container %s, priority %s, attempt %s of %s.',
    locaria.in_words(locaria.clock() - v_status.queued_at), v_status.container, v_status.priority, v_status.attempt,
      v_status.max_attempts);
  if v_status.phase in ('done', 'failed', 'cancelled', 'deleted') then
    if v_status.phase in ('failed', 'cancelled') then
      return next format('To run it again: select * from locaria.retry(%s).', p_file);
    end if;
    return;
  end if;
  if v_status.phase <> 'running' and exists (select from locaria.containers where name = v_status.container) then
    return query select format('What it asks for is not what %s publishes: %s.', v_status.container,
      locaria.list_errors(e.errors))
      from (select locaria.check_attributes(v_status.container, v_status.attributes) as errors) as e
        where e.errors <> '[]';
  end if;
  select * into v_queue from locaria.queue where container = v_status.container;
  return next format('Container %s: %s due, %s scheduled, %s held, %s running; %s of %s tasks alive (%s idle), %s '
    'starting.',
    v_queue.container, v_queue.due, v_queue.scheduled, v_queue.held, v_queue.running,
    v_queue.tasks_living, v_queue.max_tasks, v_queue.tasks_idle, v_queue.tasks_starting);
  if v_status.phase not in ('running', 'held') then
    select count(*) into v_before from locaria.files f
    where coalesce(f.container, f.status) = any (locaria.queue_keys(v_status.container)) and f.claimed_by is null
      and f.finished is null
      and f.run_after <= locaria.clock()
      and (f.priority > v_status.priority or f.priority = v_status.priority
        and (f.run_after, f.id) < (v_status.run_after, p_file));
    return next format(case when v_before = 1 then '%s file is' else '%s files are' end || ' before it in the queue.',
      v_before);
  end if;
  return query
    select format('Dispatch %s (%s): %s, %s asked, launch %s%s%s.', d.id, d.status, d.reason, d.asked, d.launch,
      coalesce(', invoked ' || locaria.in_words(locaria.clock() - d.invoked) || ' ago', ''),
        coalesce('; ' || d.error, ''))
    from locaria.dispatches d where d.container = v_status.container and d.ended is null order by d.id;
  return query select format('tick() last ran %s ago.', locaria.in_words(locaria.clock() - last_tick))
    from locaria.ticks where last_tick is not null;
end
$$;
comment on function locaria.explain(bigint) is
  'Why is my file not done? The whole chain, in sentences. Example: select locaria.explain(17). Error: LC008.';
