create or replace view locaria.queue as
select
  c.name as container,
  c.paused,
  c.max_tasks,
  t.living as tasks_living,
  t.idle as tasks_idle,
  d.asked as tasks_starting,
  coalesce(f.due, 0) as due,
  coalesce(f.later, 0) as scheduled,
  coalesce(f.held, 0) as held,
  (select count(*) from locaria.files p join locaria.runs r on r.id = p.claimed_by where p.claimed_by is not null
    and r.container = c.name) as running,
  locaria.statement_clock() - f.oldest_due as oldest_due_age,
  d.next_try,
  d.error,
  p.at as paused_at,
  p.by_user as paused_by,
  p.reason as paused_why
from locaria.containers c
left join lateral (
  select count(*) filter (where w.run_after <= locaria.statement_clock()) as due,
    count(*) filter (where w.run_after > locaria.statement_clock() and w.run_after < 'infinity') as later,
    count(*) filter (where w.run_after = 'infinity') as held,
    min(w.run_after) filter (where w.run_after <= locaria.statement_clock()) as oldest_due
  from locaria.files w
  where coalesce(w.container, w.status) = any (locaria.queue_keys(c.name)) and w.claimed_by is null
    and w.finished is null
) as f on true
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
  select k.at, k.by_user, k.reason from locaria.container_changes k where c.paused and k.container = c.name
    and k.what = 'paused' order by k.id desc limit 1
) as p on true;
comment on view locaria.queue is
  'How long is the queue? One row per container: what waits, what runs, which tasks live or start, the error if '
  'none can be started, and who paused it. Stable: columns are only added.';
