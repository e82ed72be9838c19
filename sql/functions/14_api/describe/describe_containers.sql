create or replace function locaria.describe_containers(p_waiting jsonb)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', c.name,
    'type', c.type,
    'paused', c.paused,
    'paused_by', p.by_user,
    'paused_why', p.reason,
    'max_tasks', c.max_tasks,
    'living', t.living,
    'idle', t.idle,
    'starting', d.asked,
    'waiting', coalesce((p_waiting ->> c.name)::bigint, 0),
    'running', coalesce(w.running, 0),
    'error', d.error,
    'next_try', d.next_try
  ) order by c.name), '[]')
  from locaria.containers c
  left join lateral (
    select count(*) as living, count(a.idle_since) as idle from locaria.tasks a
    where a.container = c.name and a.stopped is null and a.started is not null
  ) as t on true
  left join lateral (
    select coalesce(sum(o.asked) filter (where o.status = 'invoked'), 0) as asked, min(o.next_try) as next_try,
      max(o.error) as error
    from locaria.dispatches o where o.container = c.name and o.ended is null
  ) as d on true
  left join lateral (
    select k.by_user, k.reason from locaria.container_changes k where c.paused and k.container = c.name
      and k.what = 'paused' order by k.id desc limit 1
  ) as p on true
  left join (
    select r.container, count(*) as running from locaria.files f join locaria.runs r on r.id = f.claimed_by
      where f.claimed_by is not null group by r.container
  ) as w on w.container = c.name
$$;
comment on function locaria.describe_containers(jsonb) is
  'What each container does now, for get_overview. p_waiting: files that wait, by container.';
