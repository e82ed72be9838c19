create or replace view locaria.agents as
select r.name,
  case when r.stopped is not null then 'stopped' when l.lives then 'lives' else 'died' end as state,
  r.kind, r.runs_by, r.host, r.process, r.started as since, r.last_seen, r.stopped,
  case when r.runs_by <> 'ecs' and l.lives then (
    select count(*) from locaria.tasks t
    where t.stopped is null and t.task_arn ~ ('^arn:aws:ecs:local:.*/' || r.mark || '[^/]*$')
  ) end as tasks,
  r.containers, r.version
from locaria.runtimes r
cross join lateral (
  select exists (
    select from pg_locks k join pg_stat_activity a on a.pid = k.pid
    where k.locktype = 'advisory' and k.granted and k.classid = 4242007 and k.objid = 0 and k.objsubid = 2
      and k.database = (select oid from pg_database where datname = current_database())
      and a.application_name = r.session
  ) as lives
) as l;
comment on view locaria.agents is
  'Who runs containers outside AWS: each agent, or `locaria up`, of the last 30 days. It lives while it holds its '
  'advisory lock. Empty on AWS. Stable: columns are only added.';
comment on column locaria.agents.state is
  'lives; stopped: in order; died: it neither lives nor has said that it stops.';
comment on column locaria.agents.runs_by is 'How it runs containers: process, docker or ecs.';
comment on column locaria.agents.since is 'When it was started.';
comment on column locaria.agents.tasks is
  'How many of its tasks live; null on an ecs cluster, where tasks belong to no agent, and when it does not live.';
