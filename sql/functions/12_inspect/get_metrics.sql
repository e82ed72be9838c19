create or replace function locaria.get_metrics()
returns table (metric text, labels jsonb, value double precision)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select m.metric, jsonb_build_object('container', q.container) || m.labels, m.value
  from locaria.queue q, lateral (values
    ('locaria_files_waiting', '{"state": "due"}'::jsonb, q.due::double precision),
    ('locaria_files_waiting', '{"state": "scheduled"}', q.scheduled),
    ('locaria_files_waiting', '{"state": "held"}', q.held),
    ('locaria_files_running', '{}', q.running),
    ('locaria_oldest_due_seconds', '{}', coalesce(extract(epoch from q.oldest_due_age), 0)::double precision),
    ('locaria_tasks', '{"state": "living"}', q.tasks_living),
    ('locaria_tasks', '{"state": "idle"}', q.tasks_idle),
    ('locaria_tasks', '{"state": "starting"}', q.tasks_starting),
    ('locaria_tasks_max', '{}', q.max_tasks),
    ('locaria_container_paused', '{}', q.paused::integer),
    ('locaria_dispatch_failing', '{}', (q.error is not null)::integer)
  ) as m (metric, labels, value)
  union all
  select 'locaria_dispatch_failures', jsonb_build_object('container', c.name), coalesce(sum(d.failures), 0)
  from locaria.containers c left join locaria.dispatches d on d.container = c.name and d.ended is null
  group by c.name
  union all
  select 'locaria_circuits_open', '{}', count(*) from locaria.circuits
  union all
  select 'locaria_runs_total', jsonb_build_object('container', container, 'outcome', outcome), runs
    from locaria.outcomes
  union all
  select 'locaria_run_seconds_sum', jsonb_build_object('container', o.container), sum(o.seconds)
    from locaria.outcomes o group by o.container
  union all
  select 'locaria_run_seconds_count', jsonb_build_object('container', o.container), sum(o.runs)
    from locaria.outcomes o group by o.container
  union all
  select 'locaria_run_seconds_bucket', jsonb_build_object('container', o.container, 'le', b.le), sum(b.runs)
  from locaria.outcomes o, unnest(o.runs_within || o.runs,
    array['1', '10', '60', '300', '1800', '7200', '+Inf']) as b (runs, le)
  group by o.container, b.le
  union all
  select 'locaria_tick_age_seconds', '{}', extract(epoch from locaria.clock() - last_tick) from locaria.ticks
    where last_tick is not null
$$;
comment on function locaria.get_metrics() is
  'Numbers for monitoring, in the words of Prometheus: queue depth, oldest age, tasks, dispatch failures by '
  'container; runs by outcome and how long they took, counted by tick() some seconds later. Cheap whatever the '
  'number of files.';
